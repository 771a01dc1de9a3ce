//! The bounds of a render: how much work, how much output, how deep.
//!
//! Invariant: whatever takes time or memory in proportion to a value is charged here before it is done, so that no
//! template and no message can stall or exhaust a worker.

use std::cell::Cell;

use super::error::{Failure, Outcome};

/// Work that every render may do: about 30 ms.
const WORK: usize = 1 << 20;
/// Bytes that are copied or compared for one unit of work.
const BYTES_PER_UNIT: usize = 16;
/// Bytes of a JSON text that are skipped for one unit of work.
const SKIPPED_PER_UNIT: usize = 64;
/// How deep evaluation may nest; the parser alone allows 150.
const DEPTH: usize = 220;
/// How deep lists and maps that a template builds may nest.
pub(crate) const VALUE_DEPTH: u8 = 64;

/// What is left of a render's bounds.
#[derive(Debug)]
pub(crate) struct Meter {
    work: Cell<usize>,
    depth: Cell<usize>,
}

impl Meter {
    /// A meter for a render that may read `body` bytes: larger bodies need more work.
    pub(crate) fn for_body(body: usize) -> Self {
        Self { work: Cell::new(WORK.saturating_add(body / 2)), depth: Cell::new(0) }
    }

    /// Pays for `units` steps or items.
    pub(crate) fn charge(&self, units: usize) -> Outcome<()> {
        match self.work.get().checked_sub(units) {
            Some(left) => {
                self.work.set(left);
                Ok(())
            }
            None => {
                self.work.set(0);
                Err(Failure::bound("the template does too much work"))
            }
        }
    }

    /// Pays for `bytes` that are copied, compared or searched.
    pub(crate) fn charge_bytes(&self, bytes: usize) -> Outcome<()> {
        self.charge(bytes / BYTES_PER_UNIT + 1)
    }

    /// Pays for `bytes` of a checked JSON text that are skipped.
    pub(crate) fn charge_skipped(&self, bytes: usize) -> Outcome<()> {
        self.charge(bytes / SKIPPED_PER_UNIT + 1)
    }

    /// Runs `inner` one level deeper.
    pub(crate) fn deeper<T>(&self, inner: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let depth = self.depth.get() + 1;
        if depth > DEPTH {
            return Err(Failure::bound("the template nests too deep"));
        }
        self.depth.set(depth);
        let outcome = inner();
        self.depth.set(depth - 1);
        outcome
    }
}
