//! When a stale response may be served (RFC 9111 §4.2.4, RFC 5861).

use super::cache_control::MaxStale;
use super::request::Request;
use super::stored::Stored;
use super::time::Time;

/// RFC 9111 §4.2.4: MUST NOT be served stale, whoever would take it. §5.2.2.4, §5.2.2.2, §5.2.2.8, §5.2.2.10
pub fn is_forbidden(stored: &Stored) -> bool {
    stored.no_cache || stored.must_revalidate
}

/// Whether the client takes it as stale as it is (RFC 9111 §5.2.1.2).
pub fn client_accepts(stored: &Stored, request: &Request, now: Time) -> bool {
    match request.directives.max_stale {
        Some(MaxStale::Any) => true,
        Some(MaxStale::Seconds(limit)) => stored.staleness(now) <= limit,
        None => false,
    }
}

/// Whether it may be served while it is validated in the background (RFC 5861 §3).
pub fn while_revalidating(stored: &Stored, now: Time) -> bool {
    stored.stale_while_revalidate > 0 && stored.staleness(now) <= stored.stale_while_revalidate
}

/// A status that says that the origin failed (RFC 5861 §4).
pub fn is_error(status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504)
}

/// Whether it may be served in the place of an error (RFC 5861 §4), or of no answer at all where the client takes stale ones.
/// A client that asks for validation, or for an age that it has outgrown, gets no unvalidated response (RFC 9111 §5.2.1).
pub fn if_error(stored: &Stored, request: &Request, now: Time) -> bool {
    let directives = &request.directives;
    let age_accepted = directives.max_age.is_none_or(|limit| stored.age(now) <= limit);
    if is_forbidden(stored) || directives.no_cache || !age_accepted {
        return false;
    }
    let window = stored.stale_if_error.max(directives.stale_if_error.unwrap_or(0));
    let in_window = window > 0 && stored.staleness(now) <= window;
    in_window || stored.is_fresh(now) || client_accepts(stored, request, now)
}
