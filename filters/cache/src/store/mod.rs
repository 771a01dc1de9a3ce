//! Stored responses in memory: a hard budget of bytes, shards with short locks, eviction that resists scans (S3-FIFO).
//!
//! Invariants:
//! - All memory of stored objects, of bodies that are being filled and of the index is charged to one [`Budget`]. Nothing is stored
//!   beyond it; when the index itself grows, objects make room for it at once. What was evicted stays charged until its last reader
//!   has let go of it.
//! - No two locks are held at once, nothing is freed under a lock, and what is done under one is bounded.
//! - No clock, no host, no thread: time and decisions are arguments.

mod budget;
pub mod codec;
mod ghost;
mod object;
pub mod pieces;
mod purge;
mod shard;
mod slab;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use budget::{Budget, Charge};
pub use object::{Body, Chunk, Object};
use purge::Noted;
pub use purge::Purge;
use shard::{Added, Shard};

/// Bounds of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, all told.
    pub bytes: usize,
    /// Bytes of one object's body.
    pub object_bytes: usize,
    /// Objects under one key.
    pub variants: usize,
    /// Parts that are locked apart from each other; a power of two.
    pub shards: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // As wasm, each worker has a store of its own, in a machine that is part of Envoy's memory.
        let bytes = if cfg!(target_family = "wasm") { 16 << 20 } else { 64 << 20 };
        Self { bytes, object_bytes: bytes / 8, variants: 32, shards: 64 }
    }
}

/// What is under a key.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// Nothing.
    Nothing,
    /// Objects, none of which was wanted.
    Others,
    /// The most recent of those that were wanted (RFC 9111 §4).
    Found(Arc<Object>),
}

/// What became of an object that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is stored.
    Yes,
    /// A purge that began after its fetch is about it, too.
    Purged,
}

/// A moment in the order of purges: objects fetched since then are no concern of earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub(crate) u64);

/// Bodies that are being filled take a fourth of all bytes at most: what is stored is of use already, those may never be.
const FILLING_SHARE: usize = 4;

/// The store. Shared by reference between threads.
#[derive(Debug)]
pub struct Store {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    budget: Arc<Budget>,
    /// What of it bodies may take that are being filled.
    filling: Arc<Budget>,
    limits: Limits,
    /// Whose turn it is to evict.
    hand: AtomicUsize,
    epoch: AtomicU64,
    evicted: AtomicU64,
    added: AtomicU64,
    removed: AtomicU64,
}

impl Store {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        let budget = Arc::new(Budget::new(limits.bytes));
        let shards = limits.shards.max(1).next_power_of_two();
        let shard = |_| Mutex::new(Shard::new(Arc::clone(&budget), limits.variants.max(1)));
        Self {
            shards: (0..shards).map(shard).collect(),
            hasher: RandomState::new(),
            budget,
            filling: Arc::new(Budget::new((limits.bytes / FILLING_SHARE).max(limits.object_bytes))),
            limits: Limits { shards, ..limits },
            hand: AtomicUsize::new(0),
            epoch: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            added: AtomicU64::new(0),
            removed: AtomicU64::new(0),
        }
    }

    /// Its bounds.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Bytes charged now.
    pub fn bytes(&self) -> usize {
        self.budget.used()
    }

    /// Objects stored now.
    pub fn objects(&self) -> usize {
        usize::try_from(self.added().saturating_sub(self.removed())).unwrap_or(usize::MAX)
    }

    /// Objects stored so far.
    pub fn added(&self) -> u64 {
        self.added.load(Ordering::Relaxed)
    }

    /// Objects that left so far, whatever the reason.
    pub fn removed(&self) -> u64 {
        self.removed.load(Ordering::Relaxed)
    }

    /// Objects evicted so far.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// The present moment in the order of purges; to be asked before a fetch begins.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::SeqCst))
    }

    /// Looks for an object under `key`; `wants` chooses among its variants.
    pub fn find(&self, key: &[u8], wants: impl Fn(&Object) -> bool) -> Lookup {
        let (mut shard, hash) = self.shard(key);
        shard.find(hash, key, wants)
    }

    /// All objects under `key`, most recent first.
    pub fn variants(&self, key: &[u8]) -> Vec<Arc<Object>> {
        let (shard, hash) = self.shard(key);
        let mut variants = shard.variants(hash, key);
        drop(shard);
        let recency = |object: &Arc<Object>| {
            (object.stored().date, object.stored().response_time, object.head().selectors().count())
        };
        variants.sort_by_key(|object| std::cmp::Reverse(recency(object)));
        variants
    }

    /// All objects of the URL with this key, most recent first. Where keys say more than a URL, it costs as much as a purge by tag of
    /// one shard.
    pub fn of_url(&self, url: &[u8]) -> Vec<Arc<Object>> {
        let shard = &self.shards[self.place(url)];
        if !lock(shard).has_parts() {
            return self.variants(url);
        }
        let (mut found, mut place) = (Vec::new(), Some(0));
        while let Some(from) = place {
            let (some, next) = lock(shard).of_url(from, url);
            found.extend(some);
            place = next;
        }
        found.sort_by_key(|object: &Arc<Object>| std::cmp::Reverse(object.stored().date));
        found
    }

    /// Charges `bytes`, and evicts what it takes to do so. None where the budget cannot hold them: what is in it is being read or
    /// filled.
    pub fn reserve(&self, bytes: usize) -> Option<Charge> {
        let mut idle_shards = 0;
        loop {
            if let Some(charge) = Budget::take(&self.budget, bytes) {
                return Some(charge);
            }
            if bytes > self.limits.bytes || idle_shards > self.shards.len() {
                return None;
            }
            idle_shards = if self.evict_one() { 0 } else { idle_shards + 1 };
        }
    }

    /// Charges bytes of a body that is being filled to the part of the budget that such bodies may take, besides [`Store::reserve`].
    pub fn share(&self, bytes: usize) -> Option<Charge> {
        Budget::take(&self.filling, bytes)
    }

    /// Whether that part has as many left.
    pub fn has_share(&self, bytes: u64) -> bool {
        usize::try_from(bytes).is_ok_and(|bytes| self.filling.has(bytes))
    }

    fn evict_one(&self) -> bool {
        let turn = self.hand.fetch_add(1, Ordering::Relaxed) & (self.shards.len() - 1);
        // The object is freed once the lock is not held any more.
        let victim = lock(&self.shards[turn]).evict();
        let evicted = victim.is_some();
        self.evicted.fetch_add(u64::from(evicted), Ordering::Relaxed);
        self.removed.fetch_add(u64::from(evicted), Ordering::Relaxed);
        evicted
    }

    /// Stores an object in the place of what has the same key and is selected by the same requests. `since` is when its fetch began.
    pub fn insert(&self, object: Arc<Object>, since: Epoch) -> Stored {
        let url = self.hasher.hash_one(url_of(object.key()));
        let (mut shard, hash) = self.shard(object.key());
        let added = shard.insert(hash, url, object, since);
        if let Added::Yes { replaced } = &added {
            self.added.fetch_add(1, Ordering::Relaxed);
            self.removed.fetch_add(replaced.len() as u64, Ordering::Relaxed);
        }
        drop(shard);
        // What the index itself grew by may be too much.
        self.shrink();
        match added {
            Added::Yes { replaced } => {
                drop(replaced);
                Stored::Yes
            }
            Added::Purged(object) => {
                drop(object);
                Stored::Purged
            }
        }
    }

    fn shrink(&self) {
        let mut idle_shards = 0;
        while self.budget.is_exceeded() && idle_shards <= self.shards.len() {
            idle_shards = if self.evict_one() { 0 } else { idle_shards + 1 };
        }
    }

    /// Puts `new` in the place of `old`, if that is still stored. It is stale where a soft purge since `since` was about it.
    pub fn replace(&self, old: &Arc<Object>, new: Arc<Object>, since: Epoch) -> bool {
        let url = self.hasher.hash_one(url_of(old.key()));
        let (mut shard, hash) = self.shard(old.key());
        let replaced = shard.replace(hash, url, old, new, since);
        drop(shard);
        replaced.is_some()
    }

    /// Marks this very object stale, as a soft purge does.
    pub fn mark_stale(&self, object: &Object) {
        object.mark_purged();
    }

    /// Removes this very object.
    pub fn remove(&self, object: &Arc<Object>) -> bool {
        let (mut shard, hash) = self.shard(object.key());
        let removed = shard.remove(hash, object);
        self.removed.fetch_add(u64::from(removed.is_some()), Ordering::Relaxed);
        drop(shard);
        removed.is_some()
    }

    /// Removes what `purge` names, or marks it stale where `soft`, also what is being fetched meanwhile. Says how many objects.
    ///
    /// Costs as much as there are objects, but for a URL. No lock is held for more than a bounded number of them.
    pub fn purge(&self, purge: &Purge, soft: bool) -> usize {
        let epoch = Epoch(self.epoch.fetch_add(1, Ordering::SeqCst) + 1);
        match purge {
            Purge::Url(url) => self.purge_shard(&self.shards[self.place(url)], purge, soft, epoch),
            Purge::Prefix(_) | Purge::Tag(_) | Purge::Everything => {
                self.shards.iter().map(|shard| self.purge_shard(shard, purge, soft, epoch)).sum()
            }
        }
    }

    fn purge_shard(&self, shard: &Mutex<Shard>, purge: &Purge, soft: bool, epoch: Epoch) -> usize {
        let (mut count, mut place) = (0, Some(0));
        if let Purge::Url(url) = purge {
            let hash = self.hasher.hash_one(&url[..]);
            lock(shard).note(Noted::Url(hash), epoch);
            // What comes back is freed once the lock is not held any more.
            let removed = lock(shard).purge_key(hash, url, soft);
            self.forget(removed.len(), soft);
            count += removed.len();
            place = lock(shard).has_parts().then_some(0);
        } else {
            lock(shard).note(Noted::Other(purge.clone()), epoch);
        }
        while let Some(from) = place {
            let (removed, next) = lock(shard).purge_some(from, purge, soft);
            self.forget(removed.len(), soft);
            count += removed.len();
            place = next;
        }
        count
    }

    fn forget(&self, purged: usize, soft: bool) {
        self.removed.fetch_add(if soft { 0 } else { purged as u64 }, Ordering::Relaxed);
    }

    fn shard(&self, key: &[u8]) -> (MutexGuard<'_, Shard>, u64) {
        let hash = self.hasher.hash_one(key);
        let url = url_of(key);
        let place = if url.len() == key.len() { self.place_of(hash) } else { self.place(url) };
        (lock(&self.shards[place]), hash)
    }

    /// All keys of a URL are in one shard.
    fn place(&self, url: &[u8]) -> usize {
        self.place_of(self.hasher.hash_one(url))
    }

    fn place_of(&self, hash: u64) -> usize {
        // Not the bits that the table within the shard uses.
        usize::try_from(hash >> 40).unwrap_or(0) & (self.shards.len() - 1)
    }
}

/// The URL's part of a key.
pub(crate) fn url_of(key: &[u8]) -> &[u8] {
    key.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A lock whose holder panicked guards data that is whole: nothing under it can be interrupted half way but by lack of memory.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
