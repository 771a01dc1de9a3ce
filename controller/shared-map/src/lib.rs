//! A sorted map whose versions share what they have in common: a clone costs nothing, and what differs between two
//! versions is found without a look at what they share.
//!
//! Invariants: keys ascend, over all chunks; no chunk is empty or has more than [`FULL`] entries; an entry that is not
//! touched stays in its chunk, so that the chunk stays shared.

mod difference;
mod iter;

use std::borrow::Borrow;
use std::fmt;
use std::ops::RangeFrom;
use std::sync::Arc;

pub use difference::Difference;
pub use iter::Iter;

/// Most entries of a chunk. A change copies a chunk and the list of chunks, so both are to be short.
const FULL: usize = 64;

type Chunk<K, V> = Arc<Vec<(K, V)>>;

/// A sorted map; see the [crate](self).
pub struct SharedMap<K, V> {
    chunks: Arc<Vec<Chunk<K, V>>>,
    len: usize,
}

impl<K, V> SharedMap<K, V> {
    /// A map without entries.
    #[must_use]
    pub fn new() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Entries, ascending by key.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter::new(&self.chunks, 0)
    }

    /// Keys, ascending.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// Values, ascending by key.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Whether both are one and the same version.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chunks, &other.chunks)
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    /// The chunk that has the key or is the place for it, and the key's place there.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> (usize, Result<usize, usize>)
    where
        K: Borrow<Q>,
    {
        let ends_before = |chunk: &Chunk<K, V>| chunk.last().is_some_and(|(last, _)| last.borrow() < key);
        let chunk = self.chunks.partition_point(ends_before).min(self.chunks.len().saturating_sub(1));
        let entries = self.chunks.get(chunk).map_or(&[][..], |chunk| chunk.as_slice());
        (chunk, entries.binary_search_by(|(known, _)| known.borrow().cmp(key)))
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (chunk, place) = self.find(key);
        place.ok().map(|place| &self.chunks[chunk][place].1)
    }

    /// Whether a key has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).1.is_ok()
    }

    /// Entries whose keys are not below the first of the range, ascending.
    pub fn range(&self, from: RangeFrom<K>) -> Iter<'_, K, V> {
        let (chunk, Ok(place) | Err(place)) = self.find(&from.start);
        Iter::new(self.chunks.get(chunk..).unwrap_or_default(), place)
    }

    /// What differs in `newer`; values are taken for equal where `same` says so.
    pub fn differences<'m>(
        &'m self,
        newer: &'m Self,
        same: impl Fn(&V, &V) -> bool + 'm,
    ) -> impl Iterator<Item = Difference<'m, K, V>> {
        difference::differences(&self.chunks, &newer.chunks, same)
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// Puts a value in; returns the one that the key had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (chunk, place) = self.find(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        match place {
            Ok(place) => {
                let entries = Arc::make_mut(&mut chunks[chunk]);
                return Some(std::mem::replace(&mut entries[place].1, value));
            }
            Err(place) => insert_at(chunks, chunk, place, (key, value)),
        }
        self.len += 1;
        None
    }

    /// Takes a value out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (chunk, place) = self.find(key);
        let place = place.ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let (_, value) = Arc::make_mut(&mut chunks[chunk]).remove(place);
        self.len -= 1;
        if chunks[chunk].is_empty() {
            chunks.remove(chunk);
        } else if chunks.get(chunk + 1).is_some_and(|next| next.len() + chunks[chunk].len() <= FULL / 2) {
            let next = chunks.remove(chunk + 1);
            Arc::make_mut(&mut chunks[chunk]).extend(next.iter().cloned());
        }
        Some(value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (chunk, place) = self.find(key);
        let place = place.ok()?;
        let entries = Arc::make_mut(&mut Arc::make_mut(&mut self.chunks)[chunk]);
        Some(&mut entries[place].1)
    }
}

fn insert_at<K: Clone, V: Clone>(chunks: &mut Vec<Chunk<K, V>>, chunk: usize, place: usize, entry: (K, V)) {
    let Some(entries) = chunks.get_mut(chunk) else {
        return chunks.push(Arc::new(vec![entry]));
    };
    if entries.len() < FULL {
        return Arc::make_mut(entries).insert(place, entry);
    }
    if place == FULL {
        // What comes in ascending order fills its chunks.
        return chunks.insert(chunk + 1, Arc::new(vec![entry]));
    }
    let mut upper = Arc::make_mut(entries).split_off(FULL / 2);
    match place.checked_sub(FULL / 2) {
        Some(place) => upper.insert(place, entry),
        None => Arc::make_mut(entries).insert(place, entry),
    }
    chunks.insert(chunk + 1, Arc::new(upper));
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for SharedMap<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for SharedMap<K, V> {
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, entries: T) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(entries: T) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<'m, K, V> IntoIterator for &'m SharedMap<K, V> {
    type Item = (&'m K, &'m V);
    type IntoIter = Iter<'m, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests;
