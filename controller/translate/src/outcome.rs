//! What became of one HTTPRoute or GRPCRoute: where it is attached, what its rules are on each port, and its status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::grpc_route::GRPCRoute;
use crate::api::http_route::HTTPRoute;
use crate::api::meta::GATEWAY_GROUP;
use crate::attach::{Attaching, Attachment, attach, dangling};
use crate::backends::Destination;
use crate::changes::Changes;
use crate::gateways::Gateways;
use crate::grpc;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::policies::PolicyIndex;
use crate::problem::Problem;
use crate::resolved::{self, Resolved};
use crate::route::{self, LoweredRoute, RouteInputs};
use crate::settings::Settings;
use crate::status::{self, Status};

/// Everything that an outcome may depend on besides the route.
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) world: &'a World,
    pub(crate) policies: &'a PolicyIndex,
    pub(crate) gateways: &'a Gateways,
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
    /// All routes of a world, ascending.
    pub(crate) fn all(world: &World) -> impl Iterator<Item = (RouteId, Self)> {
        let grpc = world.grpc_routes.iter();
        let grpc = grpc.map(|(key, route)| (("GRPCRoute", key.clone()), Self::Grpc(Arc::clone(route))));
        let http = world.http_routes.iter();
        let http = http.map(|(key, route)| (("HTTPRoute", key.clone()), Self::Http(Arc::clone(route))));
        grpc.chain(http)
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
    pub(crate) lowered: BTreeMap<u16, Arc<LoweredRoute>>,
    /// `None` where no parent is ours.
    pub(crate) status: Option<Arc<Status>>,
    pub(crate) problems: Vec<Problem>,
    inputs: RouteInputs,
    /// Objects that its rules name as backends and in filters, whether or not they exist.
    named: Vec<Key>,
}

/// What has become of a route, made again only where something that it depends on has changed.
pub(crate) fn renew(
    context: &Context<'_>,
    changes: &Changes,
    id: &RouteId,
    source: Source,
    earlier: Option<RouteOutcome>,
) -> RouteOutcome {
    match earlier {
        Some(earlier) if !changes.context && earlier.holds(&source, changes) => earlier,
        earlier => fresh(context, id, source, earlier),
    }
}

fn fresh(context: &Context<'_>, id: &RouteId, source: Source, earlier: Option<RouteOutcome>) -> RouteOutcome {
    let Context { settings, world, policies, gateways } = context;
    let reference = ObjectRef::at(GATEWAY_GROUP, id.0, &id.1);
    let same = earlier.as_ref().filter(|earlier| earlier.source.is(&source));
    let route = same.map_or_else(|| source.as_http(), |earlier| Arc::clone(&earlier.route));
    let attachments = attach(world, gateways, attaching(&reference, &route));
    let inputs = route::inputs(world, policies, &reference, &route);
    let mut kept =
        earlier.filter(|earlier| earlier.inputs == inputs).map(|earlier| earlier.lowered).unwrap_or_default();
    let lowered: BTreeMap<u16, Arc<LoweredRoute>> = ports(gateways, &attachments)
        .into_iter()
        .map(|port| {
            let lower = || Arc::new(route::lower(settings, &reference, &inputs, port));
            (port, kept.remove(&port).unwrap_or_else(lower))
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
    let status = status::of_route(&settings.controller_name, generation, &outcome.attachments, &of_rules);
    outcome.status = status.map(Arc::new);
    outcome
}

fn attaching<'a>(reference: &'a ObjectRef, route: &'a HTTPRoute) -> Attaching<'a> {
    Attaching { reference, parents: &route.spec.parent_refs, hostnames: &route.spec.hostnames }
}

fn ports(gateways: &Gateways, attachments: &[Attachment]) -> BTreeSet<u16> {
    let listeners = attachments.iter().flat_map(|attachment| {
        let plan = gateways.plans.get(&attachment.gateway);
        attachment.listeners.iter().filter_map(move |place| Some(plan?.listeners.get(*place)?.port))
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

impl RouteOutcome {
    /// Whether this is still right.
    fn holds(&self, source: &Source, changes: &Changes) -> bool {
        self.source.is(source)
            && (changes.destinations.is_empty()
                || !self.named.iter().any(|key| changes.destinations.contains(key)))
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
