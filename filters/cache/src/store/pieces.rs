//! Lists of pieces of a body: cut, compared and joined, without copies but at their edges.

use std::ops::Range;

use super::object::Chunk;

/// Smaller pieces are joined until they are as long: a body of single bytes must not take a pointer for each.
pub const LEAST_CHUNK: usize = 4 * 1024;

/// What of each piece lies within `bytes` of the body that they make.
pub fn cut(chunks: &[Chunk], bytes: Range<u64>) -> impl Iterator<Item = (&Chunk, Range<usize>)> {
    let mut at = 0;
    chunks.iter().filter_map(move |chunk| {
        let (from, to) = (at, at + chunk.len() as u64);
        at = to;
        let (begin, end) = (bytes.start.max(from), bytes.end.min(to));
        let place = |position: u64| usize::try_from(position - from).unwrap_or(usize::MAX);
        (begin < end).then(|| (chunk, place(begin)..place(end)))
    })
}

/// Whether two bodies have the same bytes in these places.
pub fn are_equal(a: (&[Chunk], Range<u64>), b: (&[Chunk], Range<u64>)) -> bool {
    let (mut a, mut b) = (Slices::of(cut(a.0, a.1)), Slices::of(cut(b.0, b.1)));
    loop {
        match (a.fill(), b.fill()) {
            (true, true) => {}
            (more_a, more_b) => return more_a == more_b,
        }
        let length = a.rest.len().min(b.rest.len());
        if a.take(length) != b.take(length) {
            return false;
        }
    }
}

struct Slices<'a, I> {
    pieces: I,
    rest: &'a [u8],
}

impl<'a, I: Iterator<Item = (&'a Chunk, Range<usize>)>> Slices<'a, I> {
    fn of(pieces: I) -> Self {
        Self { pieces, rest: &[] }
    }

    fn fill(&mut self) -> bool {
        if self.rest.is_empty()
            && let Some((chunk, range)) = self.pieces.next()
        {
            self.rest = &chunk[range];
        }
        !self.rest.is_empty()
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

/// Pieces that follow one another.
#[derive(Debug, Default)]
pub struct Joined {
    chunks: Vec<Chunk>,
    tail: Vec<u8>,
}

impl Joined {
    /// Appends what of these pieces lies within `bytes`.
    pub fn push(&mut self, chunks: &[Chunk], bytes: Range<u64>) {
        for (chunk, range) in cut(chunks, bytes) {
            if range.len() < LEAST_CHUNK {
                self.tail.extend_from_slice(&chunk[range]);
                if self.tail.len() >= LEAST_CHUNK {
                    self.flush();
                }
                continue;
            }
            self.flush();
            let is_all = range.len() == chunk.len();
            self.chunks.push(if is_all { Chunk::clone(chunk) } else { Chunk::from(&chunk[range]) });
        }
    }

    fn flush(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push(Chunk::from(&self.tail[..]));
            self.tail.clear();
        }
    }

    /// The pieces.
    pub fn finish(mut self) -> Vec<Chunk> {
        self.flush();
        self.chunks
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn chunks(parts: &[&[u8]]) -> Vec<Chunk> {
        parts.iter().map(|part| Chunk::from(*part)).collect()
    }

    #[test]
    fn bodies_are_compared_whatever_their_pieces() {
        let (a, b) = (chunks(&[b"ab", b"c", b"def"]), chunks(&[b"xabcde"]));
        assert!(are_equal((&a, 0..5), (&b, 1..6)));
        assert!(are_equal((&a, 2..3), (&b, 3..4)));
        assert!(are_equal((&a, 3..3), (&b, 0..0)));
        assert!(!are_equal((&a, 0..5), (&b, 0..5)));
        assert!(!are_equal((&a, 0..5), (&b, 1..5)));
        assert!(!are_equal((&a, 0..6), (&b, 1..9)));
    }

    #[test]
    fn large_pieces_are_shared_and_small_ones_joined() {
        let large = Chunk::from(vec![1; LEAST_CHUNK]);
        let mut joined = Joined::default();
        joined.push(&[Chunk::clone(&large)], 0..LEAST_CHUNK as u64);
        for _ in 0..LEAST_CHUNK + 5 {
            joined.push(&chunks(&[b"abc"]), 1..2);
        }
        joined.push(&[Chunk::clone(&large), Chunk::clone(&large)], 1..2 * LEAST_CHUNK as u64 - 1);
        let joined = joined.finish();
        assert!(Chunk::ptr_eq(&joined[0], &large));
        assert_eq!(&*joined[1], &vec![b'b'; LEAST_CHUNK][..]);
        let lengths: Vec<usize> = joined[2..].iter().map(|chunk| chunk.len()).collect();
        assert_eq!(lengths.iter().sum::<usize>(), 5 + 2 * LEAST_CHUNK - 2);
        assert!(lengths.len() <= 3);
    }
}
