//! Strategic merge patches, as `kubectl patch` has them: maps are merged, null takes away, and lists whose elements have
//! a name are merged by it.
//!
//! Directives: `$patch: replace`, `delete` or `merge`, `$retainKeys`, `$deleteFromPrimitiveList/FIELD` and
//! `$setElementOrder/FIELD`; any other is refused.

use ferrule_translate::api::gateway_parameters::KubernetesResourceOverlay;
use serde_json::{Map, Value, json};

use crate::metadata::{GATEWAY_CLASS_LABEL, GATEWAY_LABEL, MANAGED_BY_LABEL};

/// What is wrong with an overlay: path below it, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) path: String,
    pub(crate) detail: String,
}

/// Lists that are merged by a key (`patchMergeKey` of Kubernetes' types): field of the list, and the key.
///
/// The names are told apart well enough: no two lists of these kinds share one but with the same key, save `ports`.
const MERGE_KEYS: [(&str, &str); 11] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("volumes", "name"),
    ("env", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("resourceClaims", "name"),
    ("schedulingGates", "name"),
];

/// Lists of texts that are merged as sets (`patchStrategy: merge` without a key).
const SETS: [&str; 1] = ["finalizers"];

/// Labels that the controller finds its objects by.
const OWN_LABELS: [&str; 3] = [GATEWAY_LABEL, GATEWAY_CLASS_LABEL, MANAGED_BY_LABEL];

/// Applies an overlay to an object.
pub(crate) fn apply(object: &mut Value, overlay: &KubernetesResourceOverlay) -> Result<(), Fault> {
    if let Some(metadata) = &overlay.metadata {
        if let Some(label) = OWN_LABELS.iter().find(|label| metadata.labels.contains_key(**label)) {
            return fault(&format!(".metadata.labels.{label}"), "is the controller's");
        }
        put(object, "labels", metadata.labels.iter());
        put(object, "annotations", metadata.annotations.iter());
    }
    let Some(patch) = overlay.spec.as_ref().filter(|patch| !patch.is_null()) else { return Ok(()) };
    let Value::Object(patch) = patch else { return fault(".spec", "is no object") };
    if object.get("spec").is_none() {
        let detail = format!("a {} has no spec", object["kind"].as_str().unwrap_or_default());
        return fault(".spec", &detail);
    }
    if patch.contains_key("$patch") {
        return fault(".spec", "the spec as a whole can be neither replaced nor deleted");
    }
    let selector = object["spec"]["selector"].clone();
    patch_value(&mut object["spec"], &Value::Object(patch.clone()), ".spec")?;
    check(object, &selector)
}

/// The pods must stay those that the objects of this Gateway select.
fn check(object: &Value, selector: &Value) -> Result<(), Fault> {
    if object["spec"]["selector"] != *selector && object["kind"] != "Service" {
        return fault(".spec.selector", "cannot be changed");
    }
    let Some(labels) = selector["matchLabels"].as_object() else { return Ok(()) };
    let template = &object["spec"]["template"];
    let kept = template.is_null()
        || labels.iter().all(|(name, value)| template["metadata"]["labels"][name] == *value);
    if kept { Ok(()) } else { fault(".spec.template.metadata.labels", "must keep those of the selector") }
}

fn put<'a>(object: &mut Value, field: &str, texts: impl Iterator<Item = (&'a String, &'a Option<String>)>) {
    for (key, text) in texts {
        if !object["metadata"][field].is_object() {
            object["metadata"][field] = json!({});
        }
        let Some(all) = object["metadata"][field].as_object_mut() else { return };
        match text {
            Some(text) => drop(all.insert(key.clone(), text.as_str().into())),
            None => drop(all.shift_remove(key)),
        }
    }
}

fn fault<T>(path: &str, detail: &str) -> Result<T, Fault> {
    Err(Fault { path: path.to_owned(), detail: detail.to_owned() })
}

fn patch_value(value: &mut Value, patch: &Value, path: &str) -> Result<(), Fault> {
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return Ok(());
    };
    let fresh = !value.is_object() || patch.get("$patch").and_then(Value::as_str) == Some("replace");
    if fresh {
        *value = json!({});
    }
    let Some(fields) = value.as_object_mut() else { return Ok(()) };
    match patch.get("$patch").map(Value::as_str) {
        None | Some(Some("merge" | "replace")) => patch_fields(fields, patch, path),
        _ => fault(&format!("{path}.$patch"), "is none of replace, delete, merge"),
    }
}

fn patch_fields(
    fields: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    path: &str,
) -> Result<(), Fault> {
    if let Some(retained) = patch.get("$retainKeys").and_then(Value::as_array) {
        fields.retain(|key, _| retained.iter().any(|kept| kept == key));
    }
    for (key, change) in patch {
        let at = format!("{path}.{key}");
        if let Some(directive) = key.strip_prefix('$') {
            directed(fields, directive, change, &at)?;
        } else if change.is_null() || change["$patch"] == "delete" {
            fields.shift_remove(key);
        } else {
            let value = fields.entry(key.clone()).or_insert(Value::Null);
            patch_field(key, value, change, &at)?;
        }
    }
    Ok(())
}

fn directed(fields: &mut Map<String, Value>, directive: &str, change: &Value, at: &str) -> Result<(), Fault> {
    match directive.split_once('/') {
        None if ["patch", "retainKeys"].contains(&directive) => Ok(()),
        // Says in which order elements stand, which none of these lists depends on.
        Some(("setElementOrder", _)) => Ok(()),
        Some(("deleteFromPrimitiveList", field)) => {
            let gone = change.as_array().map_or(&[][..], Vec::as_slice);
            if let Some(list) = fields.get_mut(field).and_then(Value::as_array_mut) {
                list.retain(|element| !gone.contains(element));
            }
            Ok(())
        }
        _ => fault(at, "is no directive of a strategic merge patch"),
    }
}

fn patch_field(key: &str, value: &mut Value, change: &Value, at: &str) -> Result<(), Fault> {
    let Value::Array(elements) = change else { return patch_value(value, change, at) };
    let list = match value {
        Value::Array(list) => list,
        other => {
            *other = json!([]);
            let Some(list) = other.as_array_mut() else { return Ok(()) };
            list
        }
    };
    match merge_key(key, elements) {
        Some(merge_key) => patch_list(list, elements, merge_key, at),
        None if SETS.contains(&key) => {
            let new: Vec<Value> =
                elements.iter().filter(|element| !list.contains(element)).cloned().collect();
            list.extend(new);
            Ok(())
        }
        None => {
            list.clone_from(elements);
            Ok(())
        }
    }
}

/// `ports` of a container are merged by `containerPort`, those of a Service by `port`.
fn merge_key(key: &str, elements: &[Value]) -> Option<&'static str> {
    if key == "ports" {
        let container = elements.iter().any(|element| element.get("containerPort").is_some());
        return Some(if container { "containerPort" } else { "port" });
    }
    MERGE_KEYS.iter().find(|(list, _)| *list == key).map(|(_, merge_key)| *merge_key)
}

fn patch_list(list: &mut Vec<Value>, elements: &[Value], merge_key: &str, path: &str) -> Result<(), Fault> {
    let replaces = |element: &&Value| element["$patch"] == "replace" && element.get(merge_key).is_none();
    if elements.iter().any(|element| replaces(&element)) {
        list.clear();
    }
    for (place, element) in elements.iter().enumerate().filter(|(_, element)| !replaces(element)) {
        let at = format!("{path}[{place}]");
        let Some(identity) = element.get(merge_key) else {
            return fault(&at, &format!("{merge_key} is missing"));
        };
        let found = list.iter().position(|old| old[merge_key] == *identity && same_protocol(old, element));
        match (found, element["$patch"] == "delete") {
            (Some(found), true) => drop(list.remove(found)),
            (None, true) => {}
            (Some(found), false) => patch_value(&mut list[found], element, &at)?,
            (None, false) => {
                let mut new = Value::Null;
                patch_value(&mut new, element, &at)?;
                list.push(new);
            }
        }
    }
    Ok(())
}

/// A TCP and a UDP port may share a number.
fn same_protocol(one: &Value, other: &Value) -> bool {
    other.get("protocol").is_none_or(|protocol| one["protocol"] == *protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Deployment of that pod spec after a patch of its pod spec.
    fn patched(pod: &Value, patch: &Value) -> Value {
        let mut object = json!({"kind": "Deployment", "spec": {"template": {"spec": pod}}});
        let spec = Some(json!({"template": {"spec": patch}}));
        apply(&mut object, &KubernetesResourceOverlay { metadata: None, spec }).unwrap();
        object["spec"]["template"]["spec"].take()
    }

    #[test]
    fn elements_with_a_name_are_merged_deleted_or_added() {
        let pod = json!({"containers": [{"name": "a", "image": "a:1", "tty": true}, {"name": "b"}]});
        let patch = json!({"containers": [
            {"name": "c", "image": "c:1"},
            {"name": "b", "$patch": "delete"},
            {"name": "a", "image": "a:2", "tty": null},
        ]});
        let expected = json!({"containers": [{"name": "a", "image": "a:2"}, {"name": "c", "image": "c:1"}]});
        assert_eq!(patched(&pod, &patch), expected);
    }

    #[test]
    fn lists_and_maps_can_be_replaced_as_a_whole() {
        let pod =
            json!({"containers": [{"name": "a"}], "nodeSelector": {"a": "1"}, "securityContext": {"a": 1}});
        let patch = json!({
            "containers": [{"$patch": "replace"}, {"name": "b"}],
            "nodeSelector": {"$patch": "replace", "b": "2"},
            "securityContext": {"$patch": "delete"},
        });
        assert_eq!(patched(&pod, &patch), json!({"containers": [{"name": "b"}], "nodeSelector": {"b": "2"}}));
    }

    #[test]
    fn lists_without_names_are_replaced() {
        let pod = json!({"tolerations": [{"key": "a"}]});
        assert_eq!(
            patched(&pod, &json!({"tolerations": [{"key": "b"}]})),
            json!({"tolerations": [{"key": "b"}]})
        );
    }

    #[test]
    fn directives_name_the_keys_that_stay_and_the_texts_that_go() {
        let pod = json!({"volumes": [{"name": "v", "emptyDir": {}}], "finalizers": ["a", "b"]});
        let patch = json!({
            "volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {}}],
            "$deleteFromPrimitiveList/finalizers": ["a"],
            "$setElementOrder/volumes": [{"name": "v"}],
            "finalizers": ["c", "b"],
        });
        let expected = json!({"volumes": [{"name": "v", "secret": {}}], "finalizers": ["b", "c"]});
        assert_eq!(patched(&pod, &patch), expected);
    }

    #[test]
    fn a_port_of_the_other_protocol_is_another_port() {
        let mut object = json!({"kind": "Service", "spec": {"ports": [
            {"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"},
        ]}});
        let spec = Some(json!({"ports": [{"port": 53, "protocol": "UDP", "nodePort": 30053}]}));
        apply(&mut object, &KubernetesResourceOverlay { metadata: None, spec }).unwrap();
        let expected =
            json!([{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP", "nodePort": 30053}]);
        assert_eq!(object["spec"]["ports"], expected);
    }
}
