//! Which listeners a route attaches to, and why not to others.

use std::collections::BTreeMap;

use crate::api::http_route::{HTTPRoute, ParentReference};
use crate::api::meta::GATEWAY_GROUP;
use crate::gateways::{GatewayPlan, allows};
use crate::hostname::intersection;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};
use crate::world::World;

/// What came of one `parentRef` that names a Gateway of ours.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attachment {
    pub(crate) parent: ParentReference,
    pub(crate) gateway: Key,
    /// Places of the listeners in the Gateway.
    pub(crate) listeners: Vec<usize>,
    pub(crate) problem: Option<Problem>,
}

/// Looks at each parent of a route. Parents that are not ours have no entry.
pub(crate) fn attach(
    world: &World,
    gateways: &BTreeMap<Key, GatewayPlan>,
    reference: &ObjectRef,
    route: &HTTPRoute,
) -> Vec<Attachment> {
    let parents = route.spec.parent_refs.iter().enumerate();
    let mut attachments: Vec<Attachment> = parents
        .filter_map(|(place, parent)| attach_to(world, gateways, reference, route, place, parent))
        .collect();
    attachments.shrink_to_fit();
    attachments
}

fn attach_to(
    world: &World,
    gateways: &BTreeMap<Key, GatewayPlan>,
    reference: &ObjectRef,
    route: &HTTPRoute,
    place: usize,
    parent: &ParentReference,
) -> Option<Attachment> {
    let namespace = parent.namespace.as_deref().unwrap_or(&reference.namespace);
    let key: Key = (namespace.into(), parent.name.as_str().into());
    let plan = gateways.get(&key).filter(|_| is_gateway(parent))?;
    let found = listeners_for(world, plan, reference, route, parent);
    let (listeners, problem) = match found {
        Ok(listeners) => (listeners, None),
        Err((reason, detail)) => {
            (Vec::new(), Some(Problem::new(reference, format!("spec.parentRefs[{place}]"), reason, detail)))
        }
    };
    Some(Attachment { parent: parent.clone(), gateway: key, listeners, problem })
}

/// Whether a parent is a Gateway, which it is unless it says otherwise.
pub(crate) fn is_gateway(parent: &ParentReference) -> bool {
    parent.group.as_deref().unwrap_or(GATEWAY_GROUP) == GATEWAY_GROUP
        && parent.kind.as_deref().unwrap_or("Gateway") == "Gateway"
}

fn listeners_for(
    world: &World,
    plan: &GatewayPlan,
    reference: &ObjectRef,
    route: &HTTPRoute,
    parent: &ParentReference,
) -> Result<Vec<usize>, (Reason, String)> {
    let named: Vec<usize> =
        (0..plan.listeners.len()).filter(|place| is_named(plan, *place, parent)).collect();
    if named.is_empty() {
        return Err((Reason::NoMatchingParent, format!("{} has no such listener", plan.reference)));
    }
    let allowed = named.into_iter().filter(|place| {
        plan.listeners[*place].takes_routes()
            && allows(world, &plan.gateway, &plan.gateway.spec.listeners[*place], &reference.namespace)
    });
    let allowed: Vec<usize> = allowed.collect();
    if allowed.is_empty() {
        let detail = format!("no listener of {} allows this route", plan.reference);
        return Err((Reason::NotAllowedByListeners, detail));
    }
    let matching = allowed.into_iter().filter(|place| shares_a_host(&plan.listeners[*place].hostname, route));
    let matching: Vec<usize> = matching.collect();
    if matching.is_empty() {
        let detail = format!("no listener of {} serves any of these hostnames", plan.reference);
        return Err((Reason::NoMatchingListenerHostname, detail));
    }
    Ok(matching)
}

fn is_named(plan: &GatewayPlan, place: usize, parent: &ParentReference) -> bool {
    let listener = &plan.listeners[place];
    parent.section_name.as_ref().is_none_or(|name| **name == *listener.name)
        && parent.port.is_none_or(|port| port == listener.port)
}

fn shares_a_host(listener: &str, route: &HTTPRoute) -> bool {
    let hosts = &route.spec.hostnames;
    hosts.is_empty() || hosts.iter().any(|host| intersection(listener, host).is_some())
}
