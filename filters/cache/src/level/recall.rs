//! One look into the second level for one request: what it wants, what came of it, and the way of what was found into memory.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferrule_kit::Waker;
use sha2::{Digest, Sha256};

use super::copy::{self, BodyDigest, Copy};
use super::purges::{ByUrl, Verdict, Wide};
use crate::policy::stored::Stored;
use crate::policy::time::Time;
use crate::storage::Shared;
use crate::store::codec::Head;
use crate::store::{Body, Charge, Chunk, Epoch, Object, Stored as Insertion};

/// How a look ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// It has not yet.
    Pending,
    /// This is in memory now.
    Hit(Arc<Object>),
    /// There is nothing of use.
    Miss,
    /// The level refused, or cannot be reached.
    Error,
    /// It took too long.
    Timeout,
}

/// What a request wants.
pub(crate) struct Wanted {
    /// The key.
    pub(crate) key: Vec<u8>,
    /// Chooses among variants.
    pub(crate) selects: Box<dyn Fn(&Head<'_>) -> bool + Send + Sync>,
    /// What is there already, so that only what is newer is of use.
    pub(crate) newer_than: Option<Time>,
}

/// The look.
pub(crate) struct Recall {
    wanted: Wanted,
    storage: Arc<Shared>,
    outcome: Mutex<Outcome>,
    waker: Waker,
}

impl fmt::Debug for Recall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recall").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

impl Recall {
    pub(crate) fn new(wanted: Wanted, storage: Arc<Shared>, waker: Waker) -> Arc<Self> {
        Arc::new(Self { wanted, storage, outcome: Mutex::new(Outcome::Pending), waker })
    }

    /// The key that is looked for.
    pub(crate) fn key(&self) -> &[u8] {
        &self.wanted.key
    }

    /// What came of it so far.
    pub(crate) fn outcome(&self) -> Outcome {
        self.lock().clone()
    }

    /// It is over: the stream is woken.
    pub(crate) fn end(&self, outcome: Outcome) {
        *self.lock() = outcome;
        self.waker.wake();
    }

    /// The copy to use of what is stored under the key, the most recent of those that are wanted (RFC 9111 §4). A purge of the memory
    /// from now on is about it, too.
    pub(crate) fn choose(&self, entries: &[Vec<u8>], wide: &Wide, by_url: ByUrl) -> Option<Chosen> {
        let since = self.storage.store.epoch();
        let copies = entries.iter().filter_map(|entry| copy::decode(entry));
        let wanted = copies.filter(|copy| self.wants(copy));
        let judged = wanted.map(|copy| (wide.verdict(&copy.head, copy.since, by_url), copy));
        let usable = judged.filter(|(verdict, _)| *verdict != Verdict::Gone);
        let (verdict, copy) = usable.max_by_key(|(_, copy)| copy.stored.date)?;
        Some(Chosen {
            since,
            stored: copy.stored,
            variant: copy::variant_id(&copy.head),
            head: copy.head.bytes.into(),
            digest: copy.digest,
            length: copy.length,
            is_stale: verdict == Verdict::Stale,
        })
    }

    fn wants(&self, copy: &Copy<'_>) -> bool {
        let is_newer = |time: Time| copy.stored.response_time > time;
        copy.head.key() == self.wanted.key
            && copy.length <= self.storage.store.limits().object_bytes as u64
            && self.wanted.newer_than.is_none_or(is_newer)
            && (self.wanted.selects)(&copy.head)
    }

    /// Makes room for the body of what was chosen.
    pub(crate) fn begin(&self, chosen: Chosen) -> Option<Arrival> {
        let pieces = usize::try_from(copy::pieces_of(chosen.length)).ok()?;
        let length = usize::try_from(chosen.length).ok()?;
        let overhead = Body::cost(&[]) + (pieces + 2) * (Body::chunk_cost(0) + size_of::<Chunk>());
        let charge = self.storage.store.reserve(length + overhead + size_of::<Body>())?;
        Some(Arrival { chosen, chunks: Vec::with_capacity(pieces), digest: Sha256::new(), length: 0, charge })
    }

    /// All of the body has come: puts the response into memory.
    ///
    /// # Errors
    /// None where there is no room, or it was purged meanwhile; [`Spoiled`] where it is not what was written.
    pub(crate) fn finish(&self, arrival: Arrival) -> Result<Option<Arc<Object>>, Spoiled> {
        let Arrival { chosen, chunks, digest, length, charge } = arrival;
        if length != chosen.length || <BodyDigest>::from(digest.finalize()) != chosen.digest {
            return Err(Spoiled);
        }
        Ok(self.insert(chosen, chunks, charge))
    }

    fn insert(&self, chosen: Chosen, chunks: Vec<Chunk>, mut charge: Charge) -> Option<Arc<Object>> {
        let store = &self.storage.store;
        let cost = Body::cost(&chunks);
        if let Some(missing) = cost.checked_sub(charge.bytes()) {
            charge.add(store.reserve(missing)?);
        }
        charge.shrink_to(cost);
        let own = store.reserve(Object::cost(&chosen.head))?;
        let object = Object::new(chosen.stored, chosen.head, Body::new(chunks, charge), own);
        if chosen.is_stale {
            object.mark_purged();
        }
        let object = Arc::new(object);
        (store.insert(Arc::clone(&object), chosen.since) == Insertion::Yes).then_some(object)
    }

    fn lock(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came is not what was written.
#[derive(Debug)]
pub(crate) struct Spoiled;

/// A copy that is to be used.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// When it was chosen, in the order of the memory's purges.
    since: Epoch,
    stored: Stored,
    head: Box<[u8]>,
    /// Names the copy among those of its key.
    pub(crate) variant: String,
    /// Names its body.
    pub(crate) digest: BodyDigest,
    /// Bytes of its body.
    pub(crate) length: u64,
    is_stale: bool,
}

/// A body on its way.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// What it is the body of.
    pub(crate) chosen: Chosen,
    chunks: Vec<Chunk>,
    digest: Sha256,
    length: u64,
    charge: Charge,
}

impl Arrival {
    /// Takes the next piece; false where it is not one of this body.
    pub(crate) fn push(&mut self, piece: &[u8]) -> bool {
        self.length += piece.len() as u64;
        if piece.is_empty() || self.length > self.chosen.length {
            return false;
        }
        self.digest.update(piece);
        self.chunks.push(Chunk::from(piece));
        true
    }
}
