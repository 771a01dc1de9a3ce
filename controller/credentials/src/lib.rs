//! AWS credentials for proxies: fetched with the identity that the controller runs under, renewed before they expire.
//!
//! Invariants:
//! - What is decided takes the time as an argument ([`Course`]); what asks AWS is at the edge ([`Aws`]).
//! - Of one identity there is one fetch at a time. While a fetch fails, credentials that are still of use stay in use.
//! - No secret is in an error, in a log or in `Debug`.

mod aws;
mod course;
mod keeper;

pub use aws::{Aws, SourceError};
pub use course::{Course, Fetched};
pub use keeper::{Source, keep};
