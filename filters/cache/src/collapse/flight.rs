//! One fetch, and those who wait for it.

use std::sync::{Arc, Mutex};

use super::lock;
use crate::policy::time::Time;
use crate::store::{Chunk, Object};

/// Names a waiter of a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

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
    /// No header section yet. An heir was woken to take over, where who fetched has gone away.
    Fetching {
        heir: Option<u64>,
    },
    /// The header section has come, and all of the body is sure to be kept.
    Streaming {
        head: Arc<H>,
        chunks: Vec<Chunk>,
    },
    Landed(Arc<Object>),
    Released,
    Broken,
}

#[derive(Debug)]
struct Waiter<W> {
    id: u64,
    waker: W,
    deadline: Time,
    /// Pieces that it has seen; none before it saw the header section.
    seen: Option<usize>,
    expired: bool,
}

#[derive(Debug)]
struct State<H, W> {
    phase: Phase<H>,
    waiters: Vec<Waiter<W>>,
    next: u64,
}

/// One fetch.
#[derive(Debug)]
pub struct Flight<H, W> {
    state: Mutex<State<H, W>>,
}

impl<H, W> Default for Flight<H, W> {
    fn default() -> Self {
        let state = State { phase: Phase::Fetching { heir: None }, waiters: Vec::new(), next: 0 };
        Self { state: Mutex::new(state) }
    }
}

impl<H, W: Clone> Flight<H, W> {
    pub(super) fn wait(&self, waker: W, deadline: Time, most: usize) -> Option<Ticket> {
        let mut state = lock(&self.state);
        if state.waiters.len() >= most {
            return None;
        }
        let id = state.next;
        state.next += 1;
        state.waiters.push(Waiter { id, waker, deadline, seen: None, expired: false });
        Some(Ticket(id))
    }

    /// How many wait.
    pub fn waiters(&self) -> usize {
        lock(&self.state).waiters.len()
    }

    /// Whether someone has begun to read along.
    pub fn is_read(&self) -> bool {
        lock(&self.state).waiters.iter().any(|waiter| waiter.seen.is_some())
    }

    /// What is new for a waiter.
    pub fn look(&self, ticket: Ticket) -> Progress<H> {
        lock(&self.state).look(ticket.0)
    }

    /// A waiter waits no more. Wake who comes back.
    #[must_use]
    pub fn leave(&self, ticket: Ticket) -> Option<W> {
        let mut state = lock(&self.state);
        state.waiters.retain(|waiter| waiter.id != ticket.0);
        match state.phase {
            Phase::Fetching { heir: Some(heir) } if heir == ticket.0 => state.appoint(),
            _ => None,
        }
    }

    /// The header section has come and the body will be kept whole: waiters may read along. Wake who comes back.
    #[must_use]
    pub fn stream(&self, head: Arc<H>) -> Vec<W> {
        let mut state = lock(&self.state);
        state.phase = Phase::Streaming { head, chunks: Vec::new() };
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

    /// Lets those go on alone who have waited long enough. Wake who comes back.
    #[must_use]
    pub fn expire(&self, now: Time) -> Vec<W> {
        let mut state = lock(&self.state);
        let late = state.waiters.iter_mut().filter(|waiter| waiter.seen.is_none() && !waiter.expired);
        let late = late.filter(|waiter| waiter.deadline <= now);
        late.map(|waiter| {
            waiter.expired = true;
            waiter.waker.clone()
        })
        .collect()
    }
}

impl<H, W: Clone> State<H, W> {
    fn wakers(&self) -> Vec<W> {
        self.waiters.iter().map(|waiter| waiter.waker.clone()).collect()
    }

    /// Chooses who takes over: the one who has waited longest.
    fn appoint(&mut self) -> Option<W> {
        let heir = self.waiters.iter().find(|waiter| !waiter.expired);
        let (id, waker) = heir.map(|waiter| (waiter.id, waiter.waker.clone())).unzip();
        self.phase = if id.is_some() { Phase::Fetching { heir: id } } else { Phase::Released };
        waker
    }

    fn look(&mut self, id: u64) -> Progress<H> {
        let Some(place) = self.waiters.iter().position(|waiter| waiter.id == id) else {
            return Progress::Alone;
        };
        let waiter = &mut self.waiters[place];
        let has_begun = waiter.seen.is_some();
        match &mut self.phase {
            Phase::Landed(object) => Progress::Landed(Arc::clone(object)),
            Phase::Streaming { head, chunks } => {
                let seen = waiter.seen.replace(chunks.len());
                let new = chunks[seen.unwrap_or(0)..].to_vec();
                if has_begun && new.is_empty() {
                    return Progress::Pending;
                }
                Progress::Streaming { head: Arc::clone(head), chunks: new }
            }
            Phase::Broken if has_begun => Progress::Broken,
            Phase::Broken | Phase::Released => Progress::Alone,
            Phase::Fetching { heir } if *heir == Some(id) => {
                *heir = None;
                self.waiters.remove(place);
                Progress::TakeOver
            }
            Phase::Fetching { .. } if waiter.expired => Progress::Alone,
            Phase::Fetching { .. } => Progress::Pending,
        }
    }
}
