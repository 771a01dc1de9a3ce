//! Requests that a filter makes for no stream: they go on when the stream that sent them off has ended.

use std::fmt;
use std::time::SystemTime;

use crate::{Lines, Octets};

/// What takes the answer to a request that was sent off by [`crate::Host::send_off`]. It is dropped when that is over, be it whole or
/// not: what was not told to be the end broke off.
///
/// An answer that the proxy makes itself, because the upstream gave none, is told like any other: 503, or 504 when time ran out.
pub trait Errand: Send + fmt::Debug {
    /// The header section, `:status` among its lines; `end` says that nothing follows. False has the proxy drop the rest.
    fn on_headers(&mut self, now: SystemTime, lines: &Lines<'_>, end: bool) -> bool;

    /// Bytes of the body; `end` says that nothing follows. False has the proxy drop the rest.
    fn on_data(&mut self, chunks: &[Octets<'_>], end: bool) -> bool;

    /// Trailers end the answer.
    fn on_trailers(&mut self);
}
