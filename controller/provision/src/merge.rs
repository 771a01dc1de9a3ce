//! Parameters over parameters: a GatewayClass's over the defaults, a Gateway's over those.
//!
//! What is set wins; objects are merged by field and maps by key, where an empty map clears. Lists are joined, an
//! element taking the place of one with its name; lists that are one thing as a whole are replaced.

use serde_json::{Map, Value};

/// Maps, which an empty one clears. Any other object has fields, of which an empty one sets none.
const MAPS: [&str; 7] = [
    "extraLabels",
    "extraAnnotations",
    "nodeSelector",
    "componentLogLevels",
    "limits",
    "requests",
    "matchLabels",
];

/// Lists that are one thing: joining them makes no sense.
const WHOLES: [&str; 5] =
    ["command", "extraArgs", "loadBalancerSourceRanges", "inclusionList", "exclusionList"];

/// Objects of which one field at most may be set: another one replaces it.
const CHOICES: [&[&str]; 3] =
    [&["exec", "httpGet", "tcpSocket", "grpc"], &["inclusionList", "exclusionList"], &["json", "text"]];

/// What tells elements of a list apart.
const IDENTITIES: [&str; 3] = ["mountPath", "name", "port"];

/// Merges `over` into `base`.
pub(crate) fn merge(base: &mut Value, over: &Value) {
    merge_field("", base, over);
}

fn merge_field(name: &str, base: &mut Value, over: &Value) {
    match (base, over) {
        (_, Value::Null) => {}
        (Value::Object(base), Value::Object(over)) => merge_objects(name, base, over),
        (Value::Array(base), Value::Array(over)) if !over.is_empty() && !WHOLES.contains(&name) => {
            join(base, over);
        }
        (base, over) => *base = over.clone(),
    }
}

fn merge_objects(name: &str, base: &mut Map<String, Value>, over: &Map<String, Value>) {
    if MAPS.contains(&name) && over.is_empty() {
        return base.clear();
    }
    for choice in CHOICES.iter().filter(|choice| over.keys().any(|key| choice.contains(&key.as_str()))) {
        base.retain(|key, _| !choice.contains(&key.as_str()) || over.contains_key(key));
    }
    if name == "image" {
        couple(base, over);
    }
    for (key, value) in over {
        match base.get_mut(key) {
            Some(below) => merge_field(key, below, value),
            None if value.is_null() => {}
            None => drop(base.insert(key.clone(), value.clone())),
        }
    }
}

/// A new tag makes an inherited digest wrong, and the other way round.
fn couple(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    let sets = |key: &str| over.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    for (one, other) in [("tag", "digest"), ("digest", "tag")] {
        if sets(one) && !sets(other) {
            base.remove(other);
        }
    }
}

fn join(base: &mut Vec<Value>, over: &[Value]) {
    for element in over {
        let same = |old: &Value| match identity(element) {
            Some(mine) => identity(old) == Some(mine),
            None => old == element,
        };
        match base.iter().position(same) {
            Some(place) => base[place] = element.clone(),
            None => base.push(element.clone()),
        }
    }
}

fn identity(element: &Value) -> Option<(&str, &Value)> {
    IDENTITIES.iter().find_map(|key| element.get(key).map(|value| (*key, value)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(base: Value, over: &Value) -> Value {
        let mut merged = base;
        merge(&mut merged, over);
        merged
    }

    #[test]
    fn a_tag_replaces_an_inherited_digest_and_the_other_way_round() {
        let base = json!({"image": {"repository": "r", "tag": "1", "digest": "d"}});
        let image = |over: Value| merged(base.clone(), &json!({"image": over}))["image"].clone();
        assert_eq!(image(json!({"tag": "2"})), json!({"repository": "r", "tag": "2"}));
        assert_eq!(image(json!({"digest": "e"})), json!({"repository": "r", "digest": "e"}));
        assert_eq!(image(json!({"tag": ""})), json!({"repository": "r", "tag": "", "digest": "d"}));
        assert_eq!(
            image(json!({"tag": "2", "digest": "e"})),
            json!({"repository": "r", "tag": "2", "digest": "e"})
        );
    }

    #[test]
    fn lists_are_joined_and_names_are_kept_apart() {
        let base = json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]});
        let over = json!({"env": [{"name": "B", "value": "2"}, {"name": "C", "value": "2"}]});
        let env =
            json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "C", "value": "2"}]);
        assert_eq!(merged(base.clone(), &over)["env"], env);
        assert_eq!(merged(base, &json!({"env": []}))["env"], json!([]));
    }

    #[test]
    fn an_empty_map_clears_and_an_empty_object_changes_nothing() {
        let base = json!({"podTemplate": {"nodeSelector": {"a": "b"}}});
        assert_eq!(merged(base.clone(), &json!({"podTemplate": {}})), base);
        let cleared = merged(base, &json!({"podTemplate": {"nodeSelector": {}}}));
        assert_eq!(cleared, json!({"podTemplate": {"nodeSelector": {}}}));
    }

    #[test]
    fn another_kind_of_probe_replaces_the_one_before() {
        let base = json!({"readinessProbe": {"httpGet": {"path": "/ready"}, "periodSeconds": 5}});
        let over = json!({"readinessProbe": {"exec": {"command": ["true"]}}});
        let probe = json!({"periodSeconds": 5, "exec": {"command": ["true"]}});
        assert_eq!(merged(base, &over)["readinessProbe"], probe);
    }
}
