//! A stored response: its metadata, its head and its body, all of them shared and none of them ever changed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::budget::Charge;
use super::codec::{Head, Parts};
use crate::policy::partial::Runs;
use crate::policy::stored::Stored;

/// A piece of a body, shared by the store and all who read it.
pub type Chunk = Arc<[u8]>;

/// Bytes that the allocator keeps beside a shared piece: two counters.
const SHARED: usize = 2 * size_of::<usize>();

/// A body, or runs of one that is not all there. Cheap to clone: its bytes are shared.
#[derive(Clone, Debug)]
pub struct Body {
    content: Option<Arc<Content>>,
}

#[derive(Debug)]
struct Content {
    chunks: Chunks,
    _charge: Charge,
}

#[derive(Debug)]
enum Chunks {
    One(Chunk),
    Many(Box<[Chunk]>),
    Partial(Box<Partial>),
}

/// Runs of a body, and their bytes one after the other.
#[derive(Debug)]
struct Partial {
    runs: Runs,
    chunks: Box<[Chunk]>,
}

impl Body {
    /// No bytes at all.
    pub const EMPTY: Self = Self { content: None };

    /// A body of these pieces, whose bytes `charge` has paid for as [`Body::cost`] says.
    pub fn new(mut chunks: Vec<Chunk>, charge: Charge) -> Self {
        let chunks = match chunks.len() {
            0 => return Self::EMPTY,
            1 => Chunks::One(chunks.remove(0)),
            _ => Chunks::Many(chunks.into_boxed_slice()),
        };
        Self { content: Some(Arc::new(Content { chunks, _charge: charge })) }
    }

    /// Runs of a body, of whose bytes these are the pieces; `charge` pays as [`Body::partial_cost`] says.
    pub fn partial(runs: Runs, chunks: Vec<Chunk>, charge: Charge) -> Self {
        let chunks = Chunks::Partial(Box::new(Partial { runs, chunks: chunks.into_boxed_slice() }));
        Self { content: Some(Arc::new(Content { chunks, _charge: charge })) }
    }

    /// Bytes of memory that such runs take.
    pub fn partial_cost(runs: &Runs, chunks: &[Chunk]) -> usize {
        let bytes: usize = chunks.iter().map(|chunk| Self::chunk_cost(chunk.len())).sum();
        let lists = size_of_val(chunks) + size_of_val(runs.list());
        size_of::<Content>() + SHARED + size_of::<Partial>() + lists + bytes
    }

    /// Bytes of memory that a body of these pieces takes.
    pub fn cost(chunks: &[Chunk]) -> usize {
        match chunks {
            [] => 0,
            [one] => size_of::<Content>() + SHARED + Self::chunk_cost(one.len()),
            many => {
                let bytes: usize = many.iter().map(|chunk| Self::chunk_cost(chunk.len())).sum();
                size_of::<Content>() + SHARED + size_of_val(many) + bytes
            }
        }
    }

    /// Bytes of memory that a piece of that length takes.
    pub fn chunk_cost(length: usize) -> usize {
        SHARED + length
    }

    /// What of it is there; none where all is.
    pub fn runs(&self) -> Option<&Runs> {
        match self.content.as_deref().map(|content| &content.chunks) {
            Some(Chunks::Partial(partial)) => Some(&partial.runs),
            _ => None,
        }
    }

    /// Bytes of the whole of it.
    pub fn complete(&self) -> u64 {
        self.runs().map_or_else(|| self.len(), Runs::complete)
    }

    /// Where some bytes of the whole stand in the pieces; nowhere if they are not all there.
    pub fn place(&self, bytes: Range<u64>) -> Range<u64> {
        match self.runs().map(|runs| runs.place(bytes.start, bytes.end)) {
            None => bytes,
            Some(Some(first)) => first..first + (bytes.end - bytes.start),
            Some(None) => 0..0,
        }
    }

    /// Bytes that are there.
    pub fn len(&self) -> u64 {
        self.chunks().iter().map(|chunk| chunk.len() as u64).sum()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.content.is_none()
    }

    /// Whether others hold it, too.
    pub(super) fn is_shared(&self) -> bool {
        self.content.as_ref().is_some_and(|content| Arc::strong_count(content) > 1)
    }

    /// The pieces of what is there, in order.
    pub fn chunks(&self) -> &[Chunk] {
        match self.content.as_deref().map(|content| &content.chunks) {
            None => &[],
            Some(Chunks::One(chunk)) => std::slice::from_ref(chunk),
            Some(Chunks::Many(chunks)) => chunks,
            Some(Chunks::Partial(partial)) => &partial.chunks,
        }
    }
}

/// A stored response.
#[derive(Debug)]
pub struct Object {
    stored: Stored,
    head: Box<[u8]>,
    body: Body,
    /// Marked stale by a soft purge.
    purged: AtomicBool,
    _charge: Option<Charge>,
}

impl Object {
    /// A response; `charge` pays for it as [`Object::cost`] says. The body has its own.
    pub fn new(stored: Stored, head: Box<[u8]>, body: Body, charge: Charge) -> Self {
        Self { stored, head, body, purged: AtomicBool::new(false), _charge: Some(charge) }
    }

    /// A response that answers one request and is not to be stored: it pays for nothing.
    pub fn apart(stored: Stored, head: Box<[u8]>, body: Body) -> Self {
        Self { stored, head, body, purged: AtomicBool::new(false), _charge: None }
    }

    /// Bytes of memory that an object with that head takes, its place in the index and its body not counted.
    pub fn cost(head: &[u8]) -> usize {
        size_of::<Self>() + SHARED + head.len()
    }

    /// Its metadata.
    pub fn stored(&self) -> &Stored {
        &self.stored
    }

    /// Its head.
    pub fn head(&self) -> Head<'_> {
        Head::new(&self.head)
    }

    /// The parts of its head.
    pub fn parts(&self) -> Parts {
        super::codec::parts(&self.head())
    }

    /// The head's bytes.
    pub fn head_bytes(&self) -> &[u8] {
        &self.head
    }

    /// Its key.
    pub fn key(&self) -> &[u8] {
        self.head().key()
    }

    /// Its body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Whether a soft purge has marked it stale.
    pub fn is_purged(&self) -> bool {
        self.purged.load(Ordering::Relaxed)
    }

    pub(crate) fn mark_purged(&self) {
        self.purged.store(true, Ordering::Relaxed);
    }
}
