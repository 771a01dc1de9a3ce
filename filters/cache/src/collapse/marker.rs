//! Keys whose last response could not be stored ("hit for miss"): a table of fixed size, in which a newer mark takes the place of an
//! older one.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::policy::time::Time;

const PLACES: usize = 8192;
/// Bits of a mark that tell its time, in units of 64 ms since the epoch: enough for eight hundred years.
const TIME_BITS: u32 = 39;

/// The marks. A mark of another key with the same 25 bits of its hash is taken for the key's own, which costs a chance to collapse.
#[derive(Debug)]
pub(super) struct Markers {
    places: Box<[AtomicU64]>,
}

impl Default for Markers {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Markers {
    pub(super) fn set(&self, hash: u64, until: Time) {
        let time = (until.0 >> 6).min((1 << TIME_BITS) - 1);
        self.place(hash).store((hash >> TIME_BITS) << TIME_BITS | time, Ordering::Relaxed);
    }

    pub(super) fn has(&self, hash: u64, now: Time) -> bool {
        let mark = self.place(hash).load(Ordering::Relaxed);
        let until = mark & ((1 << TIME_BITS) - 1);
        mark >> TIME_BITS == hash >> TIME_BITS && until > now.0 >> 6
    }

    fn place(&self, hash: u64) -> &AtomicU64 {
        &self.places[usize::try_from(hash).unwrap_or(0) & (PLACES - 1)]
    }
}
