//! Which names of one type a proxy subscribes to.

use std::collections::BTreeSet;

use crate::snapshot::Name;

/// The name that stands for everything.
pub(super) const WILDCARD: &str = "*";

/// What a name costs beyond its length.
const NAME_OVERHEAD: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Interest {
    wildcard: bool,
    names: BTreeSet<Name>,
    bytes: usize,
}

impl Interest {
    pub(super) fn covers(&self, name: &str) -> bool {
        self.wildcard || self.names(name)
    }

    /// Whether the name is subscribed to by itself.
    pub(super) fn names(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(super) fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    pub(super) fn set_wildcard(&mut self, wildcard: bool) {
        self.wildcard = wildcard;
    }

    pub(super) fn add(&mut self, name: &Name) {
        if self.names.insert(name.clone()) {
            self.bytes += name.len() + NAME_OVERHEAD;
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        let removed = self.names.remove(name);
        if removed {
            self.bytes -= name.len() + NAME_OVERHEAD;
        }
        removed
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
