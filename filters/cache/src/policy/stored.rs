//! What is remembered of a stored response besides its fields and body.

use super::age::current_age;
use super::time::Time;

/// Metadata of a stored response: all that a decision needs, so that no field is parsed again for a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Status code.
    pub status: u16,
    /// Never reused without validation (RFC 9111 §5.2.2.4, unqualified).
    pub no_cache: bool,
    /// Never served stale: `must-revalidate`, `proxy-revalidate` or `s-maxage` (RFC 9111 §4.2.4).
    pub must_revalidate: bool,
    /// When it came, or was last validated.
    pub response_time: Time,
    /// `corrected_initial_age` (RFC 9111 §4.2.3), seconds.
    pub initial_age: u32,
    /// `freshness_lifetime` (RFC 9111 §4.2.1), seconds.
    pub lifetime: u32,
    /// Its Date, or when it came where it has none; seconds since the epoch.
    pub date: i64,
    /// Its Last-Modified, seconds since the epoch.
    pub last_modified: Option<i64>,
    /// RFC 5861 §3, seconds beyond its lifetime.
    pub stale_while_revalidate: u32,
    /// RFC 5861 §4, seconds beyond its lifetime.
    pub stale_if_error: u32,
}

impl Stored {
    /// Its age now (RFC 9111 §4.2.3), seconds.
    pub fn age(&self, now: Time) -> u32 {
        current_age(self.initial_age, self.response_time, now)
    }

    /// RFC 9111 §4.2: `response_is_fresh = (freshness_lifetime > current_age)`
    pub fn is_fresh(&self, now: Time) -> bool {
        self.lifetime > self.age(now)
    }

    /// Seconds of freshness left; negative for a stale one (RFC 9211 §2.4).
    pub fn ttl(&self, now: Time) -> i64 {
        i64::from(self.lifetime) - i64::from(self.age(now))
    }

    /// Seconds for which it has been stale.
    pub fn staleness(&self, now: Time) -> u32 {
        self.age(now).saturating_sub(self.lifetime)
    }
}
