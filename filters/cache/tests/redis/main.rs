//! The second level in a real Redis: proxies that share it, that begin anew, and that lose it.

#![allow(clippy::panic, clippy::unwrap_used)]

mod faults;
mod proxies;
mod sharing;
