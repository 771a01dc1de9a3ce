//! A store with the flights that fill it, shared by all streams of the process that name it.
//!
//! In a native module the process is Envoy's, so that all workers share; as wasm it is one worker's machine.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use ferrule_kit::Waker;

use crate::collapse::{Flight, Flights, Patience};
use crate::policy::key::is_of_url;
use crate::policy::stored::Stored;
use crate::store::codec::Head;
use crate::store::{Limits, Purge, Store};

/// What is known of a response by its header section, for those who read along.
#[derive(Debug)]
pub(crate) struct FlightHead {
    /// Its metadata.
    pub(crate) stored: Stored,
    /// Its encoded head.
    pub(crate) head: Box<[u8]>,
    /// Bytes of its body, where it says how many.
    pub(crate) length: Option<u64>,
}

/// A fetch of this cache.
pub(crate) type Fetch = Flight<FlightHead, Waker>;

/// Where responses are kept.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) flights: Flights<FlightHead, Waker>,
}

/// Storages by name and bounds: one whose bounds change is another, and the old one goes with the last configuration that has it.
type Named = Vec<(String, Limits, Patience, Weak<Shared>)>;

static NAMED: Mutex<Named> = Mutex::new(Vec::new());

impl Shared {
    fn new(limits: Limits, patience: Patience) -> Arc<Self> {
        Arc::new(Self { store: Store::new(limits), flights: Flights::new(patience, limits.shards) })
    }

    /// Removes what `purge` names, or marks it stale where `soft`. What is being fetched meanwhile answers no later request. Says how
    /// many objects.
    pub(crate) fn purge(&self, purge: &Purge, soft: bool) -> usize {
        // In this order: what is begun once it is noted is no concern of it.
        let count = self.store.purge(purge, soft);
        let url = match purge {
            Purge::Url(url) => Some(&url[..]),
            Purge::Prefix(_) | Purge::Tag(_) | Purge::Everything => None,
        };
        self.flights.detach(url, |key, head| match (purge, head) {
            (Purge::Url(url), _) => is_of_url(key, url),
            (Purge::Prefix(prefix), _) => key.starts_with(prefix),
            (Purge::Tag(tag), Some(head)) => Head::new(&head.head).tags().any(|known| known == tag),
            // Which tags it will have is not known yet.
            (Purge::Tag(_), None) | (Purge::Everything, _) => true,
        });
        count
    }

    /// The storage of that name and these bounds, made if no one has it yet; without a name, a new one.
    pub(crate) fn open(name: Option<&str>, limits: Limits, patience: Patience) -> Arc<Self> {
        let Some(name) = name else { return Self::new(limits, patience) };
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        named.retain(|(.., storage)| storage.strong_count() > 0);
        let is_it = |entry: &&(String, Limits, Patience, _)| {
            (&*entry.0, entry.1, entry.2) == (name, limits, patience)
        };
        if let Some(known) = named.iter().find(is_it).and_then(|(.., storage)| storage.upgrade()) {
            return known;
        }
        let storage = Self::new(limits, patience);
        named.push((name.to_owned(), limits, patience, Arc::downgrade(&storage)));
        storage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_a_storage_shares_it_while_someone_has_it() {
        let open =
            |name, bytes| Shared::open(name, Limits { bytes, ..Limits::default() }, Patience::default());
        let (first, second) = (open(Some("shared"), 1 << 20), open(Some("shared"), 1 << 20));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &open(Some("shared"), 1 << 21)));
        assert!(!Arc::ptr_eq(&first, &open(Some("other"), 1 << 20)));
        assert!(!Arc::ptr_eq(&open(None, 1 << 20), &open(None, 1 << 20)));
    }
}
