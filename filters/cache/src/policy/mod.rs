//! What RFC 9111 lets a shared cache do, as pure functions: (stored metadata, request, now) -> decision.
//!
//! Invariants:
//! - No Envoy, no host, no clock and no storage of its own: time and fields are arguments, answers are values.
//! - Nothing here panics, allocates without bound or trusts a field, whatever a peer sends.
//! - In doubt the origin is asked: what cannot be read makes a response less reusable, never more.

pub mod age;
pub mod answer;
pub mod cache_control;
pub mod cache_status;
pub mod cdn_cache_control;
pub mod conditional;
pub mod content;
pub mod date;
pub mod entity_tag;
pub mod field;
pub mod freshness;
pub mod invalidation;
pub mod key;
pub mod method;
pub mod partial;
pub mod range;
pub mod request;
pub mod response_fields;
pub mod reuse;
pub mod rules;
pub mod stale;
pub mod storability;
pub mod stored;
pub mod structured;
pub mod time;
pub mod uri;
pub mod validation;
pub mod vary;
