//! A delta xDS server (Incremental ADS): snapshots, subscriptions, transport.
//!
//! The application builds a [`Snapshot`] for each group of proxies and [`publish`](Server::publish)es it; every
//! connected proxy of the group is then brought to it by the smallest set of deltas, in an order that never leaves a
//! route without its cluster. What the proxies say about it comes back as [`Event`]s.
//!
//! Invariants:
//! - Resource bodies are opaque, encoded once, and shared by all proxies; the one exception is a cluster's EDS name,
//!   read to know which endpoints a changed cluster waits for.
//! - All protocol decisions are in [`Subscription`], which does no IO and owns no clock.
//! - Nothing a proxy sends makes this crate panic or hold memory beyond the configured bounds.

mod event;
mod kind;
mod server;
mod snapshot;
pub mod subscription;
mod tls;
mod wire;

pub use event::{Event, Metrics, Peer, Refused};
pub use kind::Kind;
pub use server::{Node, Options, REPORTS, ServeError, Server};
pub use snapshot::{Resource, Snapshot, SnapshotBuilder};
pub use subscription::{Limits, Notice, Outcome, Request, Response, Subscription, TooManyNames, Wait};
pub use tls::{Tls, TlsError, TlsMaterial};
