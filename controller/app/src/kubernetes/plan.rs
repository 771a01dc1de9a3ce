//! What to write of a status: only what is ours, and only if the API server does not have it already.
//!
//! Invariants: what others wrote survives; a status that was written leads to no second write, in whatever order the
//! API server keeps its lists.

use ferrule_translate::api::route::RouteStatus;
use ferrule_translate::api::traffic_policy::PolicyStatus;
use ferrule_translate::{Status, merge_status};
use serde_json::{Value, json};

use super::kinds::Form;
use super::live::Live;

/// Most entries that a list may have (`maxItems` of the definitions).
const MOST: [(&str, usize); 2] = [("parents", 32), ("ancestors", 16)];

/// Types of condition that are ours wherever we write conditions; all others are someone else's.
const OURS: [&str; 11] = [
    "Accepted",
    "AddressesAssigned",
    "Attached",
    "Conflicted",
    "InsecureFrontendValidationMode",
    "OverlappingTLSConfig",
    "PartiallyInvalid",
    "Programmed",
    "ResolvedRefs",
    "SupportedVersion",
    "AttachedListenerSets",
];

/// A write of a status.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Write {
    pub(crate) form: Form,
    /// The whole status; for [`Form::Applied`] only our part of it.
    pub(crate) status: Value,
    /// What people see before and after it.
    pub(crate) before: Value,
    pub(crate) outcome: Value,
}

/// What to write so that `live` shows `wanted`; `None` for nothing.
pub(crate) fn plan(
    form: Form,
    live: &Live,
    wanted: Option<&Status>,
    controller_name: &str,
    now: &str,
) -> Option<Write> {
    let before = live.status();
    match form {
        Form::Applied => applied(&before, wanted?, controller_name, now),
        Form::Replaced => replaced(&before, wanted, controller_name, now),
    }
}

fn applied(before: &Value, wanted: &Status, controller_name: &str, now: &str) -> Option<Write> {
    let ours = serde_json::to_value(wanted).unwrap_or_default();
    let outcome = merge_status(&without_stale(before, &ours), wanted, controller_name, now);
    if is_same(&outcome, before) {
        return None;
    }
    let (status, before) = (part(&outcome, &ours), before.clone());
    Some(Write { form: Form::Applied, status, before, outcome })
}

fn replaced(before: &Value, wanted: Option<&Status>, controller_name: &str, now: &str) -> Option<Write> {
    let none = if has_ours(&before["parents"], controller_name) {
        Some(Status::Route(RouteStatus::default()))
    } else if has_ours(&before["ancestors"], controller_name) {
        Some(Status::Policy(PolicyStatus::default()))
    } else {
        None
    };
    let wanted = wanted.or(none.as_ref())?;
    let ours = serde_json::to_value(wanted).unwrap_or_default();
    let mut outcome = merge_status(&without_stale(before, &ours), wanted, controller_name, now);
    for (list, most) in MOST {
        if let Some(Value::Array(entries)) = outcome.get_mut(list) {
            // Ours come last.
            entries.truncate(most);
        }
    }
    if is_same(&outcome, before) {
        return None;
    }
    Some(Write { form: Form::Replaced, status: outcome.clone(), before: before.clone(), outcome })
}

/// What the server holds, without conditions that were ours and that we have nothing to say about any more.
fn without_stale(before: &Value, ours: &Value) -> Value {
    let mut kept = before.clone();
    for list in ["listeners", "parents", "ancestors"] {
        for entry in kept.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let ours = ours[list].as_array().into_iter().flatten();
            if let Some(own) = ours.into_iter().find(|own| is_entry(own, entry)) {
                drop_stale(entry, own);
            }
        }
    }
    drop_stale(&mut kept, ours);
    kept
}

fn is_entry(own: &Value, entry: &Value) -> bool {
    ["name", "parentRef", "ancestorRef", "controllerName"].iter().all(|key| own[*key] == entry[*key])
}

fn drop_stale(holder: &mut Value, ours: &Value) {
    let Some(Value::Array(conditions)) = holder.get_mut("conditions") else { return };
    let wanted =
        |kind: &Value| ours["conditions"].as_array().into_iter().flatten().any(|c| c["type"] == *kind);
    let is_ours = |kind: &Value| OURS.iter().any(|ours| kind == ours);
    conditions.retain(|condition| !is_ours(&condition["type"]) || wanted(&condition["type"]));
}

fn has_ours(entries: &Value, controller_name: &str) -> bool {
    let mut entries = entries.as_array().into_iter().flatten();
    entries.any(|entry| entry["controllerName"] == controller_name)
}

/// Whether two statuses say the same, in whatever order.
fn is_same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let mut keys = ours.keys().chain(theirs.keys());
            keys.all(|key| is_same(get(ours, key), get(theirs, key)))
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|one| theirs.iter().any(|other| is_same(one, other)))
        }
        (Value::Array(list), Value::Null) | (Value::Null, Value::Array(list)) => list.is_empty(),
        (ours, theirs) => ours == theirs,
    }
}

fn get<'v>(fields: &'v serde_json::Map<String, Value>, key: &str) -> &'v Value {
    fields.get(key).unwrap_or(&Value::Null)
}

/// Of `whole` what `ours` has: fields, conditions by type, listeners by name.
fn part(whole: &Value, ours: &Value) -> Value {
    let (Value::Object(_), Value::Object(fields)) = (whole, ours) else { return whole.clone() };
    let parts = fields.iter().map(|(field, ours)| {
        let whole = &whole[field];
        let part = match field.as_str() {
            "conditions" => entries(whole, ours, "type"),
            "listeners" => entries(whole, ours, "name"),
            _ => whole.clone(),
        };
        (field.clone(), part)
    });
    Value::Object(parts.collect())
}

fn entries(whole: &Value, ours: &Value, key: &str) -> Value {
    let whole = whole.as_array().into_iter().flatten();
    let ours = ours.as_array().map_or(&[][..], Vec::as_slice);
    let kept = whole.filter_map(|entry| {
        let own = ours.iter().find(|own| own[key] == entry[key])?;
        Some(with_time(part(entry, own), entry))
    });
    kept.collect()
}

/// A condition of ours has no time; the merged one has.
fn with_time(mut part: Value, entry: &Value) -> Value {
    if let Some(time) = entry.get("lastTransitionTime") {
        part["lastTransitionTime"] = time.clone();
    }
    part
}

/// The body of the request.
pub(crate) fn body(write: &Write, live: &Live, namespace: &str, name: &str) -> Value {
    let mut metadata = json!({"name": name});
    if !namespace.is_empty() {
        metadata["namespace"] = namespace.into();
    }
    match write.form {
        // Against an object of the same name that came in its place.
        Form::Applied => metadata["uid"] = (*live.uid).into(),
        Form::Replaced => metadata["resourceVersion"] = (*live.resource_version).into(),
    }
    json!({
        "apiVersion": live.resource.api_version, "kind": live.resource.kind,
        "metadata": metadata, "status": write.status,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ferrule_translate::KINDS;
    use ferrule_translate::api::gateway::{GatewayStatus, ListenerStatus};
    use ferrule_translate::api::meta::Condition;
    use ferrule_translate::api::route::{ParentReference, RouteParentStatus};

    use super::super::discovery;
    use super::super::item::Item;
    use super::*;

    const US: &str = "ferrule.dev/gateway-controller";

    fn live(status: Value) -> Live {
        let item = Item::new(json!({"metadata": {"name": "n", "uid": "u", "resourceVersion": "7"}})).unwrap();
        Live::new(Arc::new(discovery::resource(&KINDS[1], "v1")), &item, Some(&status))
    }

    fn condition(kind: &str, status: &str) -> Condition {
        Condition {
            kind: kind.into(),
            status: status.into(),
            reason: "R".into(),
            message: String::new(),
            observed_generation: 1,
            last_transition_time: None,
        }
    }

    fn gateway(listeners: &[&str]) -> Status {
        let listener = |name: &&str| ListenerStatus {
            name: (*name).into(),
            conditions: vec![condition("Accepted", "True"), condition("Programmed", "True")],
            ..ListenerStatus::default()
        };
        Status::Gateway(GatewayStatus {
            conditions: vec![condition("Accepted", "True"), condition("Programmed", "True")],
            listeners: listeners.iter().map(listener).collect(),
            ..GatewayStatus::default()
        })
    }

    fn route(parents: &[&str]) -> Status {
        let parent = |name: &&str| RouteParentStatus {
            parent_ref: serde_json::from_value::<ParentReference>(json!({"name": name})).unwrap(),
            controller_name: US.into(),
            conditions: vec![condition("Accepted", "True")],
        };
        Status::Route(RouteStatus { parents: parents.iter().map(parent).collect() })
    }

    #[test]
    fn an_applied_status_holds_only_what_is_ours() {
        let foreign = json!({"type": "Foreign", "status": "True"});
        let before = live(json!({
            "conditions": [foreign, {"type": "Accepted", "status": "True", "lastTransitionTime": "then"}],
            "listeners": [{"name": "a", "conditions": [foreign]}],
        }));
        let write = plan(Form::Applied, &before, Some(&gateway(&["a"])), US, "now").unwrap();
        let kinds = |list: &Value| -> Vec<String> {
            list.as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(kinds(&write.status["conditions"]), ["Accepted", "Programmed"]);
        assert_eq!(kinds(&write.status["listeners"][0]["conditions"]), ["Accepted", "Programmed"]);
        assert_eq!(write.status["conditions"][0]["lastTransitionTime"], "then");
        assert_eq!(write.status["conditions"][1]["lastTransitionTime"], "now");
    }

    #[test]
    fn what_the_server_holds_already_is_not_written_in_whatever_order() {
        let wanted = gateway(&["a", "b"]);
        let mut after = plan(Form::Applied, &live(json!({})), Some(&wanted), US, "now").unwrap().outcome;
        after["listeners"].as_array_mut().unwrap().reverse();
        after["conditions"].as_array_mut().unwrap().reverse();
        assert_eq!(plan(Form::Applied, &live(after.clone()), Some(&wanted), US, "later"), None);
        after["conditions"][0]["status"] = "False".into();
        assert!(plan(Form::Applied, &live(after), Some(&wanted), US, "later").is_some());
    }

    #[test]
    fn a_listener_that_is_gone_is_taken_back() {
        let both = plan(Form::Applied, &live(json!({})), Some(&gateway(&["a", "b"])), US, "now").unwrap();
        let write = plan(Form::Applied, &live(both.outcome), Some(&gateway(&["b"])), US, "later").unwrap();
        assert_eq!(write.status["listeners"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_condition_that_we_no_longer_speak_of_goes_and_others_stay() {
        let mut held =
            plan(Form::Applied, &live(json!({})), Some(&gateway(&["a"])), US, "now").unwrap().outcome;
        let conditions = held["listeners"][0]["conditions"].as_array_mut().unwrap();
        conditions.push(json!({"type": "OverlappingTLSConfig", "status": "True"}));
        conditions.push(json!({"type": "Foreign", "status": "True"}));
        let write = plan(Form::Applied, &live(held), Some(&gateway(&["a"])), US, "later").unwrap();
        assert_eq!(write.status["listeners"][0]["conditions"].as_array().unwrap().len(), 2);
        assert_eq!(write.outcome["listeners"][0]["conditions"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn entries_of_others_survive_and_ours_go_with_our_last_parent() {
        let foreign = json!({"parentRef": {"name": "x"}, "controllerName": "other", "conditions": []});
        let before = live(json!({"parents": [foreign]}));
        let write = plan(Form::Replaced, &before, Some(&route(&["g"])), US, "now").unwrap();
        let mut parents = write.status["parents"].as_array().unwrap().clone();
        assert_eq!((parents.len(), &parents[0]), (2, &foreign));
        parents.reverse();
        let turned = live(json!({"parents": parents}));
        assert_eq!(plan(Form::Replaced, &turned, Some(&route(&["g"])), US, "later"), None);
        let write = plan(Form::Replaced, &turned, None, US, "later").unwrap();
        assert_eq!(write.status["parents"], json!([foreign]));
        assert_eq!(plan(Form::Replaced, &live(write.status), None, US, "later"), None);
    }

    #[test]
    fn a_full_list_of_others_is_left_to_them() {
        let foreign = |n: usize| json!({"parentRef": {"name": n.to_string()}, "controllerName": "other"});
        let full = live(json!({"parents": (0..32).map(foreign).collect::<Vec<_>>()}));
        assert_eq!(plan(Form::Replaced, &full, Some(&route(&["g"])), US, "now"), None);
    }

    #[test]
    fn a_replaced_status_names_the_version_that_it_was_made_from() {
        let before = live(json!({}));
        let write = plan(Form::Replaced, &before, Some(&route(&["g"])), US, "now").unwrap();
        let body = body(&write, &before, "d", "r");
        assert_eq!(body["metadata"]["resourceVersion"], "7");
        assert_eq!(body["apiVersion"], before.resource.api_version.as_str());
    }
}
