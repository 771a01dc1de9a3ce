//! Makes a proxy-wasm module of a filter: [`export!`] in a `cdylib` crate is all it takes.
//!
//! ```ignore
//! ferrule_wasm::export!(MyFilter);
//! ```
//!
//! Build it with `cargo build --release --target wasm32-wasip1`, and give Envoy's wasm filter
//!
//! - `allow_on_headers_stop_iteration: true`, without which a filter that awaits a body never gets one;
//! - `failure_policy: FAIL_RELOAD`, so that a panic costs the streams of one worker and no more;
//! - a configuration as of [`Plugin::parse`]; where one configuration is for all routes, `{"default": {...}}`;
//! - in `vm_config.environment_variables` what [`ferrule_kit::environment`] lets templates see.
//!
//! Invariants:
//! - The adapter decides nothing: a callback becomes an [`ferrule_kit::Event`], the [`ferrule_kit::Step`] that the driver
//!   gives back becomes an action.
//! - No answer of Envoy's to a host call makes it panic: a panic ends the VM of a worker, and all streams in it.
//! - What reads bytes from Envoy knows no Envoy, so that it is tested on any target.

pub mod attribute;
#[cfg(target_arch = "wasm32")]
mod bodiless;
#[cfg(target_arch = "wasm32")]
mod callout;
mod export;
#[cfg(target_arch = "wasm32")]
mod exports;
#[cfg(target_arch = "wasm32")]
mod host;
#[cfg(target_arch = "wasm32")]
mod hostcalls;
pub mod metadata;
#[cfg(target_arch = "wasm32")]
mod metrics;
pub mod pairs;
pub mod pieces;
mod plugin;
#[cfg(target_arch = "wasm32")]
mod registry;
#[cfg(target_arch = "wasm32")]
mod root;
pub mod state;
#[cfg(target_arch = "wasm32")]
mod stream;
#[cfg(target_arch = "wasm32")]
mod view;
pub mod wire;

pub use plugin::Plugin;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use root::install;
