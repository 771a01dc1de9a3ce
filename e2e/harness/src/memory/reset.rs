//! What Envoy answers by itself when the upstream resets its stream.

use crate::case::Protocol;

/// Envoy's answer.
pub(super) struct Reset {
    pub(super) status: u16,
    /// Response-code details.
    pub(super) details: String,
    pub(super) body: String,
}

impl Reset {
    /// A reset before the response began.
    pub(super) fn before_headers(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Http1 => Self::new(503, "before", "connection termination"),
            Protocol::Http2 => Self::new(503, "before", "remote reset"),
        }
    }

    /// A reset of a response of which the client has seen nothing yet.
    pub(super) fn after_headers(protocol: Protocol) -> Self {
        match protocol {
            // A body cut short breaks HTTP/1.1's framing.
            Protocol::Http1 => Self::new(502, "after", "protocol error"),
            Protocol::Http2 => Self::new(503, "after", "remote reset"),
        }
    }

    fn new(status: u16, when: &str, reason: &str) -> Self {
        let word = reason.replace(' ', "_");
        let details = format!("upstream_reset_{when}_response_started{{{word}}}");
        let body =
            format!("upstream connect error or disconnect/reset before headers. reset reason: {reason}");
        Self { status, details, body }
    }
}
