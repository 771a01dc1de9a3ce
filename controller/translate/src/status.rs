//! Conditions from problems, and the merge of ours into what others wrote.

use serde::Serialize;
use serde_json::Value;

use crate::api::backend::BackendStatus;
use crate::api::gateway::GatewayStatus;
use crate::api::gateway_class::GatewayClassStatus;
use crate::api::listener_set::ListenerSetStatus;
use crate::api::meta::Condition;
use crate::api::route::RouteStatus;
use crate::api::traffic_policy::PolicyStatus;
use crate::problem::Problem;

/// The status of one object, without transition times.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Status {
    GatewayClass(GatewayClassStatus),
    Gateway(GatewayStatus),
    ListenerSet(ListenerSetStatus),
    Route(RouteStatus),
    Backend(BackendStatus),
    Policy(PolicyStatus),
}

/// The one condition that is ours also where we do not write it: it goes when it no longer holds.
pub(crate) const INSECURE_VALIDATION: &str = "InsecureFrontendValidationMode";

/// A condition of type `kind`: true for `good`, false for the first of `problems` that belongs to it.
pub(crate) fn condition(kind: &str, good: &str, generation: i64, problems: &[&Problem]) -> Condition {
    let mut ours = problems.iter().filter(|problem| problem.reason.condition() == Some(kind));
    let first = ours.next();
    let (status, reason) = match first {
        Some(problem) => ("False", problem.reason.word()),
        None => ("True", good.to_owned()),
    };
    let messages: Vec<String> = first.into_iter().chain(ours).map(|problem| problem.message()).collect();
    Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason,
        message: messages.join("; "),
        observed_generation: generation,
        last_transition_time: None,
    }
}

/// Puts our status into what the object has now: conditions are ours by type, entries of `parents` and `ancestors` by
/// `controllerName`; all else stays. Transition times are kept where the condition's status is as before, else `now`.
///
/// Merging the result again changes nothing.
pub fn merge_status(existing: &Value, ours: &Status, controller_name: &str, now: &str) -> Value {
    let mut merged = existing.as_object().cloned().unwrap_or_default();
    let Ok(Value::Object(wanted)) = serde_json::to_value(ours) else { return existing.clone() };
    for (field, value) in wanted {
        let before = merged.get(&field).cloned().unwrap_or(Value::Null);
        let after = match field.as_str() {
            "conditions" => merge_conditions(&before, &value, now),
            "parents" => merge_entries(&before, value, "parentRef", controller_name, now),
            "ancestors" => merge_entries(&before, value, "ancestorRef", controller_name, now),
            "listeners" => merge_listeners(&before, value, now),
            _ => value,
        };
        merged.insert(field, after);
    }
    Value::Object(merged)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Our conditions by type, then the types that are not ours.
fn merge_conditions(before: &Value, ours: &Value, now: &str) -> Value {
    let named =
        |conditions: &Value, kind: &Value| list(conditions).iter().find(|c| c["type"] == *kind).cloned();
    let timed = list(ours).iter().map(|condition| {
        let mut condition = condition.clone();
        let old = named(before, &condition["type"]).filter(|old| old["status"] == condition["status"]);
        let time = old.map_or(Value::Null, |old| old["lastTransitionTime"].clone());
        condition["lastTransitionTime"] = if time.is_string() { time } else { now.into() };
        condition
    });
    let is_ours =
        |kind: &Value| *kind == INSECURE_VALIDATION || list(ours).iter().any(|c| c["type"] == *kind);
    let foreign = list(before).iter().filter(|c| !is_ours(&c["type"])).cloned();
    timed.chain(foreign).collect()
}

fn merge_entries(before: &Value, ours: Value, reference: &str, controller_name: &str, now: &str) -> Value {
    let is_ours = |entry: &&Value| entry["controllerName"] == controller_name;
    let foreign = list(before).iter().filter(|entry| !is_ours(entry)).cloned();
    let merged = list(&ours).iter().map(|entry| {
        let old = list(before).iter().filter(is_ours).find(|old| old[reference] == entry[reference]);
        with_conditions(entry, old, now)
    });
    foreign.chain(merged).collect()
}

fn merge_listeners(before: &Value, ours: Value, now: &str) -> Value {
    let old = |entry: &Value| list(before).iter().find(|old| old["name"] == entry["name"]);
    list(&ours).iter().map(|entry| with_conditions(entry, old(entry), now)).collect()
}

fn with_conditions(entry: &Value, old: Option<&Value>, now: &str) -> Value {
    let mut entry = entry.clone();
    entry["conditions"] =
        merge_conditions(old.map_or(&Value::Null, |old| &old["conditions"]), &entry["conditions"], now);
    entry
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::route::{ParentReference, RouteParentStatus};

    fn route_status() -> Status {
        let parent_ref = ParentReference {
            group: None,
            kind: None,
            namespace: None,
            name: "g".into(),
            section_name: None,
            port: None,
        };
        let conditions = vec![condition("Accepted", "Accepted", 2, &[])];
        Status::Route(RouteStatus {
            parents: vec![RouteParentStatus {
                parent_ref,
                controller_name: "ferrule.dev/x".into(),
                conditions,
            }],
        })
    }

    #[test]
    fn merging_keeps_what_others_wrote_and_is_a_fixed_point() {
        let foreign = json!({"parentRef": {"name": "g"}, "controllerName": "other", "conditions": [{"type": "Accepted"}]});
        let existing =
            json!({"parents": [foreign, {"parentRef": {"name": "old"}, "controllerName": "ferrule.dev/x"}]});
        let once = merge_status(&existing, &route_status(), "ferrule.dev/x", "2026-01-01T00:00:00Z");
        assert_eq!(once["parents"][0], foreign);
        assert_eq!(once["parents"].as_array().unwrap().len(), 2);
        assert_eq!(once["parents"][1]["conditions"][0]["lastTransitionTime"], "2026-01-01T00:00:00Z");
        let twice = merge_status(&once, &route_status(), "ferrule.dev/x", "2027-01-01T00:00:00Z");
        assert_eq!(once, twice);
    }

    #[test]
    fn foreign_conditions_survive_and_ours_go_when_they_no_longer_hold() {
        let existing = json!({"conditions": [
            {"type": INSECURE_VALIDATION, "status": "True"}, {"type": "Foreign", "status": "True"},
        ]});
        let ours = Status::GatewayClass(GatewayClassStatus {
            conditions: vec![condition("Accepted", "Accepted", 1, &[])],
            supported_features: Vec::new(),
        });
        let merged = merge_status(&existing, &ours, "x", "now");
        assert_eq!(merged["conditions"][1]["type"], "Foreign");
        assert_eq!(merged["conditions"].as_array().unwrap().len(), 2);
    }
}
