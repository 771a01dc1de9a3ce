//! How much a render may put out.

/// The largest header value or metadata that a template may render, in bytes; Envoy's default limit for a whole header
/// section is 60 KiB.
pub(crate) const MAX_VALUE: usize = 32 * 1024;
/// The largest body that a template may render, in bytes, when the body it is made of is small.
pub(crate) const MAX_BODY: usize = 8 * 1024 * 1024;
