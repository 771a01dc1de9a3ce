//! What became of one HTTPRoute: where it is attached, what its rules are on each port, and its status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::http_route::{HTTPRoute, RouteParentStatus, RouteStatus};
use crate::attach::{Attachment, attach, is_gateway};
use crate::backends::{Destination, key_of};
use crate::changes::Changes;
use crate::gateways::GatewayPlan;
use crate::object::{Key, ObjectRef};
use crate::policies::PolicyIndex;
use crate::problem::{Problem, Reason};
use crate::route::{self, LoweredRoute, RouteInputs};
use crate::settings::Settings;
use crate::status::{Status, condition};
use crate::world::World;

/// Everything that an outcome may depend on besides the route.
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) world: &'a World,
    pub(crate) policies: &'a PolicyIndex,
    pub(crate) gateways: &'a BTreeMap<Key, GatewayPlan>,
}

/// A route with its attachments and, by port, what it became.
pub(crate) struct RouteOutcome {
    pub(crate) route: Arc<HTTPRoute>,
    pub(crate) reference: ObjectRef,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) lowered: BTreeMap<u16, Arc<LoweredRoute>>,
    /// `None` where no parent is ours.
    pub(crate) status: Option<Arc<Status>>,
    pub(crate) problems: Vec<Problem>,
    inputs: RouteInputs,
    /// Objects that its rules name as backends, whether or not they exist.
    named: Vec<Key>,
}

/// What has become of a route, made again only where something that it depends on has changed.
pub(crate) fn renew(
    context: &Context<'_>,
    changes: &Changes,
    key: &Key,
    route: &Arc<HTTPRoute>,
    earlier: Option<RouteOutcome>,
) -> RouteOutcome {
    match earlier {
        Some(earlier) if !changes.context && earlier.holds(route, changes) => earlier,
        earlier => fresh(context, key, route, earlier),
    }
}

fn fresh(
    context: &Context<'_>,
    key: &Key,
    route: &Arc<HTTPRoute>,
    earlier: Option<RouteOutcome>,
) -> RouteOutcome {
    let Context { settings, world, policies, gateways } = context;
    let reference = route::reference(key);
    let attachments = attach(world, gateways, &reference, route);
    let inputs = route::inputs(world, policies, key, route);
    let mut kept =
        earlier.filter(|earlier| earlier.inputs == inputs).map(|earlier| earlier.lowered).unwrap_or_default();
    let lowered: BTreeMap<u16, Arc<LoweredRoute>> = ports(gateways, &attachments)
        .into_iter()
        .map(|port| {
            let lower = || Arc::new(route::lower(settings, key, &inputs, port));
            (port, kept.remove(&port).unwrap_or_else(lower))
        })
        .collect();
    let backends = route.spec.rules.iter().flat_map(|rule| &rule.backend_refs);
    let mut outcome = RouteOutcome {
        route: Arc::clone(route),
        reference,
        attachments,
        lowered,
        status: None,
        problems: Vec::new(),
        inputs,
        named: backends.map(|backend| key_of(&key.0, backend)).collect(),
    };
    outcome.problems = problems(world, &outcome);
    outcome.status = status(&settings.controller_name, &outcome).map(Arc::new);
    outcome
}

fn ports(gateways: &BTreeMap<Key, GatewayPlan>, attachments: &[Attachment]) -> BTreeSet<u16> {
    let listeners = attachments.iter().flat_map(|attachment| {
        let plan = gateways.get(&attachment.gateway);
        attachment.listeners.iter().filter_map(move |place| Some(plan?.listeners.get(*place)?.port))
    });
    listeners.collect()
}

/// The status of a route, unless none of its parents is ours.
fn status(controller_name: &str, outcome: &RouteOutcome) -> Option<Status> {
    let generation = outcome.route.metadata.generation.unwrap_or_default();
    let of_rules = outcome.problems_of_rules();
    let parents = outcome.attachments.iter().map(|attachment| {
        let problems: Vec<&Problem> = attachment.problem.iter().chain(of_rules.iter().copied()).collect();
        let accepted = condition("Accepted", "Accepted", generation, &problems);
        let resolved = condition("ResolvedRefs", "ResolvedRefs", generation, &problems);
        RouteParentStatus {
            parent_ref: attachment.parent.clone(),
            controller_name: controller_name.to_owned(),
            conditions: vec![accepted, resolved],
        }
    });
    let parents: Vec<RouteParentStatus> = parents.collect();
    (!parents.is_empty()).then_some(Status::Route(RouteStatus { parents }))
}

/// Everything that is wrong with a route: with its parents, also those that do not exist and are mistyped as a rule,
/// and with its rules.
fn problems(world: &World, outcome: &RouteOutcome) -> Vec<Problem> {
    let on = &outcome.reference;
    let parents = outcome.route.spec.parent_refs.iter().enumerate();
    let dangling = parents.filter(|(_, parent)| is_gateway(parent)).filter_map(|(place, parent)| {
        let namespace = parent.namespace.as_deref().unwrap_or(&on.namespace);
        let exists = world.gateways.contains_key(&(namespace.into(), parent.name.as_str().into()));
        let detail = || format!("Gateway {namespace}/{} does not exist", parent.name);
        let field = || format!("spec.parentRefs[{place}]");
        (!exists).then(|| Problem::new(on, field(), Reason::ParentNotFound, detail()))
    });
    let of_parents = outcome.attachments.iter().filter_map(|attachment| attachment.problem.clone());
    dangling.chain(of_parents).chain(outcome.problems_of_rules().into_iter().cloned()).collect()
}

impl RouteOutcome {
    /// Whether this is still right. Objects are immutable, so the same address means the same content.
    fn holds(&self, route: &Arc<HTTPRoute>, changes: &Changes) -> bool {
        Arc::ptr_eq(&self.route, route)
            && (changes.destinations.is_empty()
                || !self.named.iter().any(|key| changes.destinations.contains(key)))
    }

    /// Where its rules lead, on whatever port; none while it is attached nowhere.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &Destination> {
        let is_served = !self.lowered.is_empty();
        self.inputs.resolved.iter().flatten().flatten().filter(move |_| is_served)
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
