//! The route tables that this process has.
//!
//! Invariant: read by every request on every worker and written by Envoy's main thread only, now and then; so the lock is
//! split by key, and a reader waits for no more than a look-up.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use rapidhash::fast::RandomState;

/// Parts of the lock.
const PARTS: usize = 64;

/// All tables.
pub(crate) static TABLES: Tables = Tables([const { RwLock::new(Part::new()) }; PARTS]);

pub(crate) struct Tables([RwLock<Part>; PARTS]);

#[derive(Debug)]
struct Part(Option<HashMap<Box<[u8]>, Count, RandomState>>);

/// Tables of one key: an older and a newer one are there together for a while.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    tables: usize,
    with_filters: usize,
}

/// Keeps a table known for as long as it lives.
#[derive(Debug)]
pub(crate) struct Table {
    key: Box<[u8]>,
    filters: bool,
}

impl Part {
    const fn new() -> Self {
        Self(None)
    }
}

impl Tables {
    /// A table has come, whose routes need filters or do not.
    pub(crate) fn add(&self, key: Vec<u8>, filters: bool) -> Table {
        let key = key.into_boxed_slice();
        let mut part = self.part(&key).write().unwrap_or_else(PoisonError::into_inner);
        let count = part.0.get_or_insert_default().entry(key.clone()).or_default();
        count.tables += 1;
        count.with_filters += usize::from(filters);
        Table { key, filters }
    }

    /// Whether there is a table of this key.
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.count(key).tables > 0
    }

    /// Whether the routes of such a table may need filters.
    pub(crate) fn needs_filters(&self, key: &[u8]) -> bool {
        self.count(key).with_filters > 0
    }

    fn count(&self, key: &[u8]) -> Count {
        let part = self.part(key).read().unwrap_or_else(PoisonError::into_inner);
        part.0.as_ref().and_then(|counts| counts.get(key)).copied().unwrap_or_default()
    }

    fn part(&self, key: &[u8]) -> &RwLock<Part> {
        let hash = key.iter().fold(0_usize, |hash, byte| hash.wrapping_mul(31) ^ usize::from(*byte));
        &self.0[hash % PARTS]
    }

    fn remove(&self, table: &Table) {
        let mut part = self.part(&table.key).write().unwrap_or_else(PoisonError::into_inner);
        let Some(counts) = &mut part.0 else { return };
        let Some(count) = counts.get_mut(&table.key) else { return };
        count.tables -= 1;
        count.with_filters -= usize::from(table.filters);
        if count.tables == 0 {
            counts.remove(&table.key);
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        TABLES.remove(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_until_its_last_table_is_gone() {
        let key = || b"80/tables.example.com".to_vec();
        let older = TABLES.add(key(), true);
        let newer = TABLES.add(key(), false);
        assert!(TABLES.has(&key()) && TABLES.needs_filters(&key()));
        drop(older);
        assert!(TABLES.has(&key()) && !TABLES.needs_filters(&key()));
        drop(newer);
        assert!(!TABLES.has(&key()));
    }
}
