//! An answer out of the store: its head, and its body as the client takes it.

use std::collections::VecDeque;
use std::sync::Arc;

use ferrule_kit::{FieldLines, Opening, Piece, Supply};

use crate::collapse::{Progress, Ticket};
use crate::policy::answer::Answer;
use crate::policy::date;
use crate::policy::range::{content_range, unsatisfied_range};
use crate::policy::response_fields::goes_into_not_modified;
use crate::policy::stored::Stored;
use crate::policy::time::Time;
use crate::storage::Fetch;
use crate::store::codec::Head;
use crate::store::pieces::cut;
use crate::store::{Body, Chunk};

/// Bytes handed out at once.
const AT_ONCE: usize = 256 * 1024;

/// The length of a body that has not come to its end, and whose head does not say.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// The head of an answer.
pub(crate) struct Prepared {
    pub(crate) status: u16,
    pub(crate) fields: FieldLines,
    /// The bytes of the stored body that follow, the last one excluded.
    pub(crate) bytes: std::ops::Range<u64>,
}

/// Makes the head of an answer from what is stored. `length` is that of the whole body.
pub(crate) fn prepare(answer: Answer, stored: &Stored, head: &Head<'_>, length: u64, now: Time) -> Prepared {
    let (status, bytes) = match answer {
        Answer::Whole => (stored.status, 0..length),
        Answer::Part { first, last } => (206, first..last + 1),
        Answer::NotModified => (304, 0..0),
        Answer::Unsatisfiable => (416, 0..0),
    };
    let keeps = |name: &str| match answer {
        Answer::NotModified => goes_into_not_modified(name),
        // What describes the content does not describe that of an error.
        Answer::Unsatisfiable => !name.starts_with("content-") && !matches!(name, "etag" | "last-modified"),
        Answer::Whole | Answer::Part { .. } => name != "content-range",
    };
    let lines = head.lines().filter(|(name, _)| keeps(name));
    let mut fields: FieldLines = lines.map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
    let mut add = |name: &str, value: String| fields.push((name.to_owned(), value.into_bytes()));
    // RFC 9110 §6.6.1: a recipient with a clock that caches a response without Date adds the time it came.
    if head.line("date").is_none() {
        add("date", date::format(stored.date));
    }
    match answer {
        Answer::Part { first, last } => add("content-range", content_range(first, last, length)),
        Answer::Unsatisfiable => add("content-range", unsatisfied_range(length)),
        Answer::Whole | Answer::NotModified => {}
    }
    // RFC 9110 §8.6: none in a 204; in a 304 it would say the length of another message.
    if !matches!(status, 204 | 304) && bytes.end != UNKNOWN {
        add("content-length", (bytes.end - bytes.start).to_string());
    }
    // RFC 9111 §5.1: MUST be sent with what is not just now validated.
    add("age", stored.age(now).to_string());
    Prepared { status, fields, bytes }
}

/// The body of an answer under way.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    ready: VecDeque<Piece>,
    /// Bytes of the stored body taken so far.
    taken: u64,
    end: u64,
    /// What the bytes are part of: it is charged to the store's budget until this lets go of it.
    _held: Option<Body>,
    /// The fetch that the rest comes from.
    source: Option<(Arc<Fetch>, Ticket)>,
}

impl Serving {
    /// Some bytes of a stored body.
    pub(crate) fn stored(body: &Body, bytes: std::ops::Range<u64>) -> Self {
        let mut serving = Self { end: bytes.end, _held: Some(body.clone()), ..Self::default() };
        serving.take(body.chunks(), bytes.start);
        serving
    }

    /// All bytes of a body that is being fetched; what was fetched stays charged while its flight is held.
    pub(crate) fn read_along(chunks: &[Chunk], length: u64, fetch: Arc<Fetch>, ticket: Ticket) -> Self {
        let mut serving = Self { end: length, source: Some((fetch, ticket)), ..Self::default() };
        serving.take_next(chunks);
        serving
    }

    /// Takes what stands from `first` on in a body that these are the pieces of.
    fn take(&mut self, chunks: &[Chunk], first: u64) {
        self.taken = self.taken.max(first);
        for (chunk, range) in cut(chunks, first..self.end) {
            self.taken += range.len() as u64;
            self.ready.push_back(Piece::new(Arc::clone(chunk), range));
        }
    }

    /// Takes pieces that follow on what was taken.
    fn take_next(&mut self, chunks: &[Chunk]) {
        for chunk in chunks {
            self.ready.push_back(Piece::new(Arc::clone(chunk), 0..chunk.len()));
            self.taken += chunk.len() as u64;
        }
    }

    /// The fetch that it still reads along.
    pub(crate) fn source(&mut self) -> Option<(Arc<Fetch>, Ticket)> {
        self.source.take()
    }

    /// What to send next.
    pub(crate) fn supply(&mut self, now: Time) -> Supply {
        if self.ready.is_empty() && self.taken < self.end {
            match self.read_on(now) {
                Ok(true) => {}
                Ok(false) => return Supply::Wait,
                Err(()) => return Supply::Reset,
            }
        }
        let mut pieces = Vec::new();
        let mut bytes = 0;
        while bytes < AT_ONCE
            && let Some(piece) = self.ready.pop_front()
        {
            bytes += piece.len();
            pieces.push(piece);
        }
        let end = self.ready.is_empty() && self.taken >= self.end;
        Supply::Data { pieces, end }
    }

    /// Whether there is more now; an error where there will not be.
    fn read_on(&mut self, now: Time) -> Result<bool, ()> {
        let Some((fetch, ticket)) = &self.source else { return Err(()) };
        match fetch.look(*ticket, now) {
            Progress::Pending => Ok(false),
            Progress::Streaming { chunks, .. } => {
                self.take_next(&chunks);
                Ok(!chunks.is_empty())
            }
            Progress::Landed(object) => {
                let from = self.taken;
                self.end = self.end.min(object.body().len());
                self.take(object.body().chunks(), from);
                if self.taken < self.end { Err(()) } else { Ok(true) }
            }
            Progress::Broken | Progress::Alone | Progress::TakeOver => Err(()),
        }
    }
}

/// The head as a host sends it.
pub(crate) fn opening(
    prepared: &Prepared,
    fields: FieldLines,
    is_head: bool,
    details: &'static str,
) -> Opening {
    let end = is_head || prepared.bytes.is_empty();
    Opening { status: prepared.status, fields, end, details: details.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Limits, Store};

    #[test]
    fn what_is_served_is_charged_until_it_has_been_sent() {
        let store = Store::new(Limits::default());
        let chunks: Vec<Chunk> = vec![vec![0; 100_000].into()];
        let idle = store.bytes();
        let body = Body::new(chunks.clone(), store.reserve(Body::cost(&chunks)).unwrap());
        let serving = Serving::stored(&body, 0..100_000);
        drop(body);
        assert!(store.bytes() >= idle + 100_000);
        drop(serving);
        assert_eq!(store.bytes(), idle);
    }
}
