//! The second level in Redis or Valkey, of one server, from version 6.2 on.
//!
//! Invariants:
//! - One thread of the process does all input and output; it begins with the first need and ends with the last configuration.
//! - Each request, and each thing kept, has its time; what fails again and again is left alone, and then tried by what no request waits
//!   for.
//! - What is kept stays within a budget of bytes that Redis itself measures, whoever of the proxies keeps it (`put.lua`).
//! - Purges have one order for all (`purge.lua`). One that could not be told yet keeps everything of the level from being used.

#[cfg(not(target_family = "wasm"))]
mod connection;
#[cfg(not(target_family = "wasm"))]
mod exchange;
#[cfg(not(target_family = "wasm"))]
mod handle;
#[cfg(not(target_family = "wasm"))]
mod keeper;
#[cfg(not(target_family = "wasm"))]
mod looker;
#[cfg(not(target_family = "wasm"))]
mod password;
#[cfg(not(target_family = "wasm"))]
mod pending;
mod settings;
#[cfg(not(target_family = "wasm"))]
mod thread;

use std::sync::Weak;

pub(crate) use settings::Settings;
pub use settings::{Breaker, Redis, Secret};

use crate::level::Level;
use crate::storage::Shared;
use crate::store::Limits;

impl Settings {
    /// The level, which does nothing before it is needed.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn level(self, storage: &Weak<Shared>, limits: Limits) -> Option<Box<dyn Level>> {
        Some(Box::new(handle::RedisLevel::new(self, storage.clone(), limits)))
    }

    /// None: a wasm module has no connections of its own.
    #[cfg(target_family = "wasm")]
    pub(crate) fn level(self, _: &Weak<Shared>, _: Limits) -> Option<Box<dyn Level>> {
        None
    }
}
