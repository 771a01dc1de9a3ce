//! What a stream works towards: the snapshot that it is carrying through, and a newer one that waits its turn.

use crate::snapshot::Name;
use crate::{Kind, Resource, Snapshot};

#[derive(Debug, Default)]
pub(super) struct Targets {
    /// The snapshot being carried through; `None` before the first.
    current: Option<Snapshot>,
    /// The newest known, and its generation.
    newest: Snapshot,
    generation: u64,
    /// Whether `newest` is what `current` holds.
    adopted: bool,
}

impl Targets {
    /// Takes in a newer snapshot and returns the names for which it counts at once.
    pub(super) fn announce(&mut self, generation: u64, snapshot: Snapshot) -> Vec<(Kind, Name)> {
        let leaves = Kind::ALL.into_iter().filter(|kind| kind.is_leaf());
        let touched = changed(&self.newest, &snapshot, leaves);
        (self.newest, self.generation, self.adopted) = (snapshot, generation, false);
        touched
    }

    /// Makes the newest snapshot the current one and returns all names that it changes.
    pub(super) fn adopt(&mut self) -> Vec<(Kind, Name)> {
        let old = self.current.replace(self.newest.clone()).unwrap_or_default();
        self.adopted = true;
        changed(&old, &self.newest, Kind::ALL.into_iter())
    }

    /// Whether there is anything to work towards at all.
    pub(super) fn exist(&self) -> bool {
        self.current.is_some() || self.generation > 0
    }

    pub(super) fn begun(&self) -> bool {
        self.current.is_some()
    }

    /// Whether a newer snapshot waits.
    pub(super) fn superseded(&self) -> bool {
        !self.adopted
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// What the proxy should have under a name. Leaves come from the newest snapshot, but while the current one is
    /// still being carried through nothing of it is missing.
    pub(super) fn get(&self, kind: Kind, name: &str) -> Option<&Resource> {
        let newest = if kind.is_leaf() { self.newest.get(kind, name) } else { None };
        newest.or_else(|| self.current.as_ref()?.get(kind, name))
    }

    /// All names of a kind that the proxy should have.
    pub(super) fn names(&self, kind: Kind) -> Vec<Name> {
        let newest = kind.is_leaf().then_some(&self.newest);
        let snapshots = self.current.iter().chain(newest);
        snapshots
            .flat_map(|snapshot| snapshot.resources(kind))
            .map(|resource| resource.name.clone())
            .collect()
    }

    /// Whether the current snapshot has resources of this kind.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.current.as_ref().is_some_and(|snapshot| snapshot.count(kind) > 0)
    }
}

fn changed(old: &Snapshot, new: &Snapshot, kinds: impl Iterator<Item = Kind>) -> Vec<(Kind, Name)> {
    kinds.flat_map(|kind| old.changed(new, kind).into_iter().map(move |name| (kind, name))).collect()
}
