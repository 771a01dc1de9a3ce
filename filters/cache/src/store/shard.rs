//! One part of the store: an index, and the order in which objects leave it (S3-FIFO: Yang et al., SOSP 2023).
//!
//! New objects enter a small queue; who is asked for twice there moves on to the main one, all others leave. So a scan passes
//! through a tenth of the memory and does not touch the rest.

use std::sync::Arc;

use hashbrown::HashTable;

use super::budget::Budget;
use super::ghost::Ghost;
use super::object::Object;
use super::purge::{Noted, Purge, Recent};
use super::slab::{NONE, Queue, Slab};
use super::{Epoch, Lookup};
use crate::policy::key::is_of_url;

/// The small queue is a tenth of all bytes.
const SMALL_SHARE: usize = 10;
/// Objects that get another chance before one is evicted all the same: a bound on what one eviction costs.
const CHANCES: usize = 128;
/// Places looked at by a purge in one go.
const PURGED_AT_ONCE: u32 = 512;

/// What became of an insertion. Objects that left are handed out, to be freed without the lock.
pub(super) enum Added {
    /// It is in.
    Yes {
        /// What was in its place.
        replaced: Vec<Arc<Object>>,
    },
    /// A purge is about it.
    Purged(Arc<Object>),
}

/// A shard.
#[derive(Debug)]
pub(super) struct Shard {
    /// The first place of each key.
    index: HashTable<u32>,
    slab: Slab,
    ghost: Ghost,
    recent: Recent,
    budget: Arc<Budget>,
    variants: usize,
    /// Bytes of the index that are charged.
    charged: usize,
    /// Objects whose key says more than a URL.
    with_parts: usize,
}

impl Shard {
    pub(super) fn new(budget: Arc<Budget>, variants: usize) -> Self {
        Self {
            index: HashTable::new(),
            slab: Slab::default(),
            ghost: Ghost::default(),
            recent: Recent::default(),
            budget,
            variants,
            charged: 0,
            with_parts: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn has_parts(&self) -> bool {
        self.with_parts > 0
    }

    fn first(&self, hash: u64, key: &[u8]) -> u32 {
        let is = |place: &u32| self.slab.object(*place).is_some_and(|object| object.key() == key);
        self.index.find(hash, is).copied().unwrap_or(NONE)
    }

    fn siblings(&self, first: u32) -> impl Iterator<Item = (u32, &Arc<Object>)> {
        let next = |place: &u32| self.slab.get(*place).map(|slot| slot.sibling).filter(|next| *next != NONE);
        let places = std::iter::successors(Some(first).filter(|first| *first != NONE), next);
        places.filter_map(|place| Some((place, self.slab.object(place)?)))
    }

    pub(super) fn find(&mut self, hash: u64, key: &[u8], wants: impl Fn(&Object) -> bool) -> Lookup {
        let first = self.first(hash, key);
        if first == NONE {
            return Lookup::Nothing;
        }
        // RFC 9111 §4: of several that match, the most recent by Date. One 304 may have freshened two at once: then the one that says
        // more of the requests it is for.
        let wanted = self.siblings(first).filter(|(_, object)| wants(object));
        let recency = |object: &Object| (object.stored().date, object.stored().response_time);
        let selectors = |object: &Object| object.head().selectors().count();
        let best = wanted.max_by(|(_, a), (_, b)| {
            recency(a).cmp(&recency(b)).then_with(|| selectors(a).cmp(&selectors(b)))
        });
        let Some((place, object)) = best.map(|(place, object)| (place, Arc::clone(object))) else {
            return Lookup::Others;
        };
        if let Some(slot) = self.slab.get_mut(place) {
            slot.asked = (slot.asked + 1).min(3);
        }
        Lookup::Found(object)
    }

    pub(super) fn variants(&self, hash: u64, key: &[u8]) -> Vec<Arc<Object>> {
        self.siblings(self.first(hash, key)).map(|(_, object)| Arc::clone(object)).collect()
    }

    /// `url` is the hash of the URL alone.
    pub(super) fn insert(&mut self, hash: u64, url: u64, object: Arc<Object>, since: Epoch) -> Added {
        if self.recent.concerns(&object, url, since) {
            return Added::Purged(object);
        }
        let mut replaced = Vec::new();
        let first = self.first(hash, object.key());
        let same = self.siblings(first).find(|(_, known)| known.head().has_selectors_of(&object.head()));
        // A fetch that took its time may bring what is older than what came meanwhile (RFC 9111 §4: the most recent counts).
        if same.is_some_and(|(_, known)| is_newer(known, &object)) {
            return Added::Yes { replaced: vec![object] };
        }
        if let Some((place, _)) = same {
            replaced.extend(self.slab.replace(place, object));
            return Added::Yes { replaced };
        }
        replaced.extend(self.make_place(hash, first));
        self.add(hash, object);
        Added::Yes { replaced }
    }

    /// Lets the oldest variant go where there are as many as there may be.
    fn make_place(&mut self, hash: u64, first: u32) -> Option<Arc<Object>> {
        if self.siblings(first).count() < self.variants {
            return None;
        }
        let oldest = self.siblings(first).min_by_key(|(_, object)| object.stored().response_time);
        let oldest = oldest.map(|(place, _)| place)?;
        self.take(hash, oldest)
    }

    fn add(&mut self, hash: u64, object: Arc<Object>) {
        self.with_parts += usize::from(object.key().contains(&0));
        let first = self.first(hash, object.key());
        let place = self.slab.add(object, hash);
        match self.slab.get(first).map(|slot| slot.sibling) {
            Some(second) => {
                self.link(first, place);
                self.link(place, second);
            }
            None => {
                let slab = &self.slab;
                self.index.insert_unique(hash, place, |place| slab.get(*place).map_or(0, |slot| slot.hash));
            }
        }
        let queue = if self.ghost.take(hash) { Queue::Main } else { Queue::Small };
        self.slab.push(queue, place);
        self.ghost.fit(self.slab.len());
        self.charge();
    }

    fn link(&mut self, place: u32, sibling: u32) {
        if let Some(slot) = self.slab.get_mut(place) {
            slot.sibling = sibling;
        }
    }

    fn charge(&mut self) {
        let bytes = self.slab.bytes() + self.index.allocation_size() + self.ghost.bytes();
        if bytes != self.charged {
            self.budget.resize(self.charged, bytes);
            self.charged = bytes;
        }
    }

    /// `url` is the hash of the URL alone.
    pub(super) fn replace(
        &mut self,
        hash: u64,
        url: u64,
        old: &Arc<Object>,
        new: Arc<Object>,
        since: Epoch,
    ) -> Option<Arc<Object>> {
        let place = self.place_of(hash, old)?;
        if self.recent.concerns(&new, url, since) {
            new.mark_purged();
        }
        self.slab.replace(place, new)
    }

    pub(super) fn remove(&mut self, hash: u64, object: &Arc<Object>) -> Option<Arc<Object>> {
        let place = self.place_of(hash, object)?;
        self.take(hash, place)
    }

    fn place_of(&self, hash: u64, object: &Arc<Object>) -> Option<u32> {
        let first = self.first(hash, object.key());
        self.siblings(first).find(|(_, known)| Arc::ptr_eq(known, object)).map(|(place, _)| place)
    }

    /// Takes an object out of index, queue and place.
    fn take(&mut self, hash: u64, place: u32) -> Option<Arc<Object>> {
        let key = Arc::clone(self.slab.object(place)?);
        self.with_parts -= usize::from(key.key().contains(&0));
        let first = self.first(hash, key.key());
        let after = self.slab.get(place)?.sibling;
        if first == place {
            self.move_first(hash, place, after);
        } else {
            let before = self.siblings(first).map(|(at, _)| at).find(|at| self.sibling_of(*at) == place);
            self.link(before.unwrap_or(NONE), after);
        }
        self.slab.unlink(place);
        self.slab.free(place)
    }

    fn sibling_of(&self, place: u32) -> u32 {
        self.slab.get(place).map_or(NONE, |slot| slot.sibling)
    }

    fn move_first(&mut self, hash: u64, from: u32, to: u32) {
        let Ok(entry) = self.index.find_entry(hash, |place| *place == from) else { return };
        if to == NONE {
            entry.remove();
        } else {
            *entry.into_mut() = to;
        }
    }

    /// Lets one object go; none where there is none whose memory would come back.
    pub(super) fn evict(&mut self) -> Option<Arc<Object>> {
        for _ in 0..CHANCES {
            let queue = self.next_queue()?;
            let place = self.slab.tail(queue);
            let slot = self.slab.get_mut(place)?;
            let asked = slot.asked;
            let next = match queue {
                _ if slot.is_read() => queue,
                Queue::Small if asked > 1 => {
                    slot.asked = 0;
                    Queue::Main
                }
                Queue::Main if asked > 0 => {
                    slot.asked -= 1;
                    Queue::Main
                }
                Queue::Small | Queue::Main => return self.evict_place(place, queue),
            };
            self.slab.unlink(place);
            self.slab.push(next, place);
        }
        let queue = self.next_queue()?;
        let place = self.slab.tail(queue);
        if self.slab.get(place)?.is_read() { None } else { self.evict_place(place, queue) }
    }

    fn evict_place(&mut self, place: u32, queue: Queue) -> Option<Arc<Object>> {
        let hash = self.slab.get(place)?.hash;
        if queue == Queue::Small {
            self.ghost.add(hash);
        }
        self.take(hash, place)
    }

    fn next_queue(&self) -> Option<Queue> {
        let (small, main) = (self.slab.queued(Queue::Small), self.slab.queued(Queue::Main));
        let is_full = small * SMALL_SHARE >= small + main;
        match (self.slab.tail(Queue::Small), self.slab.tail(Queue::Main)) {
            (NONE, NONE) => None,
            (NONE, _) => Some(Queue::Main),
            (_, NONE) => Some(Queue::Small),
            _ if is_full => Some(Queue::Small),
            _ => Some(Queue::Main),
        }
    }

    pub(super) fn note(&mut self, purge: Noted, epoch: Epoch) {
        self.recent.note(purge, epoch);
    }

    /// Purges all variants of one key.
    pub(super) fn purge_key(&mut self, hash: u64, key: &[u8], soft: bool) -> Vec<Arc<Object>> {
        let places: Vec<u32> = self.siblings(self.first(hash, key)).map(|(place, _)| place).collect();
        places.into_iter().filter_map(|place| self.purge_place(place, soft)).collect()
    }

    /// Purges among some places from one on, and says where to go on.
    pub(super) fn purge_some(
        &mut self,
        from: u32,
        purge: &Purge,
        soft: bool,
    ) -> (Vec<Arc<Object>>, Option<u32>) {
        let all = self.slab.places() as u32;
        let to = all.min(from + PURGED_AT_ONCE);
        let is_meant = |place: &u32| self.slab.object(*place).is_some_and(|object| purge.is_about(object));
        let meant: Vec<u32> = (from..to).filter(is_meant).collect();
        let purged = meant.into_iter().filter_map(|place| self.purge_place(place, soft)).collect();
        (purged, (to < all).then_some(to))
    }

    /// Objects of a URL among some places from one on, and where to go on.
    pub(super) fn of_url(&self, from: u32, url: &[u8]) -> (Vec<Arc<Object>>, Option<u32>) {
        let all = self.slab.places() as u32;
        let to = all.min(from + PURGED_AT_ONCE);
        let objects = (from..to).filter_map(|place| self.slab.object(place));
        let found = objects.filter(|object| is_of_url(object.key(), url)).cloned().collect();
        (found, (to < all).then_some(to))
    }

    fn purge_place(&mut self, place: u32, soft: bool) -> Option<Arc<Object>> {
        let slot = self.slab.get(place)?;
        if soft {
            let object = slot.object.clone()?;
            return (!object.is_purged()).then(|| {
                object.mark_purged();
                object
            });
        }
        self.take(slot.hash, place)
    }
}

fn is_newer(known: &Object, object: &Object) -> bool {
    let (known, new) = (known.stored(), object.stored());
    known.date > new.date && known.response_time > new.response_time
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.budget.resize(self.charged, 0);
    }
}
