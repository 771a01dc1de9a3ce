//! One fetch, and those who wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::lock;
use crate::policy::time::Time;
use crate::store::{Charge, Chunk, Object};

/// Milliseconds after which a fetch without a header section is another's to make: whoever made it may have been lost.
const FORGOTTEN_MS: u64 = 60_000;

/// Names a waiter of a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// Why one cannot wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Too many wait, or have waited in vain.
    Vain,
    /// Nothing has come of the fetch.
    Over,
}

/// What a waiter finds when it looks.
#[derive(Clone, Debug)]
pub enum Progress<H> {
    /// Nothing new: it will be woken.
    Pending,
    /// It fetches now: who did has gone away. Its ticket is used up.
    TakeOver,
    /// It goes on alone: the response cannot be stored, or time is up.
    Alone,
    /// The response is stored.
    Landed(Arc<Object>),
    /// The header section, and the pieces of the body from where the waiter stands.
    Streaming {
        /// What is known by the header section.
        head: Arc<H>,
        /// Pieces that it has not seen.
        chunks: Vec<Chunk>,
    },
    /// The fetch broke off while its body was read along: what was sent of it cannot be completed.
    Broken,
}

#[derive(Debug)]
enum Phase<H> {
    /// No header section yet, for a fetch that began then. An heir was woken to take over, where who fetched has gone away.
    Fetching {
        heir: Option<u64>,
        began: Time,
    },
    /// The header section has come, and the body is kept as it comes.
    Streaming {
        head: Arc<H>,
        chunks: Vec<Chunk>,
        /// How many pieces there were when someone last looked for progress and found some, and when that was.
        seen: (usize, Time),
    },
    Landed(Arc<Object>),
    Released,
    Broken,
}

#[derive(Debug)]
struct Waiter<W> {
    waker: W,
    since: Time,
    /// Pieces that it has seen; none before it saw the header section.
    seen: Option<usize>,
}

#[derive(Debug)]
struct State<H, W> {
    phase: Phase<H>,
    /// In the order in which they came.
    waiters: BTreeMap<u64, Waiter<W>>,
    /// Those who have seen all, or have not looked yet: all others look before they sleep.
    asleep: BTreeSet<u64>,
    next: u64,
    /// Pays for pieces that readers still hold, where nothing came of the fetch.
    held: Option<Charge>,
}

/// One fetch.
#[derive(Debug)]
pub struct Flight<H, W> {
    key: Arc<[u8]>,
    patience_ms: u64,
    state: Mutex<State<H, W>>,
}

impl<H, W: Clone> Flight<H, W> {
    pub(super) fn new(key: Arc<[u8]>, now: Time, patience_ms: u64) -> Self {
        let state = State {
            phase: Phase::Fetching { heir: None, began: now },
            waiters: BTreeMap::new(),
            asleep: BTreeSet::new(),
            next: 0,
            held: None,
        };
        Self { key, patience_ms, state: Mutex::new(state) }
    }

    pub(super) fn wait(&self, waker: W, now: Time, most: usize) -> Result<Ticket, Refusal> {
        let mut state = lock(&self.state);
        match state.phase {
            // Who would wait for a header section that others have given up waiting for would do so in vain.
            Phase::Fetching { began, .. } if self.is_over(began, now) => return Err(Refusal::Vain),
            Phase::Released | Phase::Broken => return Err(Refusal::Over),
            _ if state.waiters.len() >= most => return Err(Refusal::Vain),
            _ => {}
        }
        let id = state.next;
        state.next += 1;
        state.waiters.insert(id, Waiter { waker, since: now, seen: None });
        state.asleep.insert(id);
        Ok(Ticket(id))
    }

    /// Whether the time for which one waits is over. A clock that was set back does not prolong it.
    fn is_over(&self, since: Time, now: Time) -> bool {
        now.0 < since.0 || now.0 - since.0 >= self.patience_ms
    }

    /// The key under which it is shared.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// How many wait.
    pub fn waiters(&self) -> usize {
        lock(&self.state).waiters.len()
    }

    /// Whether someone has begun to read along.
    pub fn is_read(&self) -> bool {
        lock(&self.state).waiters.values().any(|waiter| waiter.seen.is_some())
    }

    /// Whether no piece has come for as long as one waits, as far as those know who ask, or no header section for so long that no one
    /// can be waiting for it any more.
    pub(super) fn is_stalled(&self, now: Time) -> bool {
        let mut state = lock(&self.state);
        let (chunks, seen) = match &mut state.phase {
            Phase::Streaming { chunks, seen, .. } => (chunks, seen),
            Phase::Fetching { began, .. } => return now.0.saturating_sub(began.0) >= FORGOTTEN_MS,
            Phase::Landed(_) | Phase::Released | Phase::Broken => return false,
        };
        if chunks.len() != seen.0 || now.0 < seen.1.0 {
            *seen = (chunks.len(), now);
        }
        self.patience_ms > 0 && self.is_over(seen.1, now)
    }

    /// What is known by the header section, once that has come.
    pub(super) fn head(&self) -> Option<Arc<H>> {
        match &lock(&self.state).phase {
            Phase::Streaming { head, .. } => Some(Arc::clone(head)),
            _ => None,
        }
    }

    /// What is new for a waiter.
    pub fn look(&self, ticket: Ticket, now: Time) -> Progress<H> {
        let mut state = lock(&self.state);
        let is_late = state.waiters.get(&ticket.0).is_none_or(|waiter| self.is_over(waiter.since, now));
        state.look(ticket.0, is_late, now)
    }

    /// Says besides whom to wake whether the flight is over.
    pub(super) fn leave(&self, ticket: Ticket) -> (Option<W>, bool) {
        let mut state = lock(&self.state);
        state.remove(ticket.0);
        match state.phase {
            Phase::Fetching { heir: Some(heir), .. } if heir == ticket.0 => {
                let heir = state.appoint();
                let is_over = heir.is_none();
                (heir, is_over)
            }
            _ => (None, false),
        }
    }

    /// The header section has come and the body will be kept: waiters may read along. Wake who comes back.
    #[must_use]
    pub fn stream(&self, head: Arc<H>, now: Time) -> Vec<W> {
        let mut state = lock(&self.state);
        state.phase = Phase::Streaming { head, chunks: Vec::new(), seen: (0, now) };
        state.wakers()
    }

    /// A piece of the body has come. Wake who comes back.
    #[must_use]
    pub fn push(&self, chunk: Chunk) -> Vec<W> {
        let mut state = lock(&self.state);
        let Phase::Streaming { chunks, .. } = &mut state.phase else { return Vec::new() };
        chunks.push(chunk);
        state.wakers()
    }

    /// All of the response has come. Wake who comes back.
    #[must_use]
    pub fn complete(&self, object: Arc<Object>) -> Vec<W> {
        let mut state = lock(&self.state);
        state.phase = Phase::Landed(object);
        state.wakers()
    }

    /// Nothing will be stored of what has come: `charge` pays for it until the last reader has let go.
    pub fn hold(&self, charge: Charge) {
        lock(&self.state).held = Some(charge);
    }

    pub(super) fn release(&self) -> Vec<W> {
        let mut state = lock(&self.state);
        state.phase = match state.phase {
            // Some may have sent what cannot be taken back.
            Phase::Streaming { .. } => Phase::Broken,
            _ => Phase::Released,
        };
        state.wakers()
    }

    /// Says besides whom to wake whether the flight is over.
    pub(super) fn abandon(&self) -> (Vec<W>, bool) {
        let mut state = lock(&self.state);
        match state.phase {
            Phase::Fetching { .. } => match state.appoint() {
                Some(heir) => (vec![heir], false),
                None => (Vec::new(), true),
            },
            Phase::Streaming { .. } => {
                state.phase = Phase::Broken;
                (state.wakers(), true)
            }
            Phase::Landed(_) | Phase::Released | Phase::Broken => (Vec::new(), true),
        }
    }
}

impl<H, W: Clone> State<H, W> {
    /// Who sleeps is woken, and looks before it sleeps again.
    fn wakers(&mut self) -> Vec<W> {
        let asleep = std::mem::take(&mut self.asleep);
        asleep.iter().filter_map(|id| self.waiters.get(id)).map(|waiter| waiter.waker.clone()).collect()
    }

    fn remove(&mut self, id: u64) {
        self.waiters.remove(&id);
        self.asleep.remove(&id);
    }

    /// Chooses who takes over: the one who has waited longest.
    fn appoint(&mut self) -> Option<W> {
        let heir = self.waiters.iter().next();
        let (heir, waker) = heir.map(|(id, waiter)| (*id, waiter.waker.clone())).unzip();
        match &mut self.phase {
            Phase::Fetching { heir: known, .. } if heir.is_some() => *known = heir,
            phase => *phase = Phase::Released,
        }
        waker
    }

    fn look(&mut self, id: u64, is_late: bool, now: Time) -> Progress<H> {
        self.asleep.remove(&id);
        let Some(waiter) = self.waiters.get_mut(&id) else { return Progress::Alone };
        let has_begun = waiter.seen.is_some();
        match &mut self.phase {
            Phase::Landed(object) => Progress::Landed(Arc::clone(object)),
            Phase::Streaming { head, chunks, .. } => {
                let seen = waiter.seen.replace(chunks.len());
                let new = chunks[seen.unwrap_or(0)..].to_vec();
                if has_begun && new.is_empty() {
                    self.asleep.insert(id);
                    return Progress::Pending;
                }
                Progress::Streaming { head: Arc::clone(head), chunks: new }
            }
            Phase::Broken if has_begun => Progress::Broken,
            Phase::Broken | Phase::Released => Progress::Alone,
            Phase::Fetching { heir, began } if *heir == Some(id) => {
                (*heir, *began) = (None, now);
                self.waiters.remove(&id);
                Progress::TakeOver
            }
            Phase::Fetching { .. } if is_late => Progress::Alone,
            Phase::Fetching { .. } => {
                self.asleep.insert(id);
                Progress::Pending
            }
        }
    }
}
