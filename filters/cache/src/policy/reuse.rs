//! Whether a stored response answers a request (RFC 9111 §4): the decision that a cache takes for each of them.

use super::request::Request;
use super::stale;
use super::stored::Stored;
use super::time::Time;

/// Why a request goes on to the origin; the words are those of RFC 9211 §2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The cache was configured not to handle it.
    Bypass,
    /// Its method is not answered from the store.
    Method,
    /// Nothing is stored for its URI.
    UriMiss,
    /// Responses are stored for its URI, but none that it selects (RFC 9111 §4.1).
    VaryMiss,
    /// What is stored could be used, but the request does not want it so.
    Request,
    /// What is stored is stale, or needs validation.
    Stale,
    /// What is stored is a part alone.
    Partial,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The stored response answers.
    Serve {
        /// It is stale.
        stale: bool,
        /// It is to be validated in the background (RFC 5861 §3).
        refresh: bool,
    },
    /// The stored response answers if the origin confirms it (RFC 9111 §4.3).
    Validate(Forward),
    /// The origin answers.
    Forward(Forward),
    /// 504 (RFC 9111 §5.2.1.7).
    GatewayTimeout,
}

/// What is stored for a request.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// Nothing under its key.
    Nothing,
    /// Responses under its key, none of which it selects.
    OtherVariants,
    /// The response that it selects.
    Response {
        /// Its metadata.
        stored: &'a Stored,
        /// It was purged softly: it is as if stale, and serves no one without validation but in the place of an error.
        purged: bool,
        /// It is incomplete, and what the request needs of it is not there.
        lacks: bool,
    },
}

/// Decides (RFC 9111 §4).
pub fn decide(request: &Request, found: Found<'_>, now: Time) -> Decision {
    // §4: "the request method associated with the stored response allows it to be used for the presented request"
    if !request.method.reads() {
        return Decision::Forward(Forward::Method);
    }
    // §4.3.2: a cache MUST NOT evaluate what is for the origin alone.
    if request.is_for_origin {
        return or_timeout(request, Decision::Forward(Forward::Request));
    }
    let (stored, purged) = match found {
        Found::Nothing => return or_timeout(request, Decision::Forward(Forward::UriMiss)),
        Found::OtherVariants => return or_timeout(request, Decision::Forward(Forward::VaryMiss)),
        // §3.3: MUST NOT be used but for a range wholly within it.
        Found::Response { lacks: true, .. } => {
            return or_timeout(request, Decision::Forward(Forward::Partial));
        }
        Found::Response { stored, purged, .. } => (stored, purged),
    };
    or_timeout(request, reuse(request, stored, purged, now))
}

fn reuse(request: &Request, stored: &Stored, purged: bool, now: Time) -> Decision {
    // §5.2.2.4: MUST NOT be used without validation.
    if stored.no_cache || purged {
        return Decision::Validate(Forward::Stale);
    }
    if !is_wanted(request, stored, now) {
        return Decision::Validate(Forward::Request);
    }
    if stored.is_fresh(now) {
        return Decision::Serve { stale: false, refresh: false };
    }
    if stale::is_forbidden(stored) {
        return Decision::Validate(Forward::Stale);
    }
    let refresh = stale::while_revalidating(stored, now);
    // §5.2.1.1: without max-stale, one that says max-age takes nothing stale.
    let takes_stale = request.directives.max_age.is_none() && request.directives.min_fresh.is_none();
    if stale::client_accepts(stored, request, now) || (refresh && takes_stale) {
        // §5.2.1.7: nothing is asked of the origin for who wants a stored response alone.
        return Decision::Serve { stale: true, refresh: refresh && !request.directives.only_if_cached };
    }
    Decision::Validate(Forward::Stale)
}

/// Whether the request's own bounds hold (§5.2.1).
fn is_wanted(request: &Request, stored: &Stored, now: Time) -> bool {
    let directives = &request.directives;
    let young_enough = directives.max_age.is_none_or(|limit| stored.age(now) <= limit);
    let fresh_enough = directives.min_fresh.is_none_or(|least| stored.ttl(now) >= i64::from(least));
    !directives.no_cache && young_enough && fresh_enough
}

/// §5.2.1.7: either a stored response or 504.
fn or_timeout(request: &Request, decision: Decision) -> Decision {
    match decision {
        Decision::Serve { .. } => decision,
        _ if request.directives.only_if_cached => Decision::GatewayTimeout,
        _ => decision,
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::policy::rules::Rules;

    const STORED: Stored = Stored {
        status: 200,
        no_cache: false,
        must_revalidate: false,
        response_time: Time(0),
        initial_age: 0,
        lifetime: 100,
        date: 0,
        last_modified: None,
        stale_while_revalidate: 0,
        stale_if_error: 0,
    };
    const HIT: Decision = Decision::Serve { stale: false, refresh: false };
    const STALE: Decision = Decision::Validate(Forward::Stale);
    const REQUEST: Decision = Decision::Validate(Forward::Request);

    fn request(cache_control: &str) -> Request {
        let lines = [("cache-control".to_owned(), cache_control.as_bytes().to_vec())];
        Request::read(b"GET", &lines[..], &Rules::default())
    }

    fn at(age: u64, cache_control: &str, stored: Stored) -> Decision {
        let found = Found::Response { stored: &stored, purged: false, lacks: false };
        decide(&request(cache_control), found, Time::from_seconds(age))
    }

    #[test]
    fn a_response_is_fresh_until_its_age_is_its_lifetime() {
        assert_eq!(at(99, "", STORED), HIT);
        assert_eq!(at(100, "", STORED), STALE);
    }

    #[test]
    fn requests_bound_age_and_freshness() {
        assert_eq!(at(10, "max-age=10", STORED), HIT);
        assert_eq!(at(11, "max-age=10", STORED), REQUEST);
        assert_eq!(at(90, "min-fresh=10", STORED), HIT);
        assert_eq!(at(91, "min-fresh=10", STORED), REQUEST);
        assert_eq!(at(0, "no-cache", STORED), REQUEST);
        assert_eq!(at(0, "max-age=0", STORED), HIT);
        assert_eq!(at(0, "no-store", STORED), HIT);
    }

    #[test]
    fn stale_responses_answer_who_takes_them_unless_forbidden() {
        let taken = Decision::Serve { stale: true, refresh: false };
        assert_eq!(at(150, "max-stale", STORED), taken);
        assert_eq!(at(150, "max-stale=50", STORED), taken);
        assert_eq!(at(151, "max-stale=50", STORED), STALE);
        assert_eq!(at(150, "max-stale, max-age=200", STORED), taken);
        assert_eq!(at(150, "max-stale, max-age=149", STORED), REQUEST);
        assert_eq!(at(150, "max-stale", Stored { must_revalidate: true, ..STORED }), STALE);
        assert_eq!(at(0, "max-stale", Stored { no_cache: true, ..STORED }), STALE);
    }

    #[test]
    fn a_response_is_served_while_it_is_revalidated_in_its_window() {
        let stored = Stored { stale_while_revalidate: 20, ..STORED };
        let refreshed = Decision::Serve { stale: true, refresh: true };
        assert_eq!(at(120, "", stored), refreshed);
        assert_eq!(at(121, "", stored), STALE);
        assert_eq!(at(120, "max-age=500", stored), STALE);
        assert_eq!(at(120, "no-cache", stored), REQUEST);
        assert_eq!(at(120, "", Stored { must_revalidate: true, ..stored }), STALE);
    }

    #[test]
    fn only_if_cached_is_answered_here_or_not_at_all() {
        assert_eq!(at(5, "only-if-cached", STORED), HIT);
        assert_eq!(at(105, "only-if-cached", STORED), Decision::GatewayTimeout);
        let windowed = Stored { stale_while_revalidate: 20, ..STORED };
        assert_eq!(at(105, "only-if-cached", windowed), Decision::Serve { stale: true, refresh: false });
        let now = Time(0);
        assert_eq!(decide(&request("only-if-cached"), Found::Nothing, now), Decision::GatewayTimeout);
        assert_eq!(decide(&request(""), Found::OtherVariants, now), Decision::Forward(Forward::VaryMiss));
    }

    #[test]
    fn a_softly_purged_response_needs_validation() {
        let found = Found::Response { stored: &STORED, purged: true, lacks: false };
        assert_eq!(decide(&request("max-stale"), found, Time(0)), STALE);
    }

    #[test]
    fn what_a_part_lacks_is_the_origins_or_no_ones() {
        let found = Found::Response { stored: &STORED, purged: false, lacks: true };
        assert_eq!(decide(&request(""), found, Time(0)), Decision::Forward(Forward::Partial));
        assert_eq!(decide(&request("only-if-cached"), found, Time(0)), Decision::GatewayTimeout);
    }

    #[test]
    fn an_error_lets_a_stale_response_through_within_its_window() {
        let stored = Stored { stale_if_error: 20, ..STORED };
        let served = |age, cache_control: &str, stored: &Stored| {
            stale::if_error(stored, &request(cache_control), Time::from_seconds(age))
        };
        assert!(served(120, "", &stored) && !served(121, "", &stored));
        assert!(served(130, "stale-if-error=30", &STORED) && !served(120, "", &STORED));
        assert!(served(130, "max-stale", &STORED));
        assert!(!served(110, "no-cache", &stored) && !served(110, "max-age=100", &stored));
        assert!(!served(110, "", &Stored { must_revalidate: true, ..stored }));
    }
}
