//! What a purge is about, and the memory of recent ones that keeps a fetch under way from bringing back what they removed.

use std::collections::VecDeque;

use super::Epoch;
use super::object::Object;
use crate::policy::key::is_of_url;

/// What is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purge {
    /// All that is stored for the URL with this key, every variant.
    Url(Vec<u8>),
    /// All whose URL's key begins so.
    Prefix(Vec<u8>),
    /// All with this tag.
    Tag(Vec<u8>),
    /// All.
    Everything,
}

impl Purge {
    /// Whether it is about the object.
    pub fn is_about(&self, object: &Object) -> bool {
        match self {
            Self::Url(url) => is_of_url(object.key(), url),
            Self::Prefix(prefix) => object.key().starts_with(prefix),
            Self::Tag(tag) => object.head().tags().any(|known| known == tag),
            Self::Everything => true,
        }
    }
}

/// A purge as it is remembered: a URL by its hash, because clients choose URLs and so their length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// The hash of a URL's key.
    Url(u64),
    /// Any other purge.
    Other(Purge),
}

/// Purges remembered by each shard. A fetch that began before the oldest of them is not stored: it might be about any.
const REMEMBERED: usize = 64;

/// Recent purges.
#[derive(Debug, Default)]
pub(super) struct Recent {
    purges: VecDeque<(Epoch, Noted)>,
    forgotten: Epoch,
}

impl Recent {
    pub(super) fn note(&mut self, purge: Noted, epoch: Epoch) {
        if self.purges.len() == REMEMBERED
            && let Some((forgotten, _)) = self.purges.pop_front()
        {
            self.forgotten = self.forgotten.max(forgotten);
        }
        self.purges.push_back((epoch, purge));
    }

    /// Whether a purge after `since` is about the object, whose URL has the hash `url`.
    pub(super) fn concerns(&self, object: &Object, url: u64, since: Epoch) -> bool {
        let is_about = |noted: &Noted| match noted {
            Noted::Url(hash) => *hash == url,
            Noted::Other(purge) => purge.is_about(object),
        };
        since < self.forgotten || self.purges.iter().any(|(epoch, noted)| *epoch > since && is_about(noted))
    }
}
