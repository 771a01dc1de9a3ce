//! Storability and freshness against another implementation, on random fields. Where that one deviates from RFC 9111 by intent
//! (proxy-revalidate, Set-Cookie, immutable, must-understand), the fields do not go.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, UNIX_EPOCH};

use ferrule_cache::policy::date;
use ferrule_cache::policy::request::Request;
use ferrule_cache::policy::rules::Rules;
use ferrule_cache::policy::storability::{Times, assess};
use ferrule_cache::policy::time::Time;
use http_cache_semantics::{CacheOptions, CachePolicy};
use proptest::prelude::*;

const NOW: u64 = 1_700_000_000;

type Lines = Vec<(String, Vec<u8>)>;

fn directive() -> impl Strategy<Value = String> {
    let seconds = prop_oneof![Just(0u32), 1..200u32];
    prop_oneof![
        4 => seconds.clone().prop_map(|seconds| format!("max-age={seconds}")),
        2 => seconds.prop_map(|seconds| format!("s-maxage={seconds}")),
        1 => prop::sample::select(vec!["public", "private", "no-store", "no-cache", "must-revalidate", "x=y", "foo=7"]).prop_map(str::to_owned),
    ]
}

fn response() -> impl Strategy<Value = Lines> {
    let line = |name: &'static str, value: String| (name.to_owned(), value.into_bytes());
    let cache_control = prop::collection::vec(directive(), 0..4).prop_map(move |all| {
        // Of a directive that comes twice that implementation takes the last, this one the first: RFC 9111 §4.2.1 has it so.
        let mut names: Vec<String> = Vec::new();
        let name = |directive: &String| directive.split('=').next().unwrap().to_ascii_lowercase();
        let once: Vec<_> = all
            .into_iter()
            .filter(|directive| {
                !names.contains(&name(directive)) && {
                    names.push(name(directive));
                    true
                }
            })
            .collect();
        once.join(", ")
    });
    let at = |offset: i64| date::format(NOW as i64 + offset);
    (
        cache_control,
        prop::option::of(-300i64..300),
        prop::option::of(0u32..200),
        prop::option::of(-5000i64..0),
        // That implementation takes no age from Date, as RFC 9111 §4.2.3 has it.
        prop::option::of(Just(0i64)),
    )
        .prop_map(move |(cache_control, expires, age, modified, date)| {
            let mut lines = Vec::new();
            if !cache_control.is_empty() {
                lines.push(line("cache-control", cache_control));
            }
            lines.extend(expires.map(|offset| line("expires", at(offset))));
            lines.extend(age.map(|age| line("age", age.to_string())));
            lines.extend(modified.map(|offset| line("last-modified", at(offset))));
            lines.extend(date.map(|offset| line("date", at(offset))));
            lines
        })
}

/// Whether the response is stored and answers a request `after` so many seconds.
fn ours(status: u16, has_authorization: bool, response: &Lines, after: u64) -> bool {
    let rules = Rules::default();
    let mut request = Request::read(b"GET", &[][..] as &[(String, Vec<u8>)], &rules);
    request.has_authorization = has_authorization;
    let now = Time::from_seconds(NOW);
    let assessed = assess(&request, status, &response[..], Times { request: now, response: now }, &rules);
    let now = Time::from_seconds(NOW + after);
    assessed.is_ok_and(|storable| !storable.stored.no_cache && storable.stored.is_fresh(now))
}

fn theirs(status: u16, has_authorization: bool, lines: &Lines, after: u64) -> bool {
    let mut request = http::Request::get("http://a.example/");
    if has_authorization {
        request = request.header("authorization", "Basic x");
    }
    let mut response = http::Response::builder().status(status);
    for (name, value) in lines {
        response = response.header(name, &value[..]);
    }
    let came = UNIX_EPOCH + Duration::from_secs(NOW);
    let (request, response) = (request.body(()).unwrap(), response.body(()).unwrap());
    let policy = CachePolicy::new_options(&request, &response, came, CacheOptions::default());
    policy.is_storable() && !policy.is_stale(came + Duration::from_secs(after))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn another_implementation_stores_and_reuses_the_same(
        status in prop::sample::select(vec![200u16, 203, 204, 300, 301, 302, 307, 308, 404, 405, 410, 414, 501]),
        has_authorization in any::<bool>(),
        response in response(),
        after in 0u64..250,
    ) {
        let (ours, theirs) = (ours(status, has_authorization, &response, after), theirs(status, has_authorization, &response, after));
        prop_assert_eq!(ours, theirs);
    }
}
