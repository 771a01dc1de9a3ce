//! Answers that a filter gives piece by piece, and streams that wait for what happens to another stream: what filters need that
//! share something between streams, such as a cache.
//!
//! A filter begins an answer by [`crate::Flow::Open`]; the host then asks for its body by `on_room` whenever the client takes more.
//! A filter that waits, be it with a request held by [`crate::Flow::AwaitReply`] or with an answer that has nothing to send yet, leaves
//! its [`Waker`] with whoever it waits for. Hosts without wakers cannot have streams wait for each other: a filter must do without.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::FieldLines;

/// Has one stream's `on_wake` called, from any thread. After the stream's end it does nothing.
pub trait Wake: Send + Sync {
    /// Several wakes may come as one.
    fn wake(&self);
}

/// Wakes one stream.
#[derive(Clone)]
pub struct Waker(pub Arc<dyn Wake>);

impl Waker {
    /// Has the stream's `on_wake` called, once what runs now has returned.
    pub fn wake(&self) {
        self.0.wake();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

/// How an answer begins whose body comes by `on_room`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Status code (RFC 9110 §15).
    pub status: u16,
    /// Field lines besides `:status`, content-length among them where it is known.
    pub fields: FieldLines,
    /// No body follows.
    pub end: bool,
    /// Response-code details for access logs, as in [`crate::Response`].
    pub details: Cow<'static, str>,
}

/// An answer that is all at hand, and that others may hold, too. It is one that clients can read: its status is from 200 on, and no
/// value could end its line.
pub trait Ready {
    /// Status code (RFC 9110 §15).
    fn status(&self) -> u16;

    /// Tells each field line besides `:status`, in order, content-length among them.
    fn lines<'a>(&'a self, each: &mut dyn FnMut(&'a [u8], &'a [u8]));

    /// How many pieces the body has; none for no body.
    fn pieces(&self) -> usize;

    /// The piece of that place.
    fn piece(&self, place: usize) -> &[u8];
}

/// Bytes that others hold, too: they reach the proxy without a copy in between.
#[derive(Clone, Debug)]
pub struct Piece {
    bytes: Arc<[u8]>,
    range: Range<usize>,
}

impl Piece {
    /// A part of `bytes`, cut to what there is.
    pub fn new(bytes: Arc<[u8]>, range: Range<usize>) -> Self {
        let end = range.end.min(bytes.len());
        let range = range.start.min(end)..end;
        Self { bytes, range }
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Piece {}

/// What there is to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supply {
    /// These bytes; with `end`, they are the last.
    Data {
        /// In order; may be none at the end.
        pieces: Vec<Piece>,
        /// Nothing follows.
        end: bool,
    },
    /// Nothing yet: `on_room` is called again after the next wake.
    Wait,
    /// What is missing will not come: the client must not take the answer for whole.
    Reset,
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
