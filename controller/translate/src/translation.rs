//! What comes out: one proxy's resources for each Gateway, the status of every object, and who caused what.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

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

/// All resources of one proxy, sorted by kind and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    by_kind: BTreeMap<ResourceKind, BTreeMap<Arc<str>, Resource>>,
}

impl Resources {
    /// Puts a resource in.
    pub fn insert(&mut self, kind: ResourceKind, resource: Resource) {
        self.by_kind.entry(kind).or_default().insert(Arc::clone(&resource.name), resource);
    }

    /// Puts in all resources of one kind.
    pub fn extend(&mut self, kind: ResourceKind, resources: impl IntoIterator<Item = Resource>) {
        let mut named =
            resources.into_iter().map(|resource| (Arc::clone(&resource.name), resource)).peekable();
        if named.peek().is_some() {
            self.by_kind.entry(kind).or_default().append(&mut named.collect());
        }
    }

    /// Resources of one kind by name.
    pub fn of(&self, kind: ResourceKind) -> impl Iterator<Item = &Resource> {
        self.by_kind.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (ResourceKind, &Resource)> {
        self.by_kind.iter().flat_map(|(kind, resources)| resources.values().map(|resource| (*kind, resource)))
    }
}

/// The objects that a resource was made from, so that a proxy's refusal reaches who caused it.
pub type Origins = BTreeMap<(ResourceKind, Arc<str>), Arc<[ObjectRef]>>;

/// One entry of [`Origins`].
pub(crate) type Origin = ((ResourceKind, Arc<str>), Arc<[ObjectRef]>);

/// The result of a translation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Translation {
    /// Resources by Gateway.
    pub gateways: BTreeMap<Key, Resources>,
    /// Status by object; objects of other controllers are not among them.
    pub status: BTreeMap<ObjectRef, Arc<Status>>,
    /// Origins by Gateway.
    pub origins: BTreeMap<Key, Origins>,
    /// Everything that is wrong, whether or not a condition shows it.
    pub problems: Vec<Problem>,
}
