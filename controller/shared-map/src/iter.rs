//! Walks over chunks.

use crate::Chunk;

/// Entries of a map, ascending by key.
#[derive(Debug)]
pub struct Iter<'m, K, V> {
    chunks: &'m [Chunk<K, V>],
    /// In the first of them.
    place: usize,
}

impl<'m, K, V> Iter<'m, K, V> {
    /// From a place in the first chunk on.
    pub(crate) fn new(chunks: &'m [Chunk<K, V>], place: usize) -> Self {
        Self { chunks, place }
    }

    /// The entry that comes next.
    pub(crate) fn peek(&self) -> Option<&'m (K, V)> {
        self.chunks.first().and_then(|chunk| chunk.get(self.place))
    }

    /// The chunk that comes next, where it has not been begun.
    pub(crate) fn whole(&self) -> Option<&'m Chunk<K, V>> {
        self.chunks.first().filter(|_| self.place == 0)
    }

    /// Leaves out the rest of the chunk.
    pub(crate) fn skip_chunk(&mut self) {
        (self.chunks, self.place) = (self.chunks.get(1..).unwrap_or_default(), 0);
    }
}

impl<'m, K, V> Iterator for Iter<'m, K, V> {
    type Item = (&'m K, &'m V);

    fn next(&mut self) -> Option<Self::Item> {
        let (first, rest) = self.chunks.split_first()?;
        // Past the end of the last chunk, where a range begins behind all there is.
        let (key, value) = first.get(self.place)?;
        self.place += 1;
        if self.place == first.len() {
            (self.chunks, self.place) = (rest, 0);
        }
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left: usize = self.chunks.iter().map(|chunk| chunk.len()).sum();
        let left = left.saturating_sub(self.place);
        (left, Some(left))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}
