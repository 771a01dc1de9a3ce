//! What tells two versions apart.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::Chunk;
use crate::iter::Iter;

/// A key whose entry is not the same in two versions.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference<'m, K, V> {
    /// The key.
    pub key: &'m K,
    /// What it had; `None` where it has come.
    pub before: Option<&'m V>,
    /// What it has; `None` where it is gone.
    pub now: Option<&'m V>,
}

pub(crate) fn differences<'m, K: Ord, V>(
    older: &'m [Chunk<K, V>],
    newer: &'m [Chunk<K, V>],
    same: impl Fn(&V, &V) -> bool + 'm,
) -> impl Iterator<Item = Difference<'m, K, V>> {
    let (mut older, mut newer) = (Iter::new(older, 0), Iter::new(newer, 0));
    std::iter::from_fn(move || {
        loop {
            while let (Some(ours), Some(theirs)) = (older.whole(), newer.whole())
                && Arc::ptr_eq(ours, theirs)
            {
                older.skip_chunk();
                newer.skip_chunk();
            }
            let order = match (older.peek(), newer.peek()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((ours, _)), Some((theirs, _))) => ours.cmp(theirs),
            };
            let before = if order.is_le() { older.next() } else { None };
            let now = if order.is_ge() { newer.next() } else { None };
            let (before_value, now_value) = (before.map(|(_, value)| value), now.map(|(_, value)| value));
            if before_value.zip(now_value).is_some_and(|(ours, theirs)| same(ours, theirs)) {
                continue;
            }
            let key = before.or(now)?.0;
            return Some(Difference { key, before: before_value, now: now_value });
        }
    })
}
