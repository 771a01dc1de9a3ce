//! What one group of proxies should have: an immutable set of named, versioned, encoded resources.
//!
//! Invariants: names are unique within a kind; two resources of one name and version are taken to be equal; a clone
//! shares everything, and a version that was made from another shares with it all but what is different.

use std::sync::Arc;

use bytes::Bytes;
use ferrule_shared_map::SharedMap;

use crate::Kind;

pub(crate) type Name = Arc<str>;
type Named = SharedMap<Name, Resource>;

/// One encoded xDS resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The name by which proxies subscribe to it.
    pub name: Arc<str>,
    /// Tells contents apart: it must differ when the body differs in meaning, and must be the same after a restart
    /// of the control plane, or reconnecting proxies are sent what they have.
    pub version: u64,
    /// The encoded message, without its `Any`.
    pub body: Bytes,
}

impl Resource {
    /// A resource whose version is a hash of its encoded body, the same in every process
    /// and every release.
    ///
    /// Beware of messages with map fields: `prost` writes a `HashMap` in random order, so equal messages may encode
    /// differently. Either keep maps to one entry, or canonicalise, or give a version of your own.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self { name: name.into(), version: rapidhash::v3::rapidhash_v3(&body), body }
    }

    /// Encodes `message`; the version is a hash as in [`Resource::new`].
    #[must_use]
    pub fn encode(name: impl Into<Arc<str>>, message: &impl prost::Message) -> Self {
        Self::new(name, message.encode_to_vec())
    }
}

/// An immutable set of resources; cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    kinds: [Named; Kind::COUNT],
}

impl Snapshot {
    /// Starts an empty set.
    #[must_use]
    pub fn builder() -> SnapshotBuilder {
        SnapshotBuilder::default()
    }

    /// The resource of this kind and name.
    #[must_use]
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Resource> {
        self.kinds[kind.index()].get(name)
    }

    /// The resources of a kind, ordered by name.
    pub fn resources(&self, kind: Kind) -> impl ExactSizeIterator<Item = &Resource> {
        self.kinds[kind.index()].values()
    }

    /// How many resources there are of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.kinds[kind.index()].len()
    }

    /// The same snapshot with all resources of one kind replaced; the other kinds are shared, not copied.
    ///
    /// Of two resources of one name the later wins.
    #[must_use]
    pub fn with(&self, kind: Kind, resources: impl IntoIterator<Item = Resource>) -> Self {
        let mut snapshot = self.clone();
        snapshot.kinds[kind.index()] =
            resources.into_iter().map(|resource| (resource.name.clone(), resource)).collect();
        snapshot
    }

    /// Puts a resource in, in the place of the one of its name.
    pub fn insert(&mut self, kind: Kind, resource: Resource) {
        self.kinds[kind.index()].insert(resource.name.clone(), resource);
    }

    /// Takes a resource out; says whether it was there.
    pub fn remove(&mut self, kind: Kind, name: &str) -> bool {
        self.kinds[kind.index()].remove(name).is_some()
    }

    /// Names of a kind whose resource was added, removed or given another version in `newer`, ordered by name.
    #[must_use]
    pub fn changed(&self, newer: &Self, kind: Kind) -> Vec<Arc<str>> {
        let same = |old: &Resource, new: &Resource| old.version == new.version;
        let differences = self.kinds[kind.index()].differences(&newer.kinds[kind.index()], same);
        differences.map(|difference| difference.key.clone()).collect()
    }
}

/// Collects the resources of a [`Snapshot`].
#[derive(Debug, Default)]
pub struct SnapshotBuilder {
    kinds: [Named; Kind::COUNT],
}

impl SnapshotBuilder {
    /// Adds a resource and returns the one of the same kind and name that it replaced, if any.
    pub fn insert(&mut self, kind: Kind, resource: Resource) -> Option<Resource> {
        self.kinds[kind.index()].insert(resource.name.clone(), resource)
    }

    /// Freezes the set.
    #[must_use]
    pub fn build(self) -> Snapshot {
        Snapshot { kinds: self.kinds }
    }
}

impl FromIterator<(Kind, Resource)> for Snapshot {
    fn from_iter<T: IntoIterator<Item = (Kind, Resource)>>(resources: T) -> Self {
        let mut builder = Self::builder();
        for (kind, resource) in resources {
            builder.insert(kind, resource);
        }
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(name: &str, body: &'static [u8]) -> (Kind, Resource) {
        (Kind::Cluster, Resource::new(name, body))
    }

    #[test]
    fn changed_names_are_those_added_removed_or_of_another_version() {
        let old: Snapshot =
            [cluster("same", b"1"), cluster("gone", b"1"), cluster("edited", b"1")].into_iter().collect();
        let new: Snapshot =
            [cluster("same", b"1"), cluster("added", b"1"), cluster("edited", b"2")].into_iter().collect();
        let names: Vec<String> = old.changed(&new, Kind::Cluster).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["added", "edited", "gone"]);
        assert!(old.changed(&old.clone(), Kind::Cluster).is_empty());
        assert!(old.changed(&new, Kind::Listener).is_empty());
    }

    #[test]
    fn equal_bodies_have_equal_versions_in_every_process() {
        assert_eq!(Resource::new("a", &b"body"[..]).version, Resource::new("b", &b"body"[..]).version);
        // A constant: proxies that reconnect to another process compare against it.
        assert_eq!(Resource::new("a", &b"body"[..]).version, 15_331_186_144_959_490_940);
    }

    #[test]
    fn an_edited_snapshot_leaves_the_earlier_one_as_it_was() {
        let old: Snapshot = [cluster("a", b"1"), cluster("b", b"1")].into_iter().collect();
        let mut new = old.clone();
        new.insert(Kind::Cluster, cluster("b", b"2").1);
        assert!(new.remove(Kind::Cluster, "a") && !new.remove(Kind::Cluster, "c"));
        assert_eq!(old.changed(&new, Kind::Cluster), ["a".into(), "b".into()]);
        assert_eq!((old.count(Kind::Cluster), new.count(Kind::Cluster)), (2, 1));
    }

    #[test]
    fn replacing_one_kind_shares_the_others() {
        let old: Snapshot = [cluster("a", b"1")].into_iter().collect();
        let new = old.with(Kind::Endpoints, [Resource::new("a", &b"x"[..]), Resource::new("a", &b"y"[..])]);
        assert!(old.kinds[Kind::Cluster.index()].is_same(&new.kinds[Kind::Cluster.index()]));
        assert_eq!(new.count(Kind::Endpoints), 1);
        assert_eq!(new.get(Kind::Endpoints, "a").unwrap().body, &b"y"[..]);
    }
}
