//! What one group of proxies should have: an immutable set of named, versioned, encoded resources.
//!
//! Invariants: names are unique within a kind; two resources of one name and version are taken to be equal; a clone
//! shares everything.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::Kind;

pub(crate) type Name = Arc<str>;
type Named = BTreeMap<Name, Resource>;

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
    kinds: [Arc<Named>; Kind::COUNT],
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
        let named: Named = resources.into_iter().map(|resource| (resource.name.clone(), resource)).collect();
        let mut snapshot = self.clone();
        snapshot.kinds[kind.index()] = Arc::new(named);
        snapshot
    }

    /// The same snapshot with those of `resources` that have the name of one of that kind in the place of it; `None` if
    /// there is no such name.
    #[must_use]
    pub fn replacing(&self, kind: Kind, resources: impl IntoIterator<Item = Resource>) -> Option<Self> {
        let held = &self.kinds[kind.index()];
        let known: Vec<Resource> =
            resources.into_iter().filter(|resource| held.contains_key(&resource.name)).collect();
        if known.is_empty() {
            return None;
        }
        let mut named = Named::clone(held);
        named.extend(known.into_iter().map(|resource| (resource.name.clone(), resource)));
        let mut snapshot = self.clone();
        snapshot.kinds[kind.index()] = Arc::new(named);
        Some(snapshot)
    }

    /// Names of a kind whose resource was added, removed or given another version in `newer`, ordered by name.
    #[must_use]
    pub fn changed(&self, newer: &Self, kind: Kind) -> Vec<Arc<str>> {
        let (old, new) = (&self.kinds[kind.index()], &newer.kinds[kind.index()]);
        if Arc::ptr_eq(old, new) {
            return Vec::new();
        }
        differing(old, new)
    }
}

/// Walks both in step, so that finding one change among thousands costs a comparison each and no look-up.
fn differing(old: &Named, new: &Named) -> Vec<Name> {
    let (mut old, mut new) = (old.values().peekable(), new.values().peekable());
    let mut names = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return names,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) if Arc::ptr_eq(&old.name, &new.name) => Ordering::Equal,
            (Some(old), Some(new)) => old.name.cmp(&new.name),
        };
        let gone = if order.is_le() { old.next() } else { None };
        let come = if order.is_ge() { new.next() } else { None };
        if gone.map(|resource| resource.version) != come.map(|resource| resource.version) {
            names.extend(gone.or(come).map(|resource| resource.name.clone()));
        }
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
        Snapshot { kinds: self.kinds.map(Arc::new) }
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
    fn only_what_is_there_is_replaced() {
        let old: Snapshot = [cluster("a", b"1"), cluster("b", b"1")].into_iter().collect();
        let new = old.replacing(Kind::Cluster, [cluster("b", b"2").1, cluster("c", b"2").1]).unwrap();
        assert_eq!(old.changed(&new, Kind::Cluster), ["b".into()]);
        assert_eq!(new.count(Kind::Cluster), 2);
        assert!(old.replacing(Kind::Cluster, [cluster("c", b"2").1]).is_none());
    }

    #[test]
    fn replacing_one_kind_shares_the_others() {
        let old: Snapshot = [cluster("a", b"1")].into_iter().collect();
        let new = old.with(Kind::Endpoints, [Resource::new("a", &b"x"[..]), Resource::new("a", &b"y"[..])]);
        assert!(Arc::ptr_eq(&old.kinds[Kind::Cluster.index()], &new.kinds[Kind::Cluster.index()]));
        assert_eq!(new.count(Kind::Endpoints), 1);
        assert_eq!(new.get(Kind::Endpoints, "a").unwrap().body, &b"y"[..]);
    }
}
