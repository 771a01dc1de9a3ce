//! Gateway API and policy objects in, xDS resources and status out.
//!
//! Invariants:
//! - Pure: no IO, no async, no clock. [`Translator::translate`] is total; problems become status and, for the routes
//!   concerned, an HTTP 500.
//! - The order of the input changes no byte of the output, nor does what was translated before.
//! - Kubernetes' nouns stay above [`mod@route`], Envoy's nouns below it.

pub mod api;
mod attach;
mod aws;
mod backend_tls;
mod backends;
mod calls;
mod carried;
mod changes;
mod clusters;
mod context;
mod credentials;
pub mod features;
mod gateways;
mod grpc;
mod hostname;
mod kinds;
mod needs;
mod object;
mod outcome;
mod policies;
mod port;
mod precedence;
mod problem;
mod proxy;
mod re2;
mod report;
mod resolved;
mod results;
mod route;
mod settings;
mod shared;
mod slices;
mod status;
mod stream;
mod sums;
mod translation;
mod translator;
mod world;
mod xds;

pub use aws::{AwsEndpoint, Outbound};
pub use calls::FunctionCall;
pub use credentials::{Identity, Issue, Issues, SecretText};
pub use kinds::{KINDS, Kind, Object, Store, World};
pub use object::{Key, ObjectNames, ObjectRef, ParseError, Parsed};
pub use problem::{Problem, Reason, Severity};
pub use settings::{FilterHost, Layout, ReservedPorts, Settings};
pub use status::{Status, merge_status};
pub use translation::{Origins, Resource, ResourceKind, Resources, Translation};
pub use translator::Translator;
pub use xds::orders::{CacheHost, with_orders};
