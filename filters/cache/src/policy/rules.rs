//! What an operator may decide where RFC 9111 leaves it open, and the few places where it may be overruled.

use std::collections::BTreeMap;

/// Rules of one policy. The default is the RFC alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Targeted cache-control fields in order of precedence (RFC 9213 §2.2), in lower case.
    pub targets: Vec<String>,
    /// A heuristic lifetime is that many percent of the time since Last-Modified (RFC 9111 §4.2.2).
    pub heuristic_percent: u32,
    /// The longest heuristic lifetime, seconds.
    pub heuristic_limit: u32,
    /// Lifetime of a response that says none itself, by its status; in the place of a heuristic one.
    pub ttl_by_status: BTreeMap<u16, u32>,
    /// The same for statuses that are heuristically cacheable and have no entry of their own.
    pub default_ttl: Option<u32>,
    /// Seconds beyond its lifetime for which a response is served while it is refreshed, where the origin says nothing.
    pub stale_while_revalidate: u32,
    /// Seconds beyond its lifetime for which a response is served when the origin fails, where the origin says nothing.
    pub stale_if_error: u32,
    /// Whether requests decide what they get by Cache-Control and Pragma.
    pub honour_request_directives: bool,
    /// Whether responses with Set-Cookie are stored.
    pub store_set_cookie: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            targets: vec!["cdn-cache-control".to_owned()],
            heuristic_percent: 10,
            heuristic_limit: 86_400,
            ttl_by_status: BTreeMap::new(),
            default_ttl: None,
            stale_while_revalidate: 0,
            stale_if_error: 0,
            honour_request_directives: true,
            store_set_cookie: true,
        }
    }
}
