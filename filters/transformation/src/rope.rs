//! Bytes in pieces: some that a render made, others lent by the message it read.
//!
//! Invariant: no piece that was made is larger than a chunk and what was written at once, so that a large output never exists
//! twice while it grows.

use std::borrow::Cow;

use smallvec::SmallVec;

/// Made pieces grow up to this size, in bytes.
const CHUNK: usize = 64 * 1024;
/// Smaller pieces are copied rather than lent, in bytes.
const WORTH_LENDING: usize = 1024;

/// Bytes in one piece, on the stack as long as they are few: most header values are.
pub(crate) type Bytes = SmallVec<[u8; 64]>;

/// Bytes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Rope<'a> {
    pieces: Vec<Cow<'a, [u8]>>,
    /// The last piece, still growing.
    tail: Bytes,
    len: usize,
}

impl<'a> Rope<'a> {
    /// An empty one that is to be about as long as `len` bytes.
    pub(crate) fn with_room_for(len: usize) -> Self {
        // What is longer is lent for the most part.
        let room = if len < 2 * WORTH_LENDING { len + len / 8 } else { 0 };
        Self { tail: Bytes::with_capacity(room), ..Self::default() }
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends a copy of `bytes`.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.tail.len() >= CHUNK {
            self.close_tail();
        }
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends `bytes` without a copy where that pays.
    pub(crate) fn lend(&mut self, bytes: &'a [u8]) {
        if bytes.len() < WORTH_LENDING {
            return self.push(bytes);
        }
        self.close_tail();
        self.pieces.push(Cow::Borrowed(bytes));
        self.len += bytes.len();
    }

    /// The bytes in chunks.
    pub(crate) fn chunks(&self) -> Vec<&[u8]> {
        let pieces = self.pieces.iter().map(|piece| &**piece);
        pieces.chain((!self.tail.is_empty()).then_some(&*self.tail)).collect()
    }

    /// The bytes in one piece.
    pub(crate) fn into_bytes(self) -> Bytes {
        if self.pieces.is_empty() { self.tail } else { self.chunks().concat().into() }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push(Cow::Owned(std::mem::take(&mut self.tail).into_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn pieces_keep_their_order_and_large_ones_are_lent() {
        let large = vec![b'x'; WORTH_LENDING];
        let mut rope = Rope::default();
        rope.push(b"a");
        rope.lend(b"b");
        rope.lend(&large);
        rope.push(b"c");
        assert_eq!(rope.chunks(), [&b"ab"[..], &large, b"c"]);
        assert_eq!(rope.chunks()[1].as_ptr(), large.as_ptr());
        assert_eq!(rope.len(), WORTH_LENDING + 3);
        assert_eq!(&*rope.into_bytes(), [&b"ab"[..], &large, b"c"].concat());
    }

    #[test]
    fn what_is_made_grows_by_chunks() {
        let mut rope = Rope::default();
        (0..3 * CHUNK / 100 + 1).for_each(|_| rope.push(&[b'y'; 100]));
        assert_eq!(rope.chunks().len(), 3);
        assert!(rope.chunks().iter().all(|chunk| chunk.len() < CHUNK + 100));
        assert_eq!(rope.into_bytes().len(), 3 * CHUNK / 100 * 100 + 100);
    }
}
