//! From which namespaces routes may attach to a listener, and ListenerSets to a Gateway.

use std::collections::BTreeMap;

use super::ListenerPlan;
use crate::api::gateway::RouteNamespaces;
use crate::api::meta::ObjectMeta;
use crate::kinds::World;
use crate::object::Key;

/// Whether a listener lets routes of `namespace` attach.
pub(crate) fn allows_route(world: &World, listener: &ListenerPlan, namespace: &str) -> bool {
    let allowed = listener.spec().allowed_routes.as_ref();
    let namespaces = allowed.and_then(|allowed| allowed.namespaces.as_ref());
    allows(world, namespaces, "Same", &listener.owner.namespace, namespace)
}

/// Whether `namespaces`, which says `default` if it does not say from where, takes in `namespace`. `home` is that of
/// who says so.
pub(super) fn allows(
    world: &World,
    namespaces: Option<&RouteNamespaces>,
    default: &str,
    home: &str,
    namespace: &str,
) -> bool {
    match namespaces.and_then(|namespaces| namespaces.from.as_deref()).unwrap_or(default) {
        "All" => true,
        "Same" => namespace == home,
        "Selector" => {
            let key: Key = ("".into(), namespace.into());
            let metadata = world.namespaces.get(&key).map(|namespace| namespace.metadata.clone());
            let labels = labels_of(namespace, metadata);
            namespaces.and_then(|namespaces| namespaces.selector.as_ref()).is_some_and(|s| s.selects(&labels))
        }
        _ => false,
    }
}

/// The API server labels every namespace with its name; in a folder no one does.
fn labels_of(namespace: &str, metadata: Option<ObjectMeta>) -> BTreeMap<String, String> {
    let mut labels = metadata.map(|metadata| metadata.labels).unwrap_or_default();
    labels.entry("kubernetes.io/metadata.name".to_owned()).or_insert_with(|| namespace.to_owned());
    labels
}
