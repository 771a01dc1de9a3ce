//! A second level beyond memory, which outlives the process and is shared by others: what is asked of one, and the checks between
//! its bytes and a stored response.
//!
//! Invariants:
//! - No one waits for it but a stream that says so, for a bounded time; what it lacks, breaks or says too late is a miss.
//! - Nothing of it is used that is not as it was written ([`copy`]), or that a purge is about ([`purges`]).

// A wasm module has no level, and so none of what only a level does.
#![cfg_attr(target_family = "wasm", allow(dead_code, unused_imports))]

pub mod breaker;
pub mod copy;
pub mod purges;
mod recall;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

pub use purges::Mark;
pub(crate) use recall::{Chosen, Outcome, Recall, Spoiled, Wanted};

use crate::store::{Object, Purge};

/// A second level. Nothing here ever blocks.
pub(crate) trait Level: Debug + Send + Sync {
    /// The secret that the level's password is, where it has one.
    fn secret(&self) -> Option<&str>;

    /// Says what the secret is now.
    fn log_in(&self, password: &[u8]);

    /// Begins to look for what `recall` wants, which is told how that ended; false where it is not even tried.
    fn recall(&self, recall: &Arc<Recall>) -> bool;

    /// Has a response kept that came from the origin; `since` is when its fetch began.
    fn put(&self, object: &Arc<Object>, since: Mark);

    /// Has a response removed.
    fn forget(&self, object: &Object);

    /// Has what `purge` names removed, or marked stale where `soft`, here and in the memory of all who share this level.
    fn purge(&self, purge: &Purge, soft: bool);

    /// The present moment in the order of its purges, as far as is known here.
    fn mark(&self) -> Mark;

    /// How long a request waits at most.
    fn patience(&self) -> Duration;

    /// Responses that were not put since this was last asked, because the level takes them too slowly or not at all.
    fn take_dropped(&self) -> u64;
}
