//! What comes out: one proxy's resources for each Gateway, the status of every object, and who caused what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use ferrule_shared_map::SharedMap;
use prost::Message;

use crate::credentials::Identity;
use crate::object::{Key, ObjectRef};
use crate::problem::Problem;
use crate::status::Status;

/// Kinds of xDS resource, in the order in which a proxy must get them (make before break).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum ResourceKind {
    Cluster,
    Endpoints,
    Secret,
    ExtensionConfig,
    Listener,
    ScopedRoutes,
    Routes,
}

/// One xDS resource, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name, unique among its kind.
    pub name: Arc<str>,
    /// Hash of [`Resource::body`]; the same bytes always have the same version.
    pub version: u64,
    /// The encoded message, not wrapped in `Any`.
    pub body: Bytes,
}

impl Resource {
    /// Encodes a message.
    pub fn new(name: &str, message: &impl Message) -> Self {
        Self::of_bytes(name.into(), message.encode_to_vec().into())
    }

    /// Takes an encoded message.
    pub fn of_bytes(name: Arc<str>, body: Bytes) -> Self {
        Self { name, version: rapidhash::v3::rapidhash_v3(&body), body }
    }
}

impl ResourceKind {
    /// All of them, in their order.
    pub const ALL: [Self; 7] = [
        Self::Cluster,
        Self::Endpoints,
        Self::Secret,
        Self::ExtensionConfig,
        Self::Listener,
        Self::ScopedRoutes,
        Self::Routes,
    ];
}

/// All resources of one proxy, sorted by kind and name. Clones share what they have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    by_kind: [SharedMap<Arc<str>, Resource>; ResourceKind::ALL.len()],
}

impl Resources {
    /// Puts a resource in, in the place of the one of its kind and name.
    pub fn insert(&mut self, kind: ResourceKind, resource: Resource) {
        self.by_kind[kind as usize].insert(Arc::clone(&resource.name), resource);
    }

    /// Takes a resource out.
    pub fn remove(&mut self, kind: ResourceKind, name: &str) {
        self.by_kind[kind as usize].remove(name);
    }

    /// Puts in all resources of one kind.
    pub fn extend(&mut self, kind: ResourceKind, resources: impl IntoIterator<Item = Resource>) {
        resources.into_iter().for_each(|resource| self.insert(kind, resource));
    }

    /// Resources of one kind by name.
    pub fn of(&self, kind: ResourceKind) -> impl Iterator<Item = &Resource> {
        self.by_kind[kind as usize].values()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (ResourceKind, &Resource)> {
        ResourceKind::ALL.into_iter().flat_map(|kind| self.of(kind).map(move |resource| (kind, resource)))
    }

    /// The resources of a kind that `newer` has and this has not or in another version, and the names of those that only
    /// this has. What both share is not looked at.
    pub fn differences<'r>(
        &'r self,
        newer: &'r Self,
        kind: ResourceKind,
    ) -> impl Iterator<Item = Result<&'r Resource, &'r Arc<str>>> {
        let (before, now) = (&self.by_kind[kind as usize], &newer.by_kind[kind as usize]);
        let differences = before.differences(now, |ours, theirs| ours.version == theirs.version);
        differences.map(|difference| difference.now.ok_or(difference.key))
    }
}

/// The objects that a resource was made from, so that a proxy's refusal reaches who caused it.
pub type Origins = SharedMap<(ResourceKind, Arc<str>), Arc<[ObjectRef]>>;

/// The result of a translation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Translation {
    /// Resources by Gateway.
    pub gateways: BTreeMap<Key, Resources>,
    /// Status by object; objects of other controllers are not among them.
    pub status: SharedMap<ObjectRef, Arc<Status>>,
    /// Origins by Gateway.
    pub origins: BTreeMap<Key, Origins>,
    /// Whose credentials must be fetched for calls to be signed.
    pub identities: BTreeSet<Identity>,
    /// Everything that is wrong, whether or not a condition shows it.
    pub problems: Vec<Problem>,
}
