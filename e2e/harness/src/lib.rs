//! Tests Envoy filters: one YAML case, run in process, in a dynamic module and in a wasm module.
//!
//! - [`Case`] is what the file says; [`Seen`] is what happened; [`check`] compares the two.
//! - [`memory`] runs cases of a `ferrule_kit::Filter` in process, without Envoy.
//! - `envoy` (feature) runs them on a real Envoy with recording upstreams, for filters of any origin.

pub mod case;
mod check;
#[cfg(feature = "envoy")]
pub mod envoy;
pub mod memory;
pub mod readme;
#[cfg(unix)]
#[allow(clippy::panic)]
pub mod redis;
mod report;
mod seen;
mod trial;

pub use case::{Case, CaseError};
pub use check::{Mismatch, check};
pub use report::Failure;
pub use seen::{ClientSaw, Seen, SeenRequest, SeenResponse};
pub use trial::Trials;
