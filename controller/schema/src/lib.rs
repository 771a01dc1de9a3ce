//! What an API server would refuse, offline: OpenAPI, CEL and list-map rules of the CRDs.
//!
//! [`Schemas::validate`] does what `k8s.io/apiextensions-apiserver` does to an object that is created or updated, in its
//! order: unknown fields and nulls go, defaults come, then structure, list keys and metadata are checked, and where
//! none of these is wrong in a way that makes rules meaningless, CEL rules are run.
//!
//! Invariants: no object panics, whatever it holds; a schema with a keyword, format or rule that is not understood is
//! refused whole rather than half applied. Deliberately absent: cost budgets of CEL, ratcheting, conversion of versions,
//! and the validation of Kubernetes' own kinds, which have no CRD.

mod cel;
mod check;
mod compile;
mod crds;
mod default;
mod definition;
mod format;
mod list;
mod metadata;
mod path;
mod schema;
mod schemas;
mod source;
mod violation;

pub use crds::crds;
pub use definition::{Definition, NoDefinition, Scope, VersionedSchema};
pub use schema::SchemaError;
pub use schemas::Schemas;
pub use violation::{Cause, Violation};
