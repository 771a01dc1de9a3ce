//! Which listeners a route attaches to, and why not to others.

use crate::api::meta::GATEWAY_GROUP;
use crate::api::route::ParentReference;
use crate::gateways::{GatewayPlan, Gateways, ListenerPlan, allows_route};
use crate::hostname::intersection;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};

/// What decides where a route of any kind attaches.
#[derive(Clone, Copy)]
pub(crate) struct Attaching<'a> {
    pub(crate) reference: &'a ObjectRef,
    pub(crate) parents: &'a [ParentReference],
    /// None for all of the listener's.
    pub(crate) hostnames: &'a [String],
}

/// What came of one `parentRef` that names a Gateway or ListenerSet of ours.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attachment {
    pub(crate) parent: ParentReference,
    pub(crate) gateway: Key,
    /// Places of the listeners in the Gateway's plan.
    pub(crate) listeners: Vec<usize>,
    pub(crate) problem: Option<Problem>,
}

/// Looks at each parent of a route. Parents that are not ours have no entry.
pub(crate) fn attach(world: &World, gateways: &Gateways, route: Attaching<'_>) -> Vec<Attachment> {
    let parents = route.parents.iter().enumerate();
    let attachments = parents.filter_map(|(place, parent)| attach_to(world, gateways, route, place, parent));
    let mut attachments: Vec<Attachment> = attachments.collect();
    attachments.shrink_to_fit();
    attachments
}

/// Parents that should exist, as far as they could be ours, and do not: fields, and what is meant.
pub(crate) fn dangling(world: &World, route: Attaching<'_>) -> Vec<Problem> {
    let missing = route.parents.iter().enumerate().filter_map(|(place, parent)| {
        let owner = owner(route.reference, parent)?;
        let key = (owner.namespace.clone(), owner.name.clone());
        let exists = match &*owner.kind {
            "Gateway" => world.gateways.contains_key(&key),
            _ => world.listener_sets.contains_key(&key),
        };
        let field = format!("spec.parentRefs[{place}]");
        let detail = format!("{owner} does not exist");
        (!exists).then(|| Problem::new(route.reference, field, Reason::ParentNotFound, detail))
    });
    missing.collect()
}

/// The Gateway or ListenerSet that a parent is; a Gateway unless it says otherwise.
fn owner(route: &ObjectRef, parent: &ParentReference) -> Option<ObjectRef> {
    let namespace = parent.namespace.as_deref().unwrap_or(&route.namespace);
    let kind = parent.kind.as_deref().unwrap_or("Gateway");
    let is_known = parent.group.as_deref().unwrap_or(GATEWAY_GROUP) == GATEWAY_GROUP
        && matches!(kind, "Gateway" | "ListenerSet");
    is_known.then(|| ObjectRef::new(GATEWAY_GROUP, kind, namespace, &parent.name))
}

fn attach_to(
    world: &World,
    gateways: &Gateways,
    route: Attaching<'_>,
    place: usize,
    parent: &ParentReference,
) -> Option<Attachment> {
    let owner = owner(route.reference, parent)?;
    let key: Key = (owner.namespace.clone(), owner.name.clone());
    let gateway = if &*owner.kind == "Gateway" { key } else { gateways.sets.get(&key)?.gateway.clone() };
    let plan = gateways.plans.get(&gateway)?;
    let (listeners, problem) = match listeners_for(world, plan, &owner, route, parent) {
        Ok(listeners) => (listeners, None),
        Err((reason, detail)) => {
            let field = format!("spec.parentRefs[{place}]");
            (Vec::new(), Some(Problem::new(route.reference, field, reason, detail)))
        }
    };
    Some(Attachment { parent: parent.clone(), gateway, listeners, problem })
}

fn listeners_for(
    world: &World,
    plan: &GatewayPlan,
    owner: &ObjectRef,
    route: Attaching<'_>,
    parent: &ParentReference,
) -> Result<Vec<usize>, (Reason, String)> {
    let kept = |places: &[usize], keep: &dyn Fn(&ListenerPlan) -> bool| -> Vec<usize> {
        places.iter().copied().filter(|place| keep(&plan.listeners[*place])).collect()
    };
    let of_owner: Vec<usize> = plan.listeners_of(owner).map(|(place, _)| place).collect();
    let named = kept(&of_owner, &|listener| is_named(listener, parent));
    if named.is_empty() {
        return Err((Reason::NoMatchingParent, format!("{owner} has no such listener")));
    }
    let allowed = kept(&named, &|listener| {
        listener.takes_routes()
            && listener.takes(&route.reference.kind)
            && allows_route(world, listener, &route.reference.namespace)
    });
    if allowed.is_empty() {
        return Err((Reason::NotAllowedByListeners, format!("no listener of {owner} allows this route")));
    }
    let matching = kept(&allowed, &|listener| shares_a_host(&listener.hostname, route.hostnames));
    if matching.is_empty() {
        let detail = format!("no listener of {owner} serves any of these hostnames");
        return Err((Reason::NoMatchingListenerHostname, detail));
    }
    Ok(matching)
}

fn is_named(listener: &ListenerPlan, parent: &ParentReference) -> bool {
    parent.section_name.as_ref().is_none_or(|name| **name == *listener.name)
        && parent.port.is_none_or(|port| port == listener.port)
}

fn shares_a_host(listener: &str, hosts: &[String]) -> bool {
    hosts.is_empty() || hosts.iter().any(|host| intersection(listener, host).is_some())
}
