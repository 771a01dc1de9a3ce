//! What became of one HTTPRoute or GRPCRoute: where it is attached, what its rules are on each port, and its status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::grpc_route::GRPCRoute;
use crate::api::http_route::HTTPRoute;
use crate::api::meta::GATEWAY_GROUP;
use crate::attach::{Attaching, Attachment, attach, dangling};
use crate::aws::Functions;
use crate::backends::Destination;
use crate::carried::Dependent;
use crate::gateways::{Entrance, Gateways};
use crate::grpc;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::policies::PolicyIndex;
use crate::problem::Problem;
use crate::report;
use crate::resolved::{self, Resolved};
use crate::route::{self, LoweredRoute, RouteInputs};
use crate::settings::Settings;
use crate::status::Status;

/// Everything that an outcome may depend on besides the route.
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) world: &'a World,
    pub(crate) policies: &'a PolicyIndex,
    pub(crate) gateways: &'a Gateways,
    pub(crate) functions: &'a Functions,
}

/// Kind and key.
pub(crate) type RouteId = (&'static str, Key);

/// A route whose rules are HTTP's.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Http(Arc<HTTPRoute>),
    Grpc(Arc<GRPCRoute>),
}

impl Source {
    /// The route of a world.
    pub(crate) fn of(world: &World, (kind, key): &RouteId) -> Option<Self> {
        Some(match *kind {
            "GRPCRoute" => Self::Grpc(Arc::clone(world.grpc_routes.get(key)?)),
            _ => Self::Http(Arc::clone(world.http_routes.get(key)?)),
        })
    }

    /// All routes of a world.
    pub(crate) fn ids(world: &World) -> impl Iterator<Item = RouteId> {
        let grpc = world.grpc_routes.keys().map(|key| ("GRPCRoute", key.clone()));
        grpc.chain(world.http_routes.keys().map(|key| ("HTTPRoute", key.clone())))
    }

    fn as_http(&self) -> Arc<HTTPRoute> {
        match self {
            Self::Http(route) => Arc::clone(route),
            Self::Grpc(route) => Arc::new(grpc::as_http(route)),
        }
    }

    /// Objects are immutable, so the same address means the same content.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Http(ours), Self::Http(theirs)) => Arc::ptr_eq(ours, theirs),
            (Self::Grpc(ours), Self::Grpc(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        }
    }
}

/// A route with its attachments and, by port, what it became.
pub(crate) struct RouteOutcome {
    source: Source,
    pub(crate) route: Arc<HTTPRoute>,
    pub(crate) reference: ObjectRef,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) lowered: BTreeMap<Entrance, Arc<LoweredRoute>>,
    /// `None` where no parent is ours.
    pub(crate) status: Option<Arc<Status>>,
    pub(crate) problems: Vec<Problem>,
    inputs: RouteInputs,
    /// Objects that its rules name as backends and in filters, whether or not they exist.
    named: Vec<Key>,
}

/// What has become of a route; of `earlier` is kept what is still right.
pub(crate) fn renew(
    context: &Context<'_>,
    id: &RouteId,
    source: Source,
    mut earlier: Option<RouteOutcome>,
) -> RouteOutcome {
    let Context { settings, world, gateways, .. } = context;
    let reference = ObjectRef::at(GATEWAY_GROUP, id.0, &id.1);
    let same = earlier.as_ref().filter(|earlier| earlier.source.is(&source));
    let route = same.map_or_else(|| source.as_http(), |earlier| Arc::clone(&earlier.route));
    let attachments = attach(world, gateways, attaching(&reference, &route));
    let told = earlier.as_mut().and_then(|earlier| earlier.status.take());
    let inputs = route::inputs(context, &reference, &route);
    let mut kept =
        earlier.filter(|earlier| earlier.inputs == inputs).map(|earlier| earlier.lowered).unwrap_or_default();
    let lowered: BTreeMap<Entrance, Arc<LoweredRoute>> = entrances(gateways, &attachments)
        .into_iter()
        .map(|entrance| {
            let lower = || Arc::new(route::lower(settings, &reference, &inputs, entrance));
            (entrance, kept.remove(&entrance).unwrap_or_else(lower))
        })
        .collect();
    let named = route.spec.rules.iter().flat_map(|rule| resolved::named(&id.1.0, rule)).collect();
    let mut outcome = RouteOutcome {
        source,
        route,
        reference,
        attachments,
        lowered,
        status: None,
        problems: Vec::new(),
        inputs,
        named,
    };
    outcome.problems = problems(world, &outcome);
    let generation = outcome.route.metadata.generation.unwrap_or_default();
    let of_rules = outcome.problems_of_rules();
    let status = report::route_status(&settings.controller_name, generation, &outcome.attachments, &of_rules);
    outcome.status = status.map(|status| match told {
        Some(told) if *told == status => told,
        _ => Arc::new(status),
    });
    outcome
}

fn attaching<'a>(reference: &'a ObjectRef, route: &'a HTTPRoute) -> Attaching<'a> {
    Attaching { reference, parents: &route.spec.parent_refs, hostnames: &route.spec.hostnames }
}

fn entrances(gateways: &Gateways, attachments: &[Attachment]) -> BTreeSet<Entrance> {
    let listeners = attachments.iter().flat_map(|attachment| {
        let plan = gateways.plans.get(&attachment.gateway);
        attachment.listeners.iter().filter_map(move |place| Some(plan?.listeners.get(*place)?.entrance()))
    });
    listeners.collect()
}

/// Everything that is wrong with a route: with its parents, also those that do not exist and are mistyped as a rule,
/// and with its rules.
fn problems(world: &World, outcome: &RouteOutcome) -> Vec<Problem> {
    let dangling = dangling(world, attaching(&outcome.reference, &outcome.route)).into_iter();
    let of_parents = outcome.attachments.iter().filter_map(|attachment| attachment.problem.clone());
    dangling.chain(of_parents).chain(outcome.problems_of_rules().into_iter().cloned()).collect()
}

impl Dependent for RouteOutcome {
    fn named(&self) -> &[Key] {
        &self.named
    }
}

impl RouteOutcome {
    /// The Gateways that it is attached to.
    pub(crate) fn gateways(&self) -> BTreeSet<&Key> {
        let attached = self.attachments.iter().filter(|attachment| !attachment.listeners.is_empty());
        attached.map(|attachment| &attachment.gateway).collect()
    }

    /// Where its rules lead, on whatever port; none while it is attached nowhere.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &Destination> {
        let is_served = !self.lowered.is_empty();
        self.inputs.resolved.iter().flat_map(Resolved::destinations).filter(move |_| is_served)
    }

    /// Places of the listeners of a Gateway that it is attached to.
    pub(crate) fn attached_to(&self, gateway: &Key) -> impl Iterator<Item = usize> {
        let here = self.attachments.iter().filter(move |attachment| attachment.gateway == *gateway);
        here.flat_map(|attachment| attachment.listeners.iter().copied())
    }

    /// Everything that is wrong with its rules, on any port, once.
    pub(crate) fn problems_of_rules(&self) -> Vec<&Problem> {
        let mut problems: Vec<&Problem> =
            self.lowered.values().flat_map(|lowered| &lowered.problems).collect();
        problems.sort();
        problems.dedup();
        problems
    }
}
