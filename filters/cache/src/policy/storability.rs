//! Whether a response may be stored (RFC 9111 §3), and what of it.

use super::age::{age_value, initial_age};
use super::cache_control::ResponseDirectives;
use super::cdn_cache_control::targeted;
use super::entity_tag::EntityTag;
use super::field::Section;
use super::freshness::{Dates, Source, is_heuristically_cacheable, lifetime};
use super::method::Method;
use super::request::Request;
use super::response_fields::Excluded;
use super::rules::Rules;
use super::stored::Stored;
use super::time::Time;
use super::vary::{Vary, VaryError};

/// When a request went out and its response came (RFC 9111 §4.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When the request went out.
    pub request: Time,
    /// When the response's header section came.
    pub response: Time,
}

/// A response that may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storable {
    /// What to remember of it.
    pub stored: Stored,
    /// The fields that are not stored.
    pub excluded: Excluded,
    /// Names of request fields that select it (RFC 9111 §4.1).
    pub vary: Vec<String>,
}

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unstorable {
    /// Only GET's are, and POST's where the configuration says so.
    #[error("method")]
    Method,
    /// RFC 9111 §5.2.1.5
    #[error("request-no-store")]
    RequestNoStore,
    /// Not final, or one that needs to be understood and is not.
    #[error("status")]
    Status,
    /// A part (RFC 9111 §3.3).
    #[error("partial")]
    Partial,
    /// RFC 9111 §5.2.2.5
    #[error("no-store")]
    NoStore,
    /// RFC 9111 §5.2.2.7
    #[error("private")]
    Private,
    /// RFC 9111 §3.5
    #[error("authorization")]
    Authorization,
    /// The rules keep it out.
    #[error("set-cookie")]
    SetCookie,
    /// RFC 9111 §4.1: `*` never matches.
    #[error("vary-star")]
    VaryStar,
    /// More names than are kept.
    #[error("vary-limit")]
    VaryLimit,
    /// More tags than are kept.
    #[error("tags")]
    Tags,
    /// Nothing permits it (RFC 9111 §3, last item), or it could never be used.
    #[error("no-freshness")]
    NoFreshness,
}

impl Unstorable {
    /// Whether it is the response's own doing, so that what was stored is no more what the origin says; else it is the request's.
    pub fn is_of_response(self) -> bool {
        !matches!(self, Self::Method | Self::RequestNoStore | Self::Authorization | Self::Partial)
    }
}

/// The final statuses whose rules this cache knows and follows (RFC 9111 §3, must-understand).
pub fn is_understood(status: u16) -> bool {
    is_heuristically_cacheable(status) || matches!(status, 302 | 303 | 307 | 421 | 451)
}

/// The directives that count for a response, and whether they are a targeted field's (RFC 9213 §2.2).
pub fn directives(response: &(impl Section + ?Sized), rules: &Rules) -> (ResponseDirectives, bool) {
    match targeted(response, &rules.targets) {
        Some(directives) => (directives, true),
        None => {
            let value = response.combined("cache-control").unwrap_or_default();
            (ResponseDirectives::parse(&value), false)
        }
    }
}

/// Whether a response to `request` may be stored.
///
/// # Errors
/// The first rule that keeps it out.
pub fn assess(
    request: &Request,
    status: u16,
    response: &(impl Section + ?Sized),
    times: Times,
    rules: &Rules,
) -> Result<Storable, Unstorable> {
    let (directives, is_targeted) = directives(response, rules);
    may_be_stored(request, status, &directives)?;
    let vary = match Vary::read(response) {
        Ok(vary) => vary,
        Err(VaryError::Star) => return Err(Unstorable::VaryStar),
        Err(VaryError::TooMany) => return Err(Unstorable::VaryLimit),
    };
    let dates = Dates::read(response, times.response);
    let lifetime = lifetime(status, &directives, is_targeted, &dates, times.response, rules);
    // §3: "contains at least one of": what a lifetime comes from is just these.
    let lifetime = lifetime.ok_or(Unstorable::NoFreshness)?;
    // §7.3: the origin says what is private. Where it says nothing of caching, a cookie is taken for one client's.
    let stores_cookies = rules.store_set_cookie && lifetime.1 == Source::Explicit;
    if !stores_cookies && response.has("set-cookie") {
        return Err(Unstorable::SetCookie);
    }
    // RFC 9110 §9.3.3: POST's are cacheable only where they "include explicit freshness information".
    if request.method == Method::PostByContent && lifetime.1 != Source::Explicit {
        return Err(Unstorable::NoFreshness);
    }
    let stored = stored(status, &directives, lifetime, &dates, age_value(response), times, rules);
    if !is_of_use(&stored, response) {
        return Err(Unstorable::NoFreshness);
    }
    // §5.2.2.7: MUST NOT store the fields that private names. §5.2.2.4: those of no-cache MUST NOT be sent without validation,
    // which is easiest to keep where they are not there.
    let named = directives.private.fields().iter().chain(directives.no_cache.fields()).cloned();
    Ok(Storable { stored, excluded: Excluded::read(response, named), vary: vary.names })
}

/// RFC 9111 §3, item by item.
fn may_be_stored(request: &Request, status: u16, directives: &ResponseDirectives) -> Result<(), Unstorable> {
    // "the request method is understood by the cache"
    if !request.method.is_stored() {
        return Err(Unstorable::Method);
    }
    // §5.2.1.5
    if request.directives.no_store {
        return Err(Unstorable::RequestNoStore);
    }
    // "the response status code is final"; a 304 is never stored for itself, and a 416 answers one Range, which no key tells.
    if !(200..=599).contains(&status) || matches!(status, 304 | 416) {
        return Err(Unstorable::Status);
    }
    // "if the response status code is 206 …, the cache understands the response status code": a part that it knows how to keep comes
    // here as the 200 that it is of (§3.4).
    if status == 206 {
        return Err(Unstorable::Partial);
    }
    // "if … the must-understand cache directive is present, the cache understands the response status code"
    if directives.must_understand && !is_understood(status) {
        return Err(Unstorable::Status);
    }
    // "the no-store cache directive is not present"; §5.2.2.3: SHOULD be ignored where must-understand is and can be met.
    if directives.no_store && !directives.must_understand {
        return Err(Unstorable::NoStore);
    }
    // "if the cache is shared: the private response directive is either not present or allows a shared cache to store a modified
    // response"
    if directives.private.is_all() {
        return Err(Unstorable::Private);
    }
    // §3.5: "if the cache is shared: the Authorization header field is not present in the request … or a response directive is
    // present that explicitly allows shared caching"
    let allows = directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    if request.has_authorization && !allows {
        return Err(Unstorable::Authorization);
    }
    Ok(())
}

fn stored(
    status: u16,
    directives: &ResponseDirectives,
    (lifetime, source): (u32, Source),
    dates: &Dates,
    age_value: u32,
    times: Times,
    rules: &Rules,
) -> Stored {
    // The rules speak where the origin is silent, and never where it forbids. §5.2.2.10: s-maxage implies proxy-revalidate.
    let must_revalidate =
        directives.must_revalidate || directives.proxy_revalidate || directives.s_maxage.is_some();
    let swr = directives.stale_while_revalidate.unwrap_or(rules.stale_while_revalidate);
    let sie = directives.stale_if_error.unwrap_or(rules.stale_if_error);
    // What the operator says counts from now on: the age that others have seen does not use it up.
    let is_configured = source == Source::Configured;
    let initial_age = initial_age(age_value, dates.date, times.request, times.response);
    Stored {
        status,
        no_cache: directives.no_cache.is_all(),
        must_revalidate,
        response_time: times.response,
        initial_age,
        lifetime: if is_configured { lifetime.saturating_add(initial_age) } else { lifetime },
        date: dates.date.unwrap_or(times.response.seconds()),
        last_modified: dates.last_modified,
        stale_while_revalidate: swr,
        stale_if_error: sie,
    }
}

/// Whether it could ever answer a request: now, after validation, or stale.
fn is_of_use(stored: &Stored, response: &(impl Section + ?Sized)) -> bool {
    let has_tag = response.values("etag").first().is_some_and(|tag| EntityTag::parse(tag).is_some());
    let may_be_stale = !stored.no_cache && !stored.must_revalidate;
    let has_window = stored.stale_while_revalidate > 0 || stored.stale_if_error > 0;
    (stored.is_fresh(stored.response_time) && !stored.no_cache)
        || has_tag
        || stored.last_modified.is_some()
        || (may_be_stale && has_window)
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::policy::date;

    const NOW: Time = Time(1_700_000_000_000);
    const TIMES: Times = Times { request: NOW, response: NOW };

    fn lines(lines: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        lines.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect()
    }

    fn assess_with(
        method: &str,
        request: &[(&str, &str)],
        status: u16,
        response: &[(&str, &str)],
    ) -> Result<Storable, Unstorable> {
        let rules = Rules::default();
        let request = Request::read(method.as_bytes(), &lines(request)[..], &rules);
        assess(&request, status, &lines(response)[..], TIMES, &rules)
    }

    fn get(status: u16, response: &[(&str, &str)]) -> Result<Storable, Unstorable> {
        assess_with("GET", &[], status, response)
    }

    fn refusal(cache_control: &str) -> Option<Unstorable> {
        get(200, &[("cache-control", cache_control)]).err()
    }

    #[test]
    fn any_final_status_with_explicit_freshness_is_stored() {
        for status in [200, 201, 204, 302, 400, 404, 418, 500, 503, 599] {
            assert!(get(status, &[("cache-control", "max-age=9")]).is_ok(), "{status}");
        }
        for (status, why) in [
            (100, Unstorable::Status),
            (199, Unstorable::Status),
            (304, Unstorable::Status),
            (416, Unstorable::Status),
            (206, Unstorable::Partial),
            (600, Unstorable::Status),
        ] {
            assert_eq!(get(status, &[("cache-control", "max-age=9")]), Err(why), "{status}");
        }
    }

    #[test]
    fn directives_keep_responses_out() {
        assert_eq!(refusal("max-age=9, no-store"), Some(Unstorable::NoStore));
        assert_eq!(refusal("max-age=9, private"), Some(Unstorable::Private));
        assert_eq!(refusal("max-age=9, no-cache"), Some(Unstorable::NoFreshness));
        assert_eq!(refusal("max-age=9"), None);
        assert_eq!(refusal("max-age=9, no-store, must-understand"), None);
        let unknown = get(599, &[("cache-control", "max-age=9, must-understand")]);
        assert_eq!(unknown, Err(Unstorable::Status));
    }

    #[test]
    fn fields_that_private_and_no_cache_name_are_left_out() {
        let storable = get(200, &[("cache-control", "max-age=9, private=\"a\", no-cache=\"b\"")]).unwrap();
        assert!(storable.excluded.covers("a") && storable.excluded.covers("b") && !storable.stored.no_cache);
    }

    #[test]
    fn responses_to_requests_with_credentials_need_leave() {
        let with = |cache_control| {
            assess_with("GET", &[("authorization", "Basic x")], 200, &[("cache-control", cache_control)])
        };
        assert_eq!(with("max-age=9"), Err(Unstorable::Authorization));
        for leave in ["max-age=9, public", "s-maxage=9", "max-age=9, must-revalidate"] {
            assert!(with(leave).is_ok(), "{leave}");
        }
        assert_eq!(with("max-age=9, proxy-revalidate"), Err(Unstorable::Authorization));
    }

    #[test]
    fn methods_and_requests_keep_responses_out() {
        let fresh = [("cache-control", "max-age=9")];
        for method in ["HEAD", "PUT", "OPTIONS", "get", "M-SEARCH"] {
            assert_eq!(assess_with(method, &[], 200, &fresh), Err(Unstorable::Method), "{method}");
        }
        assert_eq!(
            assess_with("GET", &[("cache-control", "no-store")], 200, &fresh),
            Err(Unstorable::RequestNoStore)
        );
    }

    #[test]
    fn what_has_neither_freshness_nor_validator_is_of_no_use() {
        assert_eq!(get(200, &[]), Err(Unstorable::NoFreshness));
        assert_eq!(get(302, &[("etag", "\"a\"")]), Err(Unstorable::NoFreshness));
        assert!(get(200, &[("etag", "\"a\"")]).is_ok());
        assert!(get(200, &[("last-modified", &date::format(NOW.seconds() - 100))]).is_ok());
        assert_eq!(get(200, &[("etag", "junk")]), Err(Unstorable::NoFreshness));
        assert!(get(200, &[("cache-control", "max-age=0, stale-if-error=9")]).is_ok());
    }

    #[test]
    fn a_targeted_field_takes_the_place_of_the_others() {
        let storable =
            get(200, &[("cache-control", "no-store"), ("cdn-cache-control", "max-age=5")]).unwrap();
        assert_eq!(storable.stored.lifetime, 5);
        let refused = get(200, &[("cache-control", "max-age=5"), ("cdn-cache-control", "no-store")]);
        assert_eq!(refused, Err(Unstorable::NoStore));
        let ignored =
            get(200, &[("cache-control", "max-age=5"), ("cdn-cache-control", "no-store, &")]).unwrap();
        assert_eq!(ignored.stored.lifetime, 5);
        let expires = date::format(NOW.seconds() + 50);
        let unsaid =
            get(200, &[("expires", &expires), ("cdn-cache-control", "x"), ("etag", "\"a\"")]).unwrap();
        assert_eq!(unsaid.stored.lifetime, 0);
    }

    #[test]
    fn cookies_are_stored_where_the_origin_speaks_of_caching() {
        let rules = Rules { default_ttl: Some(60), ..Rules::default() };
        let of = |response: &[(&str, &str)], rules: &Rules| {
            let request = Request::read(b"GET", &lines(&[])[..], rules);
            assess(&request, 200, &lines(response)[..], TIMES, rules).map(|storable| storable.stored.lifetime)
        };
        let (cookie, fresh) = (("set-cookie", "a=b"), ("cache-control", "max-age=9"));
        assert_eq!(of(&[cookie, fresh], &rules), Ok(9));
        assert_eq!(of(&[cookie], &rules), Err(Unstorable::SetCookie));
        let modified = date::format(NOW.seconds() - 1000);
        assert_eq!(
            of(&[cookie, ("last-modified", &modified)], &Rules::default()),
            Err(Unstorable::SetCookie)
        );
        let skips = Rules { store_set_cookie: false, ..Rules::default() };
        assert_eq!(of(&[cookie, fresh], &skips), Err(Unstorable::SetCookie));
    }

    #[test]
    fn responses_to_post_need_explicit_freshness_and_leave() {
        let rules = Rules { default_ttl: Some(60), ..Rules::default() };
        let of = |method, response: &[(&str, &str)]| {
            let request = Request { method, ..Request::read(b"POST", &lines(&[])[..], &rules) };
            assess(&request, 200, &lines(response)[..], TIMES, &rules)
                .map(|storable| storable.stored.lifetime)
        };
        let fresh = [("cache-control", "max-age=9")];
        assert_eq!(of(Method::Post, &fresh), Err(Unstorable::Method));
        assert_eq!(of(Method::PostByContent, &fresh), Ok(9));
        let expires = date::format(NOW.seconds() + 50);
        assert_eq!(of(Method::PostByContent, &[("expires", &expires)]), Ok(50));
        for silent in [&[][..], &[("cache-control", "public")], &[("etag", "\"a\"")]] {
            assert_eq!(of(Method::PostByContent, silent), Err(Unstorable::NoFreshness), "{silent:?}");
        }
    }

    #[test]
    fn the_operators_lifetime_counts_from_the_time_it_came() {
        let rules = Rules { default_ttl: Some(60), ..Rules::default() };
        let request = Request::read(b"GET", &lines(&[])[..], &rules);
        let storable = assess(&request, 200, &lines(&[("age", "500")])[..], TIMES, &rules).unwrap();
        assert_eq!((storable.stored.ttl(NOW), storable.stored.age(NOW)), (60, 500));
    }
}
