//! A store with the flights that fill it, shared by all streams of the process that name it.
//!
//! In a native module the process is Envoy's, so that all workers share; as wasm it is one worker's machine.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ferrule_kit::{Counter, Host, Waker};

use crate::collapse::{Flight, Flights, Patience};
use crate::counters;
use crate::level::{Level, Mark};
use crate::policy::key::is_of_url;
use crate::policy::stored::Stored;
use crate::redis::Settings;
use crate::store::codec::Head;
use crate::store::{Epoch, Limits, Object, Purge, Store, Stored as Insertion};

/// What is known of a response by its header section, for those who read along.
#[derive(Debug)]
pub(crate) struct FlightHead {
    /// Its metadata.
    pub(crate) stored: Stored,
    /// Its encoded head.
    pub(crate) head: Box<[u8]>,
    /// Bytes of its body, where it says how many.
    pub(crate) length: Option<u64>,
}

/// A fetch of this cache.
pub(crate) type Fetch = Flight<FlightHead, Waker>;

/// A moment in the orders of purges: of memory, and of the second level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    pub(crate) memory: Epoch,
    level: Mark,
}

/// Where responses are kept.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) flights: Flights<FlightHead, Waker>,
    level: Option<Box<dyn Level>>,
    told: Told,
    owed: Owed,
}

/// What was counted without a stream, by [`Counter`], until one comes that can tell.
#[derive(Debug, Default)]
struct Owed {
    counts: [AtomicU64; counters::NAMES.len()],
    is_any: AtomicBool,
}

/// What of a store has been counted.
#[derive(Debug, Default)]
struct Told {
    added: AtomicU64,
    removed: AtomicU64,
    evicted: AtomicU64,
    bytes: AtomicUsize,
}

/// What storages held that are gone, and who went without a stream that could count it.
static GONE_OBJECTS: AtomicU64 = AtomicU64::new(0);
static GONE_BYTES: AtomicUsize = AtomicUsize::new(0);

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
            told: Told::default(),
            owed: Owed::default(),
        })
    }

    /// Removes what `purge` names, or marks it stale where `soft`. What is being fetched meanwhile answers no later request. Says how
    /// many objects.
    pub(crate) fn purge(&self, purge: &Purge, soft: bool) -> usize {
        if let Some(level) = self.level() {
            level.purge(purge, soft);
        }
        // In this order: what is begun once it is noted is no concern of it.
        let count = self.store.purge(purge, soft);
        let url = match purge {
            Purge::Url(url) => Some(&url[..]),
            Purge::Prefix(_) | Purge::Tag(_) | Purge::Everything => None,
        };
        self.flights.detach(url, |key, head| match (purge, head) {
            (Purge::Url(url), _) => is_of_url(key, url),
            (Purge::Prefix(prefix), _) => key.starts_with(prefix),
            (Purge::Tag(tag), Some(head)) => Head::new(&head.head).tags().any(|known| known == tag),
            // Which tags it will have is not known yet.
            (Purge::Tag(_), None) | (Purge::Everything, _) => true,
        });
        count
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
}

/// Both levels.
impl Shared {
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

    /// Keeps on the second level what is in memory already. Parts are for memory alone.
    pub(crate) fn put(&self, object: &Arc<Object>, since: Since) {
        if let Some(level) = self.level().filter(|_| object.body().runs().is_none()) {
            level.put(object, since.level);
        }
    }

    /// Removes this object, on both levels; says whether memory had it.
    pub(crate) fn remove(&self, object: &Arc<Object>) -> bool {
        if let Some(level) = self.level() {
            level.forget(object);
        }
        self.store.remove(object)
    }
}

impl Shared {
    /// Has something counted by the next stream that ends: errands have no counters of their own.
    pub(crate) fn owe(&self, counter: Counter, by: u64) {
        if let Some(count) = self.owed.counts.get(counter.0).filter(|_| by > 0) {
            count.fetch_add(by, Ordering::Relaxed);
            self.owed.is_any.store(true, Ordering::Release);
        }
    }

    fn pay(&self, host: &mut dyn Host) {
        if !self.owed.is_any.load(Ordering::Relaxed) || !self.owed.is_any.swap(false, Ordering::Acquire) {
            return;
        }
        for (place, count) in self.owed.counts.iter().enumerate() {
            let by = count.swap(0, Ordering::Relaxed);
            if by > 0 {
                host.count(Counter(place), by);
            }
        }
    }

    /// Counts what has changed since it was counted last, by any stream.
    pub(crate) fn tell(&self, host: &mut dyn Host) {
        self.pay(host);
        tell(host, counters::OBJECTS.added, &self.told.added, self.store.added());
        tell(host, counters::OBJECTS.removed, &self.told.removed, self.store.removed());
        tell(host, counters::EVICTED, &self.told.evicted, self.store.evicted());
        self.tell_bytes(host);
        let gone = GONE_OBJECTS.load(Ordering::Relaxed);
        if gone > 0 {
            host.count(counters::OBJECTS.removed, GONE_OBJECTS.swap(0, Ordering::Relaxed));
        }
    }

    fn tell_bytes(&self, host: &mut dyn Host) {
        let (now, gone) = (self.store.bytes(), GONE_BYTES.load(Ordering::Relaxed));
        if self.told.bytes.load(Ordering::Relaxed) == now && gone == 0 {
            return;
        }
        let before = self.told.bytes.swap(now, Ordering::Relaxed);
        let removed = before.saturating_sub(now) + GONE_BYTES.swap(0, Ordering::Relaxed);
        host.count(counters::BYTES.added, now.saturating_sub(before) as u64);
        host.count(counters::BYTES.removed, removed as u64);
    }
}

/// Counts what has been added to a sum since it was told.
fn tell(host: &mut dyn Host, counter: Counter, told: &AtomicU64, now: u64) {
    if told.load(Ordering::Relaxed) < now {
        let before = told.fetch_max(now, Ordering::Relaxed);
        host.count(counter, now.saturating_sub(before));
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let Told { added, removed, bytes, .. } = &mut self.told;
        GONE_OBJECTS.fetch_add(added.get_mut().saturating_sub(*removed.get_mut()), Ordering::Relaxed);
        GONE_BYTES.fetch_add(*bytes.get_mut(), Ordering::Relaxed);
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
