//! Concurrent requests for one key make one request to the origin: one stream fills, the others wait and read along.
//!
//! Invariants:
//! - Sans IO: who waits leaves a handle `W`, and each change says whose handles to wake; no thread ever blocks here.
//! - A waiter is told of every change after its last look; it may be woken for nothing, never left asleep.
//! - Who has not sent anything yet is never harmed by what becomes of the one who fills: it takes over, or goes on alone.
//! - Waiters are bounded, in number and in time.

mod flight;
mod marker;

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use flight::{Flight, Progress, Ticket};
use marker::Markers;

use crate::policy::time::Time;

/// Bounds on waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Waiters of one flight.
    pub waiters: usize,
    /// Milliseconds that one of them waits for the header section.
    pub wait_ms: u64,
    /// Milliseconds for which a key whose response could not be stored is fetched by everyone on their own.
    pub marker_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { waiters: 1024, wait_ms: 5_000, marker_ms: 120_000 }
    }
}

/// What a request for a key is to do.
#[derive(Debug)]
pub enum Role<H, W> {
    /// Fetch, and tell the flight what comes.
    Fill(Arc<Flight<H, W>>),
    /// Wait, by looking at the flight whenever woken.
    Wait(Arc<Flight<H, W>>, Ticket),
    /// Fetch on its own: the last response could not be stored, or too many wait.
    Apart,
}

/// The flights of some keys.
type ByKey<H, W> = HashMap<Vec<u8>, Arc<Flight<H, W>>>;

/// All flights of a store. `H` is what is known of a response by its header section, `W` wakes a waiter.
#[derive(Debug)]
pub struct Flights<H, W> {
    shards: Box<[Mutex<ByKey<H, W>>]>,
    hasher: RandomState,
    markers: Markers,
    patience: Patience,
}

impl<H, W: Clone> Flights<H, W> {
    /// No flights, in `shards` parts.
    pub fn new(patience: Patience, shards: usize) -> Self {
        let shards = shards.max(1).next_power_of_two();
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            markers: Markers::default(),
            patience,
        }
    }

    /// A request for `key` has found nothing that answers it. `waker` is none for who cannot wait.
    pub fn join(&self, key: &[u8], waker: Option<W>, now: Time) -> Role<H, W> {
        let hash = self.hasher.hash_one(key);
        if self.markers.has(hash, now) {
            return Role::Apart;
        }
        let mut shard = self.shard(hash);
        match shard.entry(key.to_vec()) {
            Entry::Vacant(vacant) => Role::Fill(Arc::clone(vacant.insert(Arc::default()))),
            Entry::Occupied(occupied) => {
                let flight = Arc::clone(occupied.get());
                let deadline = Time(now.0.saturating_add(self.patience.wait_ms));
                let ticket = waker.and_then(|waker| flight.wait(waker, deadline, self.patience.waiters));
                ticket.map_or(Role::Apart, |ticket| Role::Wait(flight, ticket))
            }
        }
    }

    /// Whether someone is fetching that key.
    pub fn is_under_way(&self, key: &[u8]) -> bool {
        self.shard(self.hasher.hash_one(key)).contains_key(key)
    }

    /// Flights under way.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The flight is over: later requests find what was stored, or begin another.
    pub fn land(&self, key: &[u8], flight: &Arc<Flight<H, W>>) {
        let mut shard = self.shard(self.hasher.hash_one(key));
        if shard.get(key).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            shard.remove(key);
        }
    }

    /// The response cannot be stored: all who wait go on alone, and so do others for a time. Wake who comes back.
    #[must_use]
    pub fn release(&self, key: &[u8], flight: &Arc<Flight<H, W>>, now: Time) -> Vec<W> {
        self.markers.set(self.hasher.hash_one(key), Time(now.0.saturating_add(self.patience.marker_ms)));
        self.land(key, flight);
        flight.release()
    }

    /// The key's response can be stored after all.
    pub fn unmark(&self, key: &[u8]) {
        self.markers.set(self.hasher.hash_one(key), Time(0));
    }

    /// Who fills has gone away. Without a header section a waiter takes over; else those who read along are cut off. Wake who comes
    /// back.
    #[must_use]
    pub fn abandon(&self, key: &[u8], flight: &Arc<Flight<H, W>>) -> Vec<W> {
        let (wakers, over) = flight.abandon();
        if over {
            self.land(key, flight);
        }
        wakers
    }

    /// Lets those go on alone who have waited long enough. Wake who comes back.
    #[must_use]
    pub fn expire(&self, now: Time) -> Vec<W> {
        let under_way =
            self.shards.iter().flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>());
        under_way.flat_map(|flight| flight.expire(now)).collect()
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, ByKey<H, W>> {
        let place = usize::try_from(hash >> 40).unwrap_or(0) & (self.shards.len() - 1);
        lock(&self.shards[place])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
