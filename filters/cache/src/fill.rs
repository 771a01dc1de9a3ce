//! A response on its way into the store: its body is collected in pieces, paid for as they come, and shown to those who wait.

use std::sync::Arc;

use ferrule_kit::{FieldLines, Host};

use crate::part::{Part, just};
use crate::policy::partial::{Span, strong_tag};
use crate::policy::stored::Stored;
use crate::recast::{Onward, differences};
use crate::storage::{Fetch, FlightHead, Shared, Since};
use crate::store::codec::Head;
use crate::store::pieces::LEAST_CHUNK;
use crate::store::{Body, Charge, Chunk, Object, Stored as Outcome};

/// What those who read along are not kept waiting for more for.
const LEAST_READ: usize = 512;
/// Pieces in a flight are as long at most.
const MOST_CHUNK: usize = 64 * 1024;
/// As much of each body is kept, however much is being filled: fills of large ones must not keep small ones out.
const SMALL: u64 = 64 * 1024;

/// Who fills for whom.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The key under which the fetch is shared.
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
            wake(storage.flights.abandon(flight));
        }
    }

    /// What this fetch brought cannot be stored. `marks` says that the next one will bring the same.
    pub(crate) fn release(self, storage: &Shared, now: crate::policy::time::Time, marks: bool) {
        if let Some(flight) = &self.flight {
            wake(storage.flights.release(flight, now));
            if !marks {
                storage.flights.unmark(&self.key);
            }
        }
    }

    /// What this fetch brought is stored.
    pub(crate) fn land(self, storage: &Shared, object: &Arc<Object>) {
        storage.flights.unmark(&self.key);
        if let Some(flight) = &self.flight {
            storage.flights.land(flight);
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
    /// The body is larger than one may be.
    TooLarge,
    /// There is no room for it now.
    NoRoom,
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
    /// Which bytes these are, where the response is a part.
    span: Option<Span>,
    chunks: Vec<Chunk>,
    tail: Vec<u8>,
    length: u64,
    charge: Option<Charge>,
    /// What it takes of the part of the budget that all fills have.
    share: Option<Charge>,
    /// How long it was when it was last looked whether it gets on.
    watched: Option<u64>,
    /// The request that the response answers, where others may want the rest of it.
    onward: Option<Onward>,
}

impl Fill {
    /// Begins one, which those who wait read along.
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
        if declared.is_some_and(|length| length > SMALL && !storage.store.has_share(length)) {
            return Err((seat, Refused::NoRoom));
        }
        let fill = Self {
            seat,
            stored,
            head,
            declared,
            span: None,
            chunks: Vec::new(),
            tail: Vec::new(),
            length: 0,
            charge: None,
            share: None,
            watched: None,
            onward: None,
        };
        if let Some(flight) = &fill.seat.flight {
            let head = FlightHead { stored, head: fill.head.clone(), length: declared };
            wake(flight.stream(Arc::new(head), stored.response_time));
        }
        Ok(fill)
    }

    /// Begins one of a part.
    pub(crate) fn begin_part(
        seat: Seat,
        stored: Stored,
        head: Box<[u8]>,
        span: Span,
        storage: &Shared,
    ) -> Result<Self, (Seat, Refused)> {
        let fill = Self::begin(seat, stored, head, Some(span.length()), storage)?;
        Ok(Self { span: Some(span), ..fill })
    }

    /// Keeps the request, so that the rest can be asked for where its client goes away. `came` is how it came: not where credentials
    /// were made for it, or another method.
    pub(crate) fn remember(&mut self, host: &dyn Host, came: &[(String, Vec<u8>)]) {
        if self.seat.flight.is_none() || !host.runs_errands() {
            return;
        }
        let is_alike = |lines: FieldLines| lines.iter().all(|(name, _)| name != ":method");
        self.onward = differences(came, host).is_some_and(is_alike).then(|| Onward::read(host)).flatten();
    }

    /// The request, where someone else reads the response along.
    pub(crate) fn onward(&mut self) -> Option<Onward> {
        let is_read = self.seat.flight.as_ref().is_some_and(|flight| flight.is_read());
        if is_read { self.onward.take() } else { None }
    }

    /// Whether this was not asked before and others may read along.
    pub(crate) fn begins_to_be_watched(&mut self) -> bool {
        self.onward.is_some() && self.watched.replace(self.length).is_none()
    }

    /// Whether bytes have come since this was last asked.
    pub(crate) fn gets_on(&mut self) -> bool {
        self.watched.replace(self.length) != Some(self.length)
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
        self.collect(bytes, storage)?;
        let is_awaited = || self.seat.flight.as_ref().is_some_and(|flight| flight.waiters() > 0);
        if self.tail.len() >= LEAST_READ && is_awaited() {
            self.flush(storage)?;
        }
        Ok(())
    }

    /// Copies each byte once where pieces are long enough.
    fn collect(&mut self, mut bytes: &[u8], storage: &Shared) -> Result<(), Refused> {
        while !bytes.is_empty() {
            if self.tail.is_empty() && bytes.len() >= LEAST_CHUNK {
                let (piece, rest) = bytes.split_at(bytes.len().min(MOST_CHUNK));
                self.keep(piece.into(), storage)?;
                bytes = rest;
                continue;
            }
            let (joined, rest) = bytes.split_at(bytes.len().min(LEAST_CHUNK - self.tail.len()));
            self.tail.extend_from_slice(joined);
            if self.tail.len() == LEAST_CHUNK {
                self.flush(storage)?;
            }
            bytes = rest;
        }
        Ok(())
    }

    fn flush(&mut self, storage: &Shared) -> Result<(), Refused> {
        if self.tail.is_empty() {
            return Ok(());
        }
        let chunk = Chunk::from(&self.tail[..]);
        self.tail.clear();
        self.keep(chunk, storage)
    }

    fn keep(&mut self, chunk: Chunk, storage: &Shared) -> Result<(), Refused> {
        let cost = Body::chunk_cost(chunk.len()) + size_of::<Chunk>();
        if self.length > SMALL {
            add(&mut self.share, storage.store.share(cost).ok_or(Refused::NoRoom)?);
        }
        add(&mut self.charge, storage.store.reserve(cost).ok_or(Refused::NoRoom)?);
        self.chunks.push(Arc::clone(&chunk));
        if let Some(flight) = &self.seat.flight {
            wake(flight.push(chunk));
        }
        Ok(())
    }

    /// All has come: the object is stored, and those who wait have it.
    pub(crate) fn finish(mut self, storage: &Shared) -> Result<Outcome, (Seat, Refused)> {
        if self.declared.is_some_and(|declared| declared != self.length) {
            return Err((self.into_seat(), Refused::WrongLength));
        }
        if let Err(refused) = self.flush(storage) {
            return Err((self.into_seat(), refused));
        }
        let Some(object) = self.object(storage) else { return Err((self.into_seat(), Refused::NoRoom)) };
        let outcome = storage.insert(&object, self.seat.since);
        self.seat.land(storage, &object);
        Ok(outcome)
    }

    fn object(&mut self, storage: &Shared) -> Option<Arc<Object>> {
        let (chunks, charge) = (std::mem::take(&mut self.chunks), self.charge.take());
        let (stored, head) = (self.stored, std::mem::take(&mut self.head));
        if let Some(span) = self.span {
            return Part { stored, head, span, chunks, charge }.into_object(storage);
        }
        let body = match charge {
            None => Body::EMPTY,
            charge => {
                let cost = Body::cost(&chunks);
                Body::new(chunks, just(charge, cost, &storage.store)?)
            }
        };
        let charge = storage.store.reserve(Object::cost(&head))?;
        Some(Arc::new(Object::new(stored, head, body, charge)))
    }

    /// No more of it will come. What has come is kept as a part, where a strong tag says what else is of the same representation
    /// (RFC 9111 §3.3).
    pub(crate) fn break_off(mut self, storage: &Shared) {
        let is_tagged = self.stored.status == 200 && strong_tag(self.head().line("etag")).is_some();
        let whole = |complete| Span { first: 0, end: complete, complete };
        let all = self.span.or(self.declared.map(whole)).filter(|_| is_tagged);
        self.span = all.and_then(|span| span.cut(self.length));
        if self.span.is_some()
            && self.flush(storage).is_ok()
            && let Some(object) = self.object(storage)
        {
            storage.insert(&object, self.seat.since);
        }
        self.into_seat().abandon(storage);
    }

    /// Nothing will come of it.
    pub(crate) fn into_seat(self) -> Seat {
        if let (Some(flight), Some(charge)) = (&self.seat.flight, self.charge) {
            flight.hold(charge);
        }
        self.seat
    }
}

fn add(sum: &mut Option<Charge>, more: Charge) {
    match sum {
        Some(charge) => charge.add(more),
        None => *sum = Some(more),
    }
}
