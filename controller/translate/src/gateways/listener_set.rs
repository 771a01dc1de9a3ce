//! ListenerSets of our Gateways (GEP-1713).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::allowed::allows;
use super::{GatewayPlan, ListenerPlan};
use crate::api::listener_set::ListenerSet;
use crate::api::meta::GATEWAY_GROUP;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};

/// A ListenerSet whose parent is one of our Gateways.
pub(crate) struct SetPlan {
    pub(crate) set: Arc<ListenerSet>,
    pub(crate) reference: ObjectRef,
    pub(crate) gateway: Key,
    /// Of the set as a whole; where there is any, none of its listeners is served.
    pub(crate) problems: Vec<Problem>,
}

/// Plans the sets of `gateways`.
pub(super) fn plan(world: &World, gateways: &BTreeMap<Key, GatewayPlan>) -> BTreeMap<Key, SetPlan> {
    let ours = world.listener_sets.iter().filter_map(|(key, set)| {
        let parent = &set.spec.parent_ref;
        let namespace = parent.namespace.as_deref().unwrap_or(&key.0);
        let gateway: Key = (namespace.into(), parent.name.as_str().into());
        let plan = gateways
            .get(&gateway)
            .filter(|_| parent.kind_or(GATEWAY_GROUP, "Gateway") == (GATEWAY_GROUP, "Gateway"))?;
        let reference = ObjectRef::at(GATEWAY_GROUP, "ListenerSet", key);
        let problems = refusal(world, plan, &reference).into_iter().collect();
        Some((key.clone(), SetPlan { set: Arc::clone(set), reference, gateway, problems }))
    });
    ours.collect()
}

/// A Gateway allows no set unless it says otherwise (AllowedListeners).
fn refusal(world: &World, plan: &GatewayPlan, set: &ObjectRef) -> Option<Problem> {
    let allowed = plan.gateway.spec.allowed_listeners.as_ref();
    let namespaces = allowed.and_then(|allowed| allowed.namespaces.as_ref());
    let is_allowed = allows(world, namespaces, "None", &plan.reference.namespace, &set.namespace);
    let detail = || format!("{} does not allow ListenerSets of this namespace", plan.reference);
    (!is_allowed).then(|| Problem::new(set, "spec.parentRef", Reason::NotAllowed, detail()))
}

/// Accepted sets: older ones first, then by namespace and name (ListenerSetSpec.listeners).
pub(super) fn by_precedence(sets: &BTreeMap<Key, SetPlan>) -> Vec<&SetPlan> {
    let mut accepted: Vec<&SetPlan> = sets.values().filter(|set| set.problems.is_empty()).collect();
    accepted.sort_by_key(|set| {
        let created = &set.set.metadata.creation_timestamp;
        (created.is_none(), created.clone(), set.reference.clone())
    });
    accepted
}

/// The listeners of a set.
pub(super) fn listeners(set: &SetPlan) -> impl Iterator<Item = ListenerPlan> {
    (0..set.set.spec.listeners.len()).map(|place| ListenerPlan::of_set(&set.reference, &set.set, place))
}
