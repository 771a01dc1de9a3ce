//! A store with the flights that fill it, shared by all streams of the process that name it, and the second level behind it.
//!
//! In a native module the process is Envoy's, so that all workers share; as wasm it is one worker's machine.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use ferrule_kit::Waker;

use crate::collapse::{Flight, Flights, Patience};
use crate::level::{Level, Mark};
use crate::policy::stored::Stored;
use crate::redis::Settings;
use crate::store::{Epoch, Limits, Object, Purge, Store, Stored as Insertion};

/// What is known of a response by its header section, for those who read along.
#[derive(Debug)]
pub(crate) struct FlightHead {
    /// Its metadata.
    pub(crate) stored: Stored,
    /// Its encoded head.
    pub(crate) head: Box<[u8]>,
    /// Bytes of its body.
    pub(crate) length: u64,
}

/// A fetch of this cache.
pub(crate) type Fetch = Flight<FlightHead, Waker>;

/// A moment in the orders of purges: of memory, and of the second level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    memory: Epoch,
    level: Mark,
}

/// Where responses are kept.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) flights: Flights<FlightHead, Waker>,
    level: Option<Box<dyn Level>>,
}

/// What tells storages of one name apart: one whose bounds change is another, and the old one goes with the last configuration that
/// has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) limits: Limits,
    pub(crate) patience: Patience,
    pub(crate) redis: Option<Settings>,
}

/// Storages by name and bounds.
type Named = Vec<(String, Bounds, Weak<Shared>)>;

static NAMED: Mutex<Named> = Mutex::new(Vec::new());

impl Shared {
    fn new(bounds: &Bounds) -> Arc<Self> {
        let Bounds { limits, patience, redis } = bounds;
        Arc::new_cyclic(|this| Self {
            store: Store::new(*limits),
            flights: Flights::new(*patience, limits.shards),
            level: redis.clone().and_then(|redis| redis.level(this, *limits)),
        })
    }

    /// The storage of that name and these bounds, made if no one has it yet; without a name, a new one.
    pub(crate) fn open(name: Option<&str>, bounds: Bounds) -> Arc<Self> {
        let Some(name) = name else { return Self::new(&bounds) };
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        named.retain(|(.., storage)| storage.strong_count() > 0);
        let is_it = |entry: &&(String, Bounds, _)| entry.0 == name && entry.1 == bounds;
        if let Some(known) = named.iter().find(is_it).and_then(|(.., storage)| storage.upgrade()) {
            return known;
        }
        let storage = Self::new(&bounds);
        named.push((name.to_owned(), bounds, Arc::downgrade(&storage)));
        storage
    }

    /// The second level; none in a wasm module, whatever is configured, so that the module has nothing of what asks it.
    pub(crate) fn level(&self) -> Option<&dyn Level> {
        if cfg!(target_family = "wasm") { None } else { self.level.as_deref() }
    }

    /// The present moment; to be asked before a fetch begins.
    pub(crate) fn since(&self) -> Since {
        let level = self.level().map(|level| level.mark()).unwrap_or_default();
        Since { memory: self.store.epoch(), level }
    }

    /// Stores what a fetch since then has brought, on both levels.
    pub(crate) fn insert(&self, object: &Arc<Object>, since: Since) -> Insertion {
        let outcome = self.store.insert(Arc::clone(object), since.memory);
        if outcome == Insertion::Yes {
            self.put(object, since);
        }
        outcome
    }

    /// Keeps on the second level what is in memory already.
    pub(crate) fn put(&self, object: &Arc<Object>, since: Since) {
        if let Some(level) = self.level() {
            level.put(object, since.level);
        }
    }

    /// Removes this object, on both levels.
    pub(crate) fn remove(&self, object: &Arc<Object>) {
        self.store.remove(object);
        if let Some(level) = self.level() {
            level.forget(object);
        }
    }

    /// Removes what `purge` names, or marks it stale where `soft`, on both levels. Says how many objects of memory.
    pub(crate) fn purge(&self, purge: &Purge, soft: bool) -> usize {
        if let Some(level) = self.level() {
            level.purge(purge, soft);
        }
        self.store.purge(purge, soft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_a_storage_shares_it_while_someone_has_it() {
        let open = |name, bytes| {
            let limits = Limits { bytes, ..Limits::default() };
            Shared::open(name, Bounds { limits, patience: Patience::default(), redis: None })
        };
        let (first, second) = (open(Some("shared"), 1 << 20), open(Some("shared"), 1 << 20));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &open(Some("shared"), 1 << 21)));
        assert!(!Arc::ptr_eq(&first, &open(Some("other"), 1 << 20)));
        assert!(!Arc::ptr_eq(&open(None, 1 << 20), &open(None, 1 << 20)));
    }
}
