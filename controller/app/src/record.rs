//! An object and its status as the admin interface tells it, and as `ferrule get` shows it.

use std::fmt;

use ferrule_translate::{KINDS, ObjectRef, Status};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One object's status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    /// Empty for a kind that has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The status as Kubernetes would hold it.
    pub(crate) status: Value,
}

/// A condition, and which part of the status it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition<'r> {
    /// As `listener http`, or `parent default/gateway`; empty for the object itself.
    pub(crate) of: String,
    pub(crate) kind: &'r str,
    pub(crate) status: &'r str,
    pub(crate) reason: &'r str,
    pub(crate) message: &'r str,
}

impl Record {
    /// The record of an object.
    pub(crate) fn of(object: &ObjectRef, status: &Status) -> Self {
        // A status is plain data, which always has a form in JSON.
        Self { status: serde_json::to_value(status).unwrap_or_default(), ..Self::silent(object) }
    }

    /// The record of a status, whosever it is.
    pub(crate) fn of_status(status: Value) -> Self {
        Self { status, ..Self::silent(&ObjectRef::new("", "", "", "")) }
    }

    /// The record of an object that has no status.
    pub(crate) fn silent(object: &ObjectRef) -> Self {
        let known = KINDS.iter().find(|kind| kind.group == &*object.group && kind.name == &*object.kind);
        let version = known.and_then(|kind| kind.versions.first()).unwrap_or(&"v1");
        let slash = if object.group.is_empty() { "" } else { "/" };
        let api_version = format!("{}{slash}{version}", object.group);
        Self {
            api_version,
            kind: object.kind.to_string(),
            namespace: object.namespace.to_string(),
            name: object.name.to_string(),
            status: Value::Object(serde_json::Map::new()),
        }
    }

    /// All conditions, in the order in which the status has them.
    pub(crate) fn conditions(&self) -> Vec<Condition<'_>> {
        let mut all = Vec::new();
        collect(&self.status, "", &mut all);
        for (list, of) in
            [("listeners", listener as fn(&Value) -> String), ("parents", parent), ("ancestors", ancestor)]
        {
            for part in self.status[list].as_array().into_iter().flatten() {
                collect(part, &of(part), &mut all);
            }
        }
        all
    }
}

impl Condition<'_> {
    /// Whether it tells of something that is not as it should be.
    pub(crate) fn is_bad(&self) -> bool {
        let wanted = if BAD_WHEN_TRUE.contains(&self.kind) { "False" } else { "True" };
        self.status != wanted
    }
}

/// As `Accepted=True Accepted (parent Gateway d/g)`, a bad one with its message.
impl fmt::Display for Condition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={} {}", self.kind, self.status, self.reason)?;
        if !self.of.is_empty() {
            write!(f, " ({})", self.of)?;
        }
        if self.is_bad() && !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

/// Conditions of Gateway API that tell of trouble when they are true.
const BAD_WHEN_TRUE: [&str; 3] = ["Conflicted", "OverlappingTLSConfig", "PartiallyInvalid"];

fn collect<'r>(holder: &'r Value, of: &str, all: &mut Vec<Condition<'r>>) {
    for condition in holder["conditions"].as_array().into_iter().flatten() {
        let text = |name: &str| condition[name].as_str().unwrap_or_default();
        all.push(Condition {
            of: of.to_owned(),
            kind: text("type"),
            status: text("status"),
            reason: text("reason"),
            message: text("message"),
        });
    }
}

fn listener(part: &Value) -> String {
    format!("listener {}", part["name"].as_str().unwrap_or_default())
}

fn parent(part: &Value) -> String {
    reference("parent", &part["parentRef"])
}

fn ancestor(part: &Value) -> String {
    reference("ancestor", &part["ancestorRef"])
}

fn reference(role: &str, reference: &Value) -> String {
    let text = |name: &str| reference[name].as_str();
    let kind = text("kind").unwrap_or("Gateway");
    let section = text("sectionName").map(|section| format!(" ({section})")).unwrap_or_default();
    match text("namespace") {
        Some(namespace) => format!("{role} {kind} {namespace}/{}{section}", text("name").unwrap_or_default()),
        None => format!("{role} {kind} {}{section}", text("name").unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_found_wherever_gateway_api_puts_them() {
        let condition = |kind, status| json!({"type": kind, "status": status, "reason": "R", "message": "m"});
        let record = Record {
            api_version: "g/v1".into(),
            kind: "Gateway".into(),
            namespace: "d".into(),
            name: "n".into(),
            status: json!({
                "conditions": [condition("Accepted", "True")],
                "listeners": [{"name": "http", "conditions": [condition("Conflicted", "False")]}],
                "parents": [{"parentRef": {"name": "g", "sectionName": "s"}, "conditions": [condition("Accepted", "False")]}],
                "ancestors": [{"ancestorRef": {"kind": "HTTPRoute", "namespace": "d", "name": "r"},
                    "conditions": [condition("Attached", "Unknown")]}],
            }),
        };
        let found: Vec<_> = record.conditions().iter().map(|c| (c.of.clone(), c.is_bad())).collect();
        let expected = [
            ("", false),
            ("listener http", false),
            ("parent Gateway g (s)", true),
            ("ancestor HTTPRoute d/r", true),
        ];
        assert_eq!(found, expected.map(|(of, bad)| (of.to_owned(), bad)));
    }
}
