//! What a filter may do when a configuration comes, before any stream.

use std::fmt;
use std::time::SystemTime;

use crate::{Callout, Errand};

/// Where configurations are made.
pub trait ConfigHost: fmt::Debug {
    /// Whether [`ConfigHost::send_off`] does anything.
    fn runs_errands(&self) -> bool;

    /// Makes a request that belongs to no stream, once the configuration is in place; dropped with the configuration.
    fn send_off(&mut self, request: Callout, errand: Box<dyn Errand>);

    /// The wall clock.
    fn now(&self) -> SystemTime;
}
