//! What a source of objects tells the rest: which objects to put and which to remove.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use ferrule_translate::{Object, ObjectRef};
use serde_json::Value;

use crate::manifest::Positions;

/// An object that is in use, and where it comes from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) object: Object,
    /// Where it stands; `None` if it is from an API server.
    pub(crate) place: Option<Box<Place>>,
    pub(crate) invitation: Option<Box<Invitation>>,
    /// Hash of all that makes a difference.
    pub(crate) content: u64,
    /// Hash of all but metadata and status.
    pub(super) substance: u64,
    pub(super) generation: i64,
}

/// Where an object stands in a file.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) file: Arc<Path>,
    pub(crate) positions: Positions,
}

impl Loaded {
    /// An object of an API server, which counts its generations itself.
    pub(crate) fn of_server(object: Object, content: u64) -> Self {
        let generation = object.metadata().generation.unwrap_or_default();
        Self { object, place: None, invitation: None, content, substance: content, generation }
    }
}

/// What an example invites people to try, and what they should see; from its annotations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invitation {
    pub(crate) attempt: String,
    pub(crate) expected: Option<String>,
}

impl Invitation {
    pub(super) fn of(object: &Value) -> Option<Self> {
        let annotation =
            |name: &str| Some(object.pointer("/metadata/annotations")?.get(name)?.as_str()?.to_owned());
        Some(Self { attempt: annotation("ferrule.dev/try")?, expected: annotation("ferrule.dev/expect") })
    }
}

/// What is to be done to the world.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) put: BTreeMap<ObjectRef, Arc<Loaded>>,
    /// Equal to what is in use but for the place in the files.
    pub(crate) moved: BTreeMap<ObjectRef, Arc<Loaded>>,
    pub(crate) removed: BTreeSet<ObjectRef>,
}

impl Changes {
    /// Whether the objects stay what they are.
    pub(crate) fn is_empty(&self) -> bool {
        self.put.is_empty() && self.removed.is_empty()
    }

    /// Adds what happened after this.
    pub(crate) fn extend(&mut self, later: Self) {
        for key in later.put.keys().chain(later.moved.keys()) {
            self.removed.remove(key);
        }
        for key in &later.removed {
            self.put.remove(key);
            self.moved.remove(key);
        }
        self.put.extend(later.put);
        self.moved.extend(later.moved);
        self.removed.extend(later.removed);
    }

    /// Notes what has become of an object; `None` where there is or was none.
    pub(crate) fn add(&mut self, key: ObjectRef, before: Option<Arc<Loaded>>, now: Option<Arc<Loaded>>) {
        match (before, now) {
            (Some(before), Some(now)) if Arc::ptr_eq(&before, &now) => {}
            (Some(before), Some(now)) if before.content == now.content => drop(self.moved.insert(key, now)),
            (_, Some(now)) => {
                self.removed.remove(&key);
                self.put.insert(key, now);
            }
            (Some(_), None) => {
                self.put.remove(&key);
                self.removed.insert(key);
            }
            (None, None) => {}
        }
    }
}

/// A hash of the fields of an object that count.
pub(crate) fn content_hash(value: &Value, counts: impl Fn(&str) -> bool) -> u64 {
    let Value::Object(fields) = value else { return 0 };
    let counted: Vec<_> = fields.iter().filter(|(name, _)| counts(name)).collect();
    // Writing JSON to memory cannot fail.
    rapidhash::v3::rapidhash_v3(&serde_json::to_vec(&counted).unwrap_or_default())
}
