//! Translations -> what the xDS server has for each gateway's proxies.
//!
//! Invariants: a gateway whose resources did not change is not published again; kinds that did not change are shared
//! with the snapshot before.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferrule_translate::{ResourceKind, Resources, Translation};
use ferrule_xds::{Kind, Resource, Server, Snapshot};

/// Publishes one translation after the other.
pub(crate) struct Publisher {
    server: Server,
    published: BTreeMap<String, (Snapshot, u64)>,
}

impl Publisher {
    pub(crate) fn new(server: Server) -> Self {
        Self { server, published: BTreeMap::new() }
    }

    /// Publishes what changed. Returns the generation of each gateway's snapshot; gateways are named `namespace/name`.
    pub(crate) fn publish(&mut self, translation: &Translation) -> BTreeMap<Arc<str>, u64> {
        let mut before = std::mem::take(&mut self.published);
        for ((namespace, name), resources) in &translation.gateways {
            let gateway = format!("{namespace}/{name}");
            let known = before.remove(&gateway);
            let (old, generation) = known.unzip();
            let fresh = snapshot(resources, old.as_ref());
            let generation = match generation.filter(|_| fresh.is_none()) {
                Some(generation) => generation,
                None => self.server.publish(&gateway, fresh.clone().or(old.clone()).unwrap_or_default()),
            };
            self.published.insert(gateway, (fresh.or(old).unwrap_or_default(), generation));
        }
        for gateway in before.into_keys() {
            // Whoever still serves a gateway that is gone is to stop.
            self.server.publish(&gateway, Snapshot::default());
        }
        self.published
            .iter()
            .map(|(gateway, (_, generation))| (gateway.as_str().into(), *generation))
            .collect()
    }
}

impl Publisher {
    /// Puts endpoints in the place of those of their names, for every gateway that has such.
    pub(crate) fn replace_endpoints(&mut self, endpoints: &[ferrule_translate::Resource]) {
        for (gateway, (snapshot, generation)) in &mut self.published {
            let known: Vec<_> =
                endpoints.iter().filter(|one| snapshot.get(Kind::Endpoints, &one.name).is_some()).collect();
            if !known.is_empty() {
                known.into_iter().for_each(|one| snapshot.insert(Kind::Endpoints, encoded(one)));
                *generation = self.server.publish(gateway, snapshot.clone());
            }
        }
    }
}

fn encoded(resource: &ferrule_translate::Resource) -> Resource {
    let ferrule_translate::Resource { name, version, body } = resource;
    Resource { name: name.clone(), version: *version, body: body.clone() }
}

/// The snapshot of these resources; `None` if it is the old one.
fn snapshot(resources: &Resources, old: Option<&Snapshot>) -> Option<Snapshot> {
    let mut fresh = old.cloned().unwrap_or_default();
    let mut changed = old.is_none();
    for (ours, theirs) in KINDS {
        let held = fresh.resources(theirs).map(|resource| (&resource.name, resource.version));
        if resources.of(ours).map(|resource| (&resource.name, resource.version)).eq(held) {
            continue;
        }
        fresh = fresh.with(theirs, resources.of(ours).map(encoded));
        changed = true;
    }
    changed.then_some(fresh)
}

const KINDS: [(ResourceKind, Kind); 7] = [
    (ResourceKind::Cluster, Kind::Cluster),
    (ResourceKind::Endpoints, Kind::Endpoints),
    (ResourceKind::Secret, Kind::Secret),
    (ResourceKind::ExtensionConfig, Kind::ExtensionConfig),
    (ResourceKind::Listener, Kind::Listener),
    (ResourceKind::ScopedRoutes, Kind::ScopedRoutes),
    (ResourceKind::Routes, Kind::Routes),
];

/// The translator's name for a kind of the server.
pub(crate) fn translated_kind(kind: Kind) -> Option<ResourceKind> {
    KINDS.into_iter().find(|(_, theirs)| *theirs == kind).map(|(ours, _)| ours)
}

#[cfg(test)]
mod tests {
    use ferrule_xds::Options;

    use super::*;

    fn translation(gateway: &str, clusters: &[(&str, &'static [u8])]) -> Translation {
        let mut resources = Resources::default();
        for (name, body) in clusters {
            let resource = ferrule_translate::Resource::of_bytes((*name).into(), (*body).into());
            resources.insert(ResourceKind::Cluster, resource);
        }
        let mut translation = Translation::default();
        translation.gateways.insert(("d".into(), gateway.into()), resources);
        translation
    }

    #[test]
    fn only_changes_are_published() {
        let (server, _events) = Server::new(Options::default());
        let mut publisher = Publisher::new(server.clone());
        let first = publisher.publish(&translation("g", &[("a", b"1")]));
        assert_eq!(publisher.publish(&translation("g", &[("a", b"1")])), first);
        let second = publisher.publish(&translation("g", &[("a", b"2")]));
        assert!(second["d/g"] > first["d/g"]);
        assert_eq!(server.snapshot("d/g").unwrap().get(Kind::Cluster, "a").unwrap().body, &b"2"[..]);
    }

    #[test]
    fn endpoints_are_replaced_where_a_gateway_has_them() {
        let (server, _events) = Server::new(Options::default());
        let mut publisher = Publisher::new(server.clone());
        let endpoints = |body: &'static [u8]| ferrule_translate::Resource::of_bytes("a".into(), body.into());
        let mut both = translation("g", &[("a", b"1")]);
        both.gateways
            .entry(("d".into(), "g".into()))
            .or_default()
            .insert(ResourceKind::Endpoints, endpoints(b"1"));
        both.gateways.extend(translation("h", &[("a", b"1")]).gateways);
        let before = publisher.publish(&both);
        publisher.replace_endpoints(&[endpoints(b"2")]);
        let shown = |gateway: &str| server.snapshot(gateway).unwrap().get(Kind::Endpoints, "a").cloned();
        assert_eq!(shown("d/g").unwrap().body, &b"2"[..]);
        assert!(shown("d/h").is_none());
        let mut after = both.clone();
        after
            .gateways
            .entry(("d".into(), "g".into()))
            .or_default()
            .insert(ResourceKind::Endpoints, endpoints(b"2"));
        let published = publisher.publish(&after);
        assert!(published["d/g"] > before["d/g"], "the generation of the endpoints");
        assert_eq!(published["d/h"], before["d/h"]);
    }

    #[test]
    fn a_gateway_that_is_gone_leaves_its_proxies_nothing() {
        let (server, _events) = Server::new(Options::default());
        let mut publisher = Publisher::new(server.clone());
        publisher.publish(&translation("g", &[("a", b"1")]));
        assert!(publisher.publish(&translation("h", &[])).contains_key("d/h"));
        assert_eq!(server.snapshot("d/g").unwrap().count(Kind::Cluster), 0);
    }
}
