//! The budget of bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that may be used, and are.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// Nothing used of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether the index, which is charged after it has grown, went over the limit.
    pub fn is_exceeded(&self) -> bool {
        self.used() > self.limit
    }

    /// Whether there are as many left.
    pub fn has(&self, bytes: usize) -> bool {
        self.used().checked_add(bytes).is_some_and(|sum| sum <= self.limit)
    }

    /// Charges `bytes`; none where that would be more than there are.
    pub fn take(this: &Arc<Self>, bytes: usize) -> Option<Charge> {
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= this.limit);
        this.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Charge { budget: Arc::clone(this), bytes })
    }

    /// What cannot be refused any more: the index has grown or shrunk from one size to another.
    pub fn resize(&self, from: usize, to: usize) {
        self.used.fetch_add(to, Ordering::Relaxed);
        self.used.fetch_sub(from, Ordering::Relaxed);
    }
}

/// Bytes charged to a budget until this is dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    /// How many.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes one charge of two.
    pub fn add(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Gives back all but `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        if bytes < self.bytes {
            self.budget.resize(self.bytes, bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
