//! The status of every object: what the translator says of it, and what the proxies made of it.

mod conditions;
mod files;
mod overlay;
mod time;
mod writer;

pub(crate) use overlay::{Overlay, Standing};
pub(crate) use time::timestamp;
pub(crate) use writer::{StatusWriter, Wanted};
