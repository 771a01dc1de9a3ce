//! A stored response: its metadata, its head and its body, all of them shared and none of them ever changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::budget::Charge;
use super::codec::{Head, Parts};
use crate::policy::stored::Stored;

/// A piece of a body, shared by the store and all who read it.
pub type Chunk = Arc<[u8]>;

/// Bytes that the allocator keeps beside a shared piece: two counters.
const SHARED: usize = 2 * size_of::<usize>();

/// A complete body. Cheap to clone: its bytes are shared.
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

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.chunks().iter().map(|chunk| chunk.len() as u64).sum()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.content.is_none()
    }

    /// Its pieces, in order.
    pub fn chunks(&self) -> &[Chunk] {
        match self.content.as_deref().map(|content| &content.chunks) {
            None => &[],
            Some(Chunks::One(chunk)) => std::slice::from_ref(chunk),
            Some(Chunks::Many(chunks)) => chunks,
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
    _charge: Charge,
}

impl Object {
    /// A response; `charge` pays for it as [`Object::cost`] says. The body has its own.
    pub fn new(stored: Stored, head: Box<[u8]>, body: Body, charge: Charge) -> Self {
        Self { stored, head, body, purged: AtomicBool::new(false), _charge: charge }
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
