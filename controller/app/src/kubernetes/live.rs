//! What the API server holds of the objects that have a status: just what it takes to write one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferrule_translate::ObjectRef;
use kube::Resource;
use kube::api::ApiResource;
use serde_json::Value;

use super::item::Item;

/// An object as it was last seen, by a watch or in the answer to a write.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// The version that it was read in.
    pub(crate) resource: Arc<ApiResource>,
    pub(crate) uid: Box<str>,
    pub(crate) resource_version: Box<str>,
    pub(crate) generation: i64,
    /// As JSON text, a quarter of the size of its value; there are thousands.
    status: Arc<str>,
}

impl Live {
    pub(crate) fn new(resource: Arc<ApiResource>, item: &Item, status: Option<&Value>) -> Self {
        let meta = item.meta();
        Self {
            resource,
            uid: meta.uid.as_deref().unwrap_or_default().into(),
            resource_version: meta.resource_version.as_deref().unwrap_or_default().into(),
            generation: meta.generation.unwrap_or_default(),
            status: status.map(Value::to_string).unwrap_or_default().into(),
        }
    }

    /// Its status; null where it has none.
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.status).unwrap_or_default()
    }

    /// Whether this is of another time than `other`: resource versions grow (KEP-5504), where they are numbers.
    fn is_older_than(&self, other: &Self) -> bool {
        let number = |live: &Self| live.resource_version.parse::<u64>().ok();
        self.uid == other.uid && number(self).zip(number(other)).is_some_and(|(ours, theirs)| ours < theirs)
    }

    /// Whether anything but the version differs.
    fn differs(&self, other: &Self) -> bool {
        (&self.uid, self.generation, &self.status) != (&other.uid, other.generation, &other.status)
    }
}

/// All of them. Clones share everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Living(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    objects: HashMap<ObjectRef, Live>,
    /// The status that was seen last: many that follow each other are the same, and share it.
    status: Arc<str>,
}

impl Living {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what was seen, unless something newer has been; says whether it makes a difference.
    pub(crate) fn put(&self, object: &ObjectRef, mut live: Live) -> bool {
        let All { objects, status } = &mut *self.lock();
        if *status == live.status {
            live.status = Arc::clone(status);
        } else {
            *status = Arc::clone(&live.status);
        }
        match objects.get(object) {
            Some(known) if live.is_older_than(known) => false,
            Some(known) => {
                let differs = known.differs(&live);
                objects.insert(object.clone(), live);
                differs
            }
            None => {
                objects.insert(object.clone(), live);
                true
            }
        }
    }

    pub(crate) fn remove(&self, object: &ObjectRef) {
        self.lock().objects.remove(object);
    }

    pub(crate) fn get(&self, object: &ObjectRef) -> Option<Live> {
        self.lock().objects.get(object).cloned()
    }

    /// All objects that are held.
    pub(crate) fn objects(&self) -> Vec<ObjectRef> {
        self.lock().objects.keys().cloned().collect()
    }
}
