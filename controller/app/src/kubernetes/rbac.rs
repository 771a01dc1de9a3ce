//! What the controller may do in a cluster, from what it does: `controller/deploy/base/rbac.yaml`.

use std::collections::BTreeMap;

use ferrule_translate::{KINDS, Kind};
use serde_json::{Value, json};

use super::kinds;
use super::{authority, leader};

const NAME: &str = "ferrule";
const NAMESPACE: &str = "ferrule-system";

/// Verbs by group and resource.
type Rights = BTreeMap<(String, String), Vec<&'static str>>;

/// The role for kinds that have namespaces: bound in all of them, or in some.
const IN_NAMESPACES: &str = "ferrule-namespaces";

/// A watch begins with a list where the API server does not stream one.
const READ: [&str; 2] = ["list", "watch"];

/// What is done with kinds of the cluster.
fn cluster_rights() -> Rights {
    let mut rights = Rights::new();
    KINDS.iter().filter(|kind| !kind.namespaced).for_each(|kind| grant_reading(&mut rights, kind));
    grant(&mut rights, "apiextensions.k8s.io", "customresourcedefinitions", &READ);
    rights
}

/// What is done in each namespace that is served.
fn namespace_rights() -> Rights {
    let mut rights = Rights::new();
    KINDS.iter().filter(|kind| kind.namespaced).for_each(|kind| grant_reading(&mut rights, kind));
    // Credentials of proxies.
    grant(&mut rights, "", "secrets", &["create", "get", "patch"]);
    for (version, _, plural) in ferrule_provision::KINDS {
        let group = version.split_once('/').map_or("", |(group, _)| group);
        grant(&mut rights, group, plural, &READ);
        grant(&mut rights, group, plural, &["create", "delete", "get", "patch"]);
    }
    grant(&mut rights, EVENTS.0, EVENTS.1, &EVENTS.2);
    rights
}

const EVENTS: (&str, &str, [&str; 2]) = ("events.k8s.io", "events", ["create", "patch"]);

/// A kind is read, and its status written where that is ours.
fn grant_reading(rights: &mut Rights, kind: &Kind) {
    grant(rights, kind.group, kind.plural, &READ);
    if kinds::form(kind).is_some() {
        grant(rights, kind.group, &format!("{}/status", kind.plural), &["patch"]);
    }
}

fn own_rights() -> Vec<Value> {
    vec![
        // Replicas have names of their own.
        json!({
            "apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
            "verbs": ["create", "delete", "list", "patch", "watch"],
        }),
        json!({
            "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [leader::LEASE],
            "verbs": ["get", "update"],
        }),
        json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}),
        json!({
            "apiGroups": [""], "resources": ["secrets"], "resourceNames": [authority::SECRET],
            "verbs": ["list", "update", "watch"],
        }),
    ]
}

/// Events on objects without a namespace are in this one.
fn default_rights() -> Vec<Value> {
    let (group, resource, verbs) = EVENTS;
    vec![json!({"apiGroups": [group], "resources": [resource], "verbs": verbs})]
}

fn grant(rights: &mut Rights, group: &str, resource: &str, verbs: &[&'static str]) {
    let granted = rights.entry((group.to_owned(), resource.to_owned())).or_default();
    granted.extend(verbs);
    granted.sort_unstable();
    granted.dedup();
}

/// A rule for each set of verbs of a group.
fn rules(rights: Rights) -> Vec<Value> {
    let mut rules: BTreeMap<(String, Vec<&str>), Vec<String>> = BTreeMap::new();
    for ((group, resource), verbs) in rights {
        rules.entry((group, verbs)).or_default().push(resource);
    }
    let rule = |((group, verbs), resources): ((String, Vec<&str>), Vec<String>)| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    rules.into_iter().map(rule).collect()
}

fn manifests() -> Vec<Value> {
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(NAME, Some(NAMESPACE))});
    let roles = [
        granted(NAME, None, rules(cluster_rights())),
        granted(IN_NAMESPACES, None, rules(namespace_rights())),
        granted(NAME, Some(NAMESPACE), own_rights()),
        granted(NAME, Some("default"), default_rights()),
    ];
    std::iter::once(account).chain(roles.into_iter().flatten()).collect()
}

fn metadata(name: &str, namespace: Option<&str>) -> Value {
    let labels = json!({"app.kubernetes.io/name": NAME});
    match namespace {
        Some(namespace) => json!({"name": name, "namespace": namespace, "labels": labels}),
        None => json!({"name": name, "labels": labels}),
    }
}

/// A role of a namespace or of the cluster, and the account that has it there.
fn granted(name: &str, namespace: Option<&str>, rules: Vec<Value>) -> [Value; 2] {
    let group = "rbac.authorization.k8s.io";
    let api_version = format!("{group}/v1");
    let prefix = if namespace.is_none() { "Cluster" } else { "" };
    let metadata = metadata(name, namespace);
    let role = format!("{prefix}Role");
    let binding = json!({
        "apiVersion": api_version, "kind": format!("{prefix}RoleBinding"), "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": role, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    });
    [json!({"apiVersion": api_version, "kind": role, "metadata": metadata, "rules": rules}), binding]
}

const GENERATED: &str = "# Generated: `just bless` writes it.\n";

fn golden(name: &str, values: &[Value]) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/base").join(name);
    let text = format!("{GENERATED}{}", crate::yaml::documents(values).unwrap());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(held == text, "{} differs; BLESS=1 rewrites it", path.display());
}

#[test]
fn the_role_is_what_the_code_needs() {
    golden("rbac.yaml", &manifests());
}

#[test]
fn secrets_are_never_removed_and_status_is_never_replaced_whole() {
    for ((group, resource), verbs) in cluster_rights().into_iter().chain(namespace_rights()) {
        if (group.as_str(), resource.as_str()) == ("", "secrets") {
            assert_eq!(verbs, ["create", "get", "list", "patch", "watch"]);
        }
        if resource.ends_with("/status") {
            assert_eq!(verbs, ["patch"]);
        }
        assert!(!verbs.contains(&"*") && !verbs.contains(&"deletecollection"), "{resource}");
    }
}
