//! Gloo's transformations to TrafficPolicies.
//!
//! Pure: values in, values and notes out; no IO.
//!
//! Invariants:
//! - What is emitted does what Gloo did, but in the cases that a warning names.
//! - What cannot be converted is an error, and its object is emitted only if the caller asks for a part of it.
//! - No input panics.

mod engine;
mod gloo;
mod inja;
mod note;
mod rewrite;

pub use gloo::{Conversion, Rest, convert};
pub use note::{Note, Place, Remark, Severity};
pub use rewrite::{Notation, Rewritten, Surroundings, rewrite};
