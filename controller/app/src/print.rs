//! What proxies are sent, in protojson, for people to read.

use ferrule_xds::{Kind, Resource, Snapshot};
use serde_json::{Map, Value, json};

/// The resources of a snapshot by kind, in the order in which a proxy gets them; kinds without any are left out.
pub(crate) fn snapshot(snapshot: &Snapshot) -> Value {
    let by_kind = Kind::ALL.into_iter().filter(|kind| snapshot.count(*kind) > 0).map(|kind| {
        let resources = snapshot.resources(kind).map(|one| resource(kind, one)).collect();
        (plural(kind).to_owned(), Value::Array(resources))
    });
    Value::Object(by_kind.collect::<Map<_, _>>())
}

fn resource(kind: Kind, resource: &Resource) -> Value {
    let url = kind.type_url();
    let message = url.rsplit_once('/').map_or(url, |(_, message)| message);
    ferrule_protojson::print(message, &resource.body)
        .unwrap_or_else(|error| json!({"name": &*resource.name, "unprintable": error.to_string()}))
}

fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Secret => "secrets",
        Kind::Cluster => "clusters",
        Kind::Endpoints => "endpoints",
        Kind::ExtensionConfig => "extensionConfigs",
        Kind::Listener => "listeners",
        Kind::ScopedRoutes => "scopedRoutes",
        Kind::Routes => "routes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_printed_by_kind_and_what_cannot_be_is_told() {
        // RouteConfiguration { name: "r" }, and something that is no cluster.
        let good = (Kind::Routes, Resource::new("r", &[0x0a, 1, b'r'][..]));
        let bad = (Kind::Cluster, Resource::new("c", &[0xff][..]));
        let printed = snapshot(&[good, bad].into_iter().collect());
        assert_eq!(printed["routes"], json!([{"name": "r"}]));
        assert_eq!(printed["clusters"][0]["name"], "c");
        assert!(printed["clusters"][0]["unprintable"].is_string());
    }
}
