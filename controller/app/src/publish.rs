//! Translations -> what the xDS server has for each gateway's proxies.
//!
//! Invariants: a gateway whose resources did not change is not published again; what two translations share is not looked
//! at.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferrule_translate::{CacheHost, ResourceKind, Resources, Translation, with_orders};
use ferrule_xds::{Kind, Resource, Server, Snapshot};
use serde_json::Value;

/// Publishes one translation after the other.
pub(crate) struct Publisher {
    server: Server,
    published: BTreeMap<String, Published>,
    /// What caches are to do, where anything.
    orders: Option<Value>,
}

/// Who publishes translations shares it with who gives orders.
pub(crate) type SharedPublisher = Arc<Mutex<Publisher>>;

/// A gateway whose proxies have caches, as it was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caching {
    pub(crate) generation: u64,
    pub(crate) host: CacheHost,
}

/// What was published last for a gateway.
#[derive(Default)]
struct Published {
    /// As it was translated.
    resources: Resources,
    /// The same, and endpoints that were renewed since.
    snapshot: Snapshot,
    /// None before the first.
    generation: Option<u64>,
}

impl Published {
    /// Takes over what was translated; says whether that differs from what was published.
    fn advance(&mut self, resources: &Resources, orders: Option<&Value>) -> bool {
        let mut differs = false;
        for (ours, theirs) in KINDS {
            for difference in self.resources.differences(resources, ours) {
                match difference {
                    Ok(resource) => {
                        differs |= put(&mut self.snapshot, theirs, &ordered(ours, resource, orders));
                    }
                    Err(name) => differs |= self.snapshot.remove(theirs, name),
                }
            }
        }
        self.resources = resources.clone();
        differs
    }

    /// Puts orders in the place of earlier ones; says whether that changes anything.
    fn order(&mut self, orders: Option<&Value>) -> bool {
        let mut differs = false;
        for resource in self.resources.of(ResourceKind::ExtensionConfig) {
            let ordered = ordered(ResourceKind::ExtensionConfig, resource, orders);
            differs |= put(&mut self.snapshot, Kind::ExtensionConfig, &ordered);
        }
        differs
    }

    /// The host of the caches of the gateway's proxies, where they have any.
    fn cache_host(&self) -> Option<CacheHost> {
        let names = self.resources.of(ResourceKind::ExtensionConfig).map(|resource| &resource.name);
        names.filter_map(|name| CacheHost::of(name)).next()
    }
}

/// The resource, with orders in it where it configures a cache.
fn ordered<'a>(
    kind: ResourceKind,
    resource: &'a ferrule_translate::Resource,
    orders: Option<&Value>,
) -> Cow<'a, ferrule_translate::Resource> {
    let is_cache = kind == ResourceKind::ExtensionConfig && CacheHost::of(&resource.name).is_some();
    let ordered = orders.filter(|_| is_cache).and_then(|orders| with_orders(resource, orders));
    ordered.map_or(Cow::Borrowed(resource), Cow::Owned)
}

/// Puts a resource in, unless it is there.
fn put(snapshot: &mut Snapshot, kind: Kind, resource: &ferrule_translate::Resource) -> bool {
    let differs = snapshot.get(kind, &resource.name).is_none_or(|held| held.version != resource.version);
    if differs {
        snapshot.insert(kind, encoded(resource));
    }
    differs
}

impl Publisher {
    /// One that is shared.
    pub(crate) fn shared(server: Server) -> SharedPublisher {
        Arc::new(Mutex::new(Self::new(server)))
    }

    pub(crate) fn new(server: Server) -> Self {
        Self { server, published: BTreeMap::new(), orders: None }
    }

    /// Publishes what changed. Returns the generation of each gateway's snapshot; gateways are named `namespace/name`.
    pub(crate) fn publish(&mut self, translation: &Translation) -> BTreeMap<Arc<str>, u64> {
        let mut before = std::mem::take(&mut self.published);
        let mut generations = BTreeMap::new();
        for ((namespace, name), resources) in &translation.gateways {
            let gateway = format!("{namespace}/{name}");
            let mut published = before.remove(&gateway).unwrap_or_default();
            let differs = published.advance(resources, self.orders.as_ref());
            let generation = match published.generation.filter(|_| !differs) {
                Some(generation) => generation,
                None => self.server.publish(&gateway, published.snapshot.clone()),
            };
            published.generation = Some(generation);
            generations.insert(gateway.as_str().into(), generation);
            self.published.insert(gateway, published);
        }
        for gateway in before.into_keys() {
            // Whoever still serves a gateway that is gone is to stop.
            self.server.publish(&gateway, Snapshot::default());
        }
        generations
    }

    /// Has caches do these things, in the place of what they were to do before (`ferrule_cache::Orders`). Says which gateways have
    /// caches.
    pub(crate) fn order(&mut self, orders: Option<Value>) -> BTreeMap<Arc<str>, Caching> {
        self.orders = orders;
        let mut caching = BTreeMap::new();
        for (gateway, published) in &mut self.published {
            let Some(host) = published.cache_host() else { continue };
            if published.order(self.orders.as_ref()) || published.generation.is_none() {
                published.generation = Some(self.server.publish(gateway, published.snapshot.clone()));
            }
            let generation = published.generation.unwrap_or_default();
            caching.insert(gateway.as_str().into(), Caching { generation, host });
        }
        caching
    }

    /// Puts endpoints in the place of those of their names, for every gateway that has such.
    pub(crate) fn replace_endpoints(&mut self, endpoints: &[ferrule_translate::Resource]) {
        for (gateway, Published { snapshot, generation, .. }) in &mut self.published {
            let known =
                |one: &&ferrule_translate::Resource| snapshot.get(Kind::Endpoints, &one.name).is_some();
            let known: Vec<_> = endpoints.iter().filter(known).collect();
            if !known.is_empty() {
                for one in known {
                    put(snapshot, Kind::Endpoints, one);
                }
                *generation = Some(self.server.publish(gateway, snapshot.clone()));
            }
        }
    }
}

/// The publisher; one that a panic left behind publishes what it holds.
pub(crate) fn lock(publisher: &SharedPublisher) -> MutexGuard<'_, Publisher> {
    publisher.lock().unwrap_or_else(PoisonError::into_inner)
}

fn encoded(resource: &ferrule_translate::Resource) -> Resource {
    let ferrule_translate::Resource { name, version, body } = resource;
    Resource { name: name.clone(), version: *version, body: body.clone() }
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
