//! Declarations of the part of Envoy 1.40's dynamic-module ABI that Ferrule uses: HTTP filters, early header mutation.
//!
//! Invariants:
//! - This is the only place that knows symbol names, layouts and enum values. It has no behaviour of its own.
//! - Nothing here is linked: [`Callbacks`] are looked up in the running process, so crates that use them link and run
//!   their tests without Envoy, and tests put a table of their own in Envoy's place.
//! - The ABI is frozen and grows by addition: a module built on these declarations loads in later releases as well.
//!   A callback younger than the oldest Envoy to be supported would be an `Option` in the table.

#![allow(unsafe_code)]

mod callbacks;
mod layout;
mod values;

pub use callbacks::{Callbacks, MissingCallback};
pub use layout::{
    ConfigPtr, EnvoyBuffer, FilterPtr, HttpHeader, ModuleBuffer, ModuleConfigPtr, ModuleRoutePtr,
    ModuleStreamPtr, RequestPtr, SchedulerPtr, SpanPtr,
};
pub use values::{
    ATTRIBUTES, BodyType, CalloutInit, CalloutResult, DataStatus, HeaderType, HeadersStatus,
    LocalReplyStatus, LogLevel, MetadataSource, MetricsResult, StreamReset, TrailersStatus,
};

use std::ffi::CStr;

/// What `envoy_dynamic_module_on_program_init` returns; Envoy warns of any other version.
pub const VERSION: &CStr = c"v0.2.0";
