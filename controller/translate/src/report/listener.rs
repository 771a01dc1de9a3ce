//! Status of listeners, of Gateways and ListenerSets alike.

use crate::api::gateway::ListenerStatus;
use crate::api::meta::Condition;
use crate::gateways::{GatewayPlan, ListenerPlan};
use crate::object::{Key, ObjectRef};
use crate::problem::Problem;
use crate::status::condition;
use crate::sums::Sums;

/// The status of each listener that stands in `owner`.
pub(super) fn statuses(
    plan: &GatewayPlan,
    owner: &ObjectRef,
    generation: i64,
    sums: &Sums,
) -> Vec<ListenerStatus> {
    let key: Key = (plan.reference.namespace.clone(), plan.reference.name.clone());
    let statuses = plan.listeners_of(owner).map(|(place, listener)| ListenerStatus {
        name: listener.name.to_string(),
        supported_kinds: listener.kinds.clone(),
        attached_routes: sums.attached(&key, place),
        conditions: conditions(listener, generation),
    });
    statuses.collect()
}

fn conditions(listener: &ListenerPlan, generation: i64) -> Vec<Condition> {
    let problems: Vec<&Problem> = listener.problems.iter().collect();
    let mut programmed = condition("Programmed", "Programmed", generation, &problems);
    let mut conflicted = condition("Conflicted", "NoConflicts", generation, &problems);
    // `Conflicted` is the one condition that is good when false.
    let clashes = conflicted.status == "False";
    conflicted.status = if clashes { "True" } else { "False" }.to_owned();
    let mut accepted = condition("Accepted", "Accepted", generation, &problems);
    if clashes && accepted.status == "True" {
        let (reason, message) = (conflicted.reason.clone(), conflicted.message.clone());
        accepted = Condition { status: "False".to_owned(), reason, message, ..accepted };
    }
    if !listener.serves() {
        programmed.status = "False".to_owned();
        programmed.reason = if clashes { conflicted.reason.clone() } else { "Invalid".to_owned() };
    }
    let resolved = condition("ResolvedRefs", "ResolvedRefs", generation, &problems);
    vec![accepted, programmed, resolved, conflicted]
}
