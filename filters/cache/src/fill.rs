//! A response on its way into the store: its body is collected in pieces, paid for as they come, and shown to those who wait.

use std::sync::Arc;

use ferrule_kit::Host;

use crate::policy::stored::Stored;
use crate::recast::Onward;
use crate::storage::{Fetch, FlightHead, Shared, Since};
use crate::store::codec::Head;
use crate::store::{Body, Charge, Chunk, Object, Stored as Outcome};

/// Smaller pieces are joined until they are as long: a body of single bytes must not take a pointer for each.
const LEAST_CHUNK: usize = 4 * 1024;
/// Pieces in a flight are as long at most.
const MOST_CHUNK: usize = 64 * 1024;

/// Who fills for whom.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The key.
    pub(crate) key: Vec<u8>,
    /// The fetch that others may wait for; none for who fetches on its own.
    pub(crate) flight: Option<Arc<Fetch>>,
    /// When the fetch began, in the order of purges.
    pub(crate) since: Since,
}

impl Seat {
    /// Nothing will come of this fetch.
    pub(crate) fn abandon(self, storage: &Shared) {
        if let Some(flight) = &self.flight {
            wake(storage.flights.abandon(&self.key, flight));
        }
    }

    /// What this fetch brought cannot be stored. `marks` says that the next one will bring the same.
    pub(crate) fn release(self, storage: &Shared, now: crate::policy::time::Time, marks: bool) {
        if let Some(flight) = &self.flight {
            wake(storage.flights.release(&self.key, flight, now));
            if !marks {
                storage.flights.unmark(&self.key);
            }
        }
    }

    /// What this fetch brought is stored.
    pub(crate) fn land(self, storage: &Shared, object: &Arc<Object>) {
        storage.flights.unmark(&self.key);
        if let Some(flight) = &self.flight {
            storage.flights.land(&self.key, flight);
            wake(flight.complete(Arc::clone(object)));
        }
    }
}

fn wake(wakers: Vec<ferrule_kit::Waker>) {
    wakers.iter().for_each(ferrule_kit::Waker::wake);
}

/// Why a fill ends without an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The body is larger than one may be, or than there is room for.
    TooLarge,
    /// The body is not as long as the response said.
    WrongLength,
}

/// A fill.
#[derive(Debug)]
pub(crate) struct Fill {
    seat: Seat,
    stored: Stored,
    head: Box<[u8]>,
    /// What the response said of its length.
    declared: Option<u64>,
    chunks: Vec<Chunk>,
    tail: Vec<u8>,
    length: u64,
    charge: Option<Charge>,
    streams: bool,
    /// The request that the response answers, where others may want the rest of it.
    onward: Option<Onward>,
}

impl Fill {
    /// Begins one. Those who wait read along if the length is known and there is room for all of it.
    pub(crate) fn begin(
        seat: Seat,
        stored: Stored,
        head: Box<[u8]>,
        declared: Option<u64>,
        storage: &Shared,
    ) -> Result<Self, (Seat, Refused)> {
        let object_bytes = storage.store.limits().object_bytes as u64;
        if declared.is_some_and(|length| length > object_bytes) {
            return Err((seat, Refused::TooLarge));
        }
        let mut fill = Self {
            seat,
            stored,
            head,
            declared,
            chunks: Vec::new(),
            tail: Vec::new(),
            length: 0,
            charge: None,
            streams: false,
            onward: None,
        };
        fill.open(storage);
        Ok(fill)
    }

    fn open(&mut self, storage: &Shared) {
        let (Some(length), Some(flight)) = (self.declared, &self.seat.flight) else { return };
        let bytes = usize::try_from(length).unwrap_or(usize::MAX >> 1);
        let pieces = bytes / LEAST_CHUNK + 2;
        let cost = bytes.saturating_add(pieces * (size_of::<Chunk>() + Body::chunk_cost(0)));
        self.charge = storage.store.reserve(cost.saturating_add(Body::cost(&[Chunk::from([])])));
        self.streams = self.charge.is_some();
        if self.streams {
            let head = FlightHead { stored: self.stored, head: self.head.clone(), length };
            wake(flight.stream(Arc::new(head)));
        }
    }

    /// Keeps the request, so that the rest can be asked for where its client goes away.
    pub(crate) fn remember(&mut self, host: &dyn Host) {
        self.onward = self.streams.then(|| Onward::read(host)).flatten();
    }

    /// The request, where someone else reads the response along.
    pub(crate) fn onward(&mut self) -> Option<Onward> {
        let is_read = self.seat.flight.as_ref().is_some_and(|flight| flight.is_read());
        self.onward.take().filter(|_| is_read)
    }

    /// What is known of the response.
    pub(crate) fn head(&self) -> Head<'_> {
        Head::new(&self.head)
    }

    /// Bytes that have come.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of all of the body, where that is known.
    pub(crate) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Whether `bytes` stand at that place of what has come.
    pub(crate) fn has(&self, mut place: u64, mut bytes: &[u8]) -> bool {
        let parts = self.chunks.iter().map(|chunk| &**chunk).chain(std::iter::once(&self.tail[..]));
        for part in parts {
            let skipped = usize::try_from(place).unwrap_or(usize::MAX).min(part.len());
            place -= skipped as u64;
            let length = (part.len() - skipped).min(bytes.len());
            if part[skipped..skipped + length] != bytes[..length] {
                return false;
            }
            bytes = &bytes[length..];
        }
        bytes.is_empty()
    }

    /// Takes bytes of the body.
    pub(crate) fn push(&mut self, bytes: &[u8], storage: &Shared) -> Result<(), Refused> {
        self.length += bytes.len() as u64;
        if self.declared.is_some_and(|declared| self.length > declared) {
            return Err(Refused::WrongLength);
        }
        if self.length > storage.store.limits().object_bytes as u64 {
            return Err(Refused::TooLarge);
        }
        for part in bytes.chunks(MOST_CHUNK) {
            self.tail.extend_from_slice(part);
            if self.tail.len() >= LEAST_CHUNK {
                self.flush(storage)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, storage: &Shared) -> Result<(), Refused> {
        if self.tail.is_empty() {
            return Ok(());
        }
        if !self.streams {
            let cost = Body::chunk_cost(self.tail.len()) + size_of::<Chunk>();
            let more = storage.store.reserve(cost).ok_or(Refused::TooLarge)?;
            match &mut self.charge {
                Some(charge) => charge.add(more),
                none => *none = Some(more),
            }
        }
        let chunk = Chunk::from(&self.tail[..]);
        self.tail.clear();
        self.chunks.push(Arc::clone(&chunk));
        if let Some(flight) = self.seat.flight.as_ref().filter(|_| self.streams) {
            wake(flight.push(chunk));
        }
        Ok(())
    }

    /// All has come: the object is stored, and those who wait have it.
    pub(crate) fn finish(mut self, storage: &Shared) -> Result<Outcome, (Seat, Refused)> {
        if self.declared.is_some_and(|declared| declared != self.length) {
            return Err((self.seat, Refused::WrongLength));
        }
        if let Err(refused) = self.flush(storage) {
            return Err((self.seat, refused));
        }
        let Some(object) = self.object(storage) else { return Err((self.seat, Refused::TooLarge)) };
        let outcome = storage.insert(&object, self.seat.since);
        self.seat.land(storage, &object);
        Ok(outcome)
    }

    fn object(&mut self, storage: &Shared) -> Option<Arc<Object>> {
        let chunks = std::mem::take(&mut self.chunks);
        let cost = Body::cost(&chunks);
        let body = match self.charge.take() {
            None => Body::EMPTY,
            Some(mut charge) => {
                if let Some(missing) = cost.checked_sub(charge.bytes()) {
                    charge.add(storage.store.reserve(missing)?);
                }
                charge.shrink_to(cost);
                Body::new(chunks, charge)
            }
        };
        let charge = storage.store.reserve(Object::cost(&self.head))?;
        Some(Arc::new(Object::new(self.stored, std::mem::take(&mut self.head), body, charge)))
    }

    /// Nothing will come of it.
    pub(crate) fn into_seat(self) -> Seat {
        self.seat
    }
}
