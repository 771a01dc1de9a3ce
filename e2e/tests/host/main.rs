//! Filters on real Envoy without a controller: what the native and the wasm adapter do with streams, services and mistakes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cache;
mod lambda;
mod memory;
mod native;
mod rig;
mod services;
mod streaming;
mod wasm;
