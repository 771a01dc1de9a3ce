//! What the controller may do in a cluster, from what it does: `controller/deploy/base/rbac.yaml`.

use std::collections::BTreeMap;

use ferrule_translate::KINDS;
use serde_json::{Value, json};

use super::kinds::{self, Reading};
use super::{authority, leader};

const NAME: &str = "ferrule";
const NAMESPACE: &str = "ferrule-system";

/// Verbs by group and resource.
type Rights = BTreeMap<(String, String), Vec<&'static str>>;

/// A watch begins with a list where the API server does not stream one.
const READ: [&str; 2] = ["list", "watch"];

fn cluster_rights() -> Rights {
    let mut rights = Rights::new();
    for kind in KINDS {
        grant(&mut rights, kind.group, kind.plural, &READ);
        if kinds::form(kind).is_some() {
            grant(&mut rights, kind.group, &format!("{}/status", kind.plural), &["patch"]);
        }
        if kinds::reading(kind) == Reading::ByName && kind.name == "Secret" {
            // Credentials of proxies.
            grant(&mut rights, kind.group, kind.plural, &["create", "get", "patch"]);
        }
    }
    for (version, _, plural) in ferrule_provision::KINDS {
        let group = version.split_once('/').map_or("", |(group, _)| group);
        grant(&mut rights, group, plural, &READ);
        grant(&mut rights, group, plural, &["create", "delete", "get", "patch"]);
    }
    grant(&mut rights, "apiextensions.k8s.io", "customresourcedefinitions", &["list", "watch"]);
    grant(&mut rights, "events.k8s.io", "events", &["create"]);
    rights
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
        json!({
            "apiGroups": [""], "resources": ["secrets"], "resourceNames": [authority::SECRET],
            "verbs": ["update"],
        }),
    ]
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
    let labels = json!({"app.kubernetes.io/name": NAME});
    let metadata = json!({"name": NAME, "labels": labels});
    let own = json!({"name": NAME, "namespace": NAMESPACE, "labels": labels});
    let group = "rbac.authorization.k8s.io";
    let api_version = format!("{group}/v1");
    let subjects = json!([{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}]);
    let role = |kind: &str| json!({"apiGroup": group, "kind": kind, "name": NAME});
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": own}),
        json!({
            "apiVersion": api_version, "kind": "ClusterRole", "metadata": metadata,
            "rules": rules(cluster_rights()),
        }),
        json!({
            "apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": role("ClusterRole"), "subjects": subjects,
        }),
        json!({"apiVersion": api_version, "kind": "Role", "metadata": own, "rules": own_rights()}),
        json!({
            "apiVersion": api_version, "kind": "RoleBinding", "metadata": own,
            "roleRef": role("Role"), "subjects": subjects,
        }),
    ]
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
    for ((group, resource), verbs) in cluster_rights() {
        if (group.as_str(), resource.as_str()) == ("", "secrets") {
            assert_eq!(verbs, ["create", "get", "list", "patch", "watch"]);
        }
        if resource.ends_with("/status") {
            assert_eq!(verbs, ["patch"]);
        }
        assert!(!verbs.contains(&"*") && !verbs.contains(&"deletecollection"), "{resource}");
    }
}
