//! A shared HTTP cache (RFC 9111) as an Envoy filter.

pub mod collapse;
pub mod policy;
pub mod store;
