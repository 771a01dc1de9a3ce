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
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flight::Refusal;
pub use flight::{Flight, Progress, Ticket};
use marker::Markers;

use crate::policy::time::Time;
use crate::store::url_of;

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
    /// Another fetches: who can wait comes back with a waker.
    Busy,
    /// Fetch on its own: the last response could not be stored, or too many wait, or have waited in vain.
    Apart,
}

/// The flights of some keys.
type ByKey<H, W> = HashMap<Arc<[u8]>, Arc<Flight<H, W>>>;

/// All flights of a store. `H` is what is known of a response by its header section, `W` wakes a waiter.
#[derive(Debug)]
pub struct Flights<H, W> {
    shards: Box<[Mutex<ByKey<H, W>>]>,
    hasher: RandomState,
    markers: Markers,
    /// Keys that no one need fetch for a time, because what is stored will do and the origin has just failed.
    put_off: Markers,
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
            put_off: Markers::default(),
            patience,
        }
    }

    /// A request for `key` has found nothing that answers it. `waker` is none for who cannot wait, or does not know yet that it has to.
    pub fn join(&self, key: &[u8], waker: Option<W>, now: Time) -> Role<H, W> {
        loop {
            if self.markers.has(self.hasher.hash_one(key), now) {
                return Role::Apart;
            }
            let known = self.shard(key).get(key).cloned();
            // Who reads a fetch along that does not get on depends on one who may never take a byte.
            let Some(flight) = known.as_ref().filter(|flight| !flight.is_stalled(now)) else {
                match self.begin(key, known.as_ref(), now) {
                    Some(flight) => return Role::Fill(flight),
                    None => continue,
                }
            };
            let Some(waker) = &waker else { return Role::Busy };
            match flight.wait(waker.clone(), now, self.patience.waiters) {
                Ok(ticket) => return Role::Wait(Arc::clone(flight), ticket),
                Err(Refusal::Vain) => return Role::Apart,
                Err(Refusal::Over) => self.land(flight),
            }
        }
    }

    /// Begins a flight in the place of that one; none where another was quicker.
    fn begin(&self, key: &[u8], known: Option<&Arc<Flight<H, W>>>, now: Time) -> Option<Arc<Flight<H, W>>> {
        let shared: Arc<[u8]> = key.into();
        let flight = Arc::new(Flight::new(Arc::clone(&shared), now, self.patience.wait_ms));
        let mut shard = self.shard(key);
        if shard.get(key).map(Arc::as_ptr) != known.map(Arc::as_ptr) {
            return None;
        }
        // What `known` holds is not freed under the lock: it is borrowed.
        shard.insert(shared, Arc::clone(&flight));
        Some(flight)
    }

    /// Whether someone is fetching that key, and gets on.
    pub fn is_under_way(&self, key: &[u8], now: Time) -> bool {
        let known = self.shard(key).get(key).cloned();
        known.is_some_and(|flight| !flight.is_stalled(now))
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
    pub fn land(&self, flight: &Arc<Flight<H, W>>) {
        let mut shard = self.shard(flight.key());
        if shard.get(flight.key()).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            shard.remove(flight.key());
        }
    }

    /// The response cannot be stored: all who wait go on alone, and so do others for a time. Wake who comes back.
    #[must_use]
    pub fn release(&self, flight: &Arc<Flight<H, W>>, now: Time) -> Vec<W> {
        let until = Time(now.0.saturating_add(self.patience.marker_ms));
        self.markers.set(self.hasher.hash_one(flight.key()), until);
        self.land(flight);
        flight.release()
    }

    /// The key's response can be stored after all.
    pub fn unmark(&self, key: &[u8]) {
        self.markers.set(self.hasher.hash_one(key), Time(0));
    }

    /// A refresh of what is stored has failed: the next is not due before then.
    pub fn put_off(&self, key: &[u8], until: Time) {
        self.put_off.set(self.hasher.hash_one(key), until);
    }

    /// Whether a refresh is not due yet.
    pub fn is_put_off(&self, key: &[u8], now: Time) -> bool {
        self.put_off.has(self.hasher.hash_one(key), now)
    }

    /// Who fills has gone away. Without a header section a waiter takes over; else those who read along are cut off. Wake who comes
    /// back.
    #[must_use]
    pub fn abandon(&self, flight: &Arc<Flight<H, W>>) -> Vec<W> {
        let (wakers, is_over) = flight.abandon();
        if is_over {
            self.land(flight);
        }
        wakers
    }

    /// A waiter waits no more. Wake who comes back.
    #[must_use]
    pub fn leave(&self, flight: &Arc<Flight<H, W>>, ticket: Ticket) -> Option<W> {
        let (heir, is_over) = flight.leave(ticket);
        if is_over {
            self.land(flight);
        }
        heir
    }

    /// Later requests do not join the flights that this is about, which go on for those who have. `is_about` is asked about keys and,
    /// where they have come, header sections; all keys of a URL are in one place, so that `url` spares a look at the others.
    pub fn detach(&self, url: Option<&[u8]>, is_about: impl Fn(&[u8], Option<&H>) -> bool) {
        let all = 0..self.shards.len();
        let places = url.map_or(all, |url| self.place(url)..self.place(url) + 1);
        for place in places {
            let flights: Vec<_> = lock(&self.shards[place]).values().cloned().collect();
            for flight in flights {
                if is_about(flight.key(), flight.head().as_deref()) {
                    self.land(&flight);
                }
            }
        }
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, ByKey<H, W>> {
        lock(&self.shards[self.place(key)])
    }

    fn place(&self, key: &[u8]) -> usize {
        usize::try_from(self.hasher.hash_one(url_of(key)) >> 40).unwrap_or(0) & (self.shards.len() - 1)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
