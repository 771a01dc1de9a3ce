//! Cache-Status (RFC 9211): says of each response how this cache dealt with its request.

use std::fmt::Write;

use super::reuse::Forward;

/// One member of a Cache-Status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// Answered from the store (§2.1).
    pub hit: bool,
    /// Why the request went on (§2.2).
    pub fwd: Option<Forward>,
    /// The origin's status, where it is another than the response's own (§2.3).
    pub fwd_status: Option<u16>,
    /// Seconds of freshness left (§2.4).
    pub ttl: Option<i64>,
    /// The response was stored (§2.5).
    pub stored: bool,
    /// One request was made for several (§2.6).
    pub collapsed: bool,
    /// More, in words of this cache (§2.8): a token.
    pub detail: Option<&'static str>,
}

impl CacheStatus {
    /// The member as written, under the cache's name. A name that is no token is written as a string (§2).
    pub fn member(&self, cache: &str) -> String {
        let mut text = name(cache);
        if self.hit {
            text.push_str("; hit");
        }
        if let Some(fwd) = self.fwd {
            let _ = write!(text, "; fwd={}", word(fwd));
        }
        if let Some(status) = self.fwd_status {
            let _ = write!(text, "; fwd-status={status}");
        }
        if self.stored {
            text.push_str("; stored");
        }
        if self.collapsed {
            text.push_str("; collapsed");
        }
        if let Some(ttl) = self.ttl {
            let _ = write!(text, "; ttl={ttl}");
        }
        if let Some(detail) = self.detail {
            let _ = write!(text, "; detail={detail}");
        }
        text
    }
}

fn name(cache: &str) -> String {
    let begins = cache.starts_with(|first: char| first.is_ascii_alphabetic() || first == '*');
    if begins && cache.bytes().all(|byte| super::field::is_token_char(byte) || b":/".contains(&byte)) {
        return cache.to_owned();
    }
    let mut text = String::from('"');
    for char in cache.chars().filter(|char| matches!(char, ' '..='~')) {
        if matches!(char, '"' | '\\') {
            text.push('\\');
        }
        text.push(char);
    }
    text.push('"');
    text
}

/// The word for why a request goes on (RFC 9211 §2.2).
pub fn word(forward: Forward) -> &'static str {
    match forward {
        Forward::Bypass => "bypass",
        Forward::Method => "method",
        Forward::UriMiss => "uri-miss",
        Forward::VaryMiss => "vary-miss",
        Forward::Request => "request",
        Forward::Stale => "stale",
        Forward::Partial => "partial",
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_member_says_what_happened() {
        let hit = CacheStatus { hit: true, ttl: Some(-5), ..CacheStatus::default() };
        assert_eq!(hit.member("ferrule"), "ferrule; hit; ttl=-5");
        let miss = CacheStatus {
            fwd: Some(Forward::UriMiss),
            fwd_status: Some(304),
            stored: true,
            collapsed: true,
            detail: Some("late"),
            ..CacheStatus::default()
        };
        assert_eq!(
            miss.member("edge 1"),
            "\"edge 1\"; fwd=uri-miss; fwd-status=304; stored; collapsed; detail=late"
        );
        assert_eq!(CacheStatus::default().member("a\"\\b"), "\"a\\\"\\\\b\"");
    }
}
