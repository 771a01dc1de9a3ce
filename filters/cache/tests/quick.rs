//! The quick lane answers as the usual one, or leaves the request to it.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ferrule_cache::Cache;
use ferrule_kit::{Driver, Event, Fields, Filter, MemoryHost, Message, Response, Step, compile};
use proptest::prelude::*;
use proptest::sample::select;

type Lines = Vec<(&'static str, &'static str)>;

fn host(second: u64, lines: &Lines) -> MemoryHost {
    let clock = UNIX_EPOCH + Duration::from_secs(1_000_000 + second);
    MemoryHost { clock, ..MemoryHost::with_request(lines.clone()) }
}

/// Sends a request on its usual way, and has the origin answer what is not answered.
fn usual(cache: &Arc<Cache>, mut host: MemoryHost, response: &Lines) -> Option<Response> {
    let mut driver = Driver::new(Arc::clone(cache));
    let step = driver.on(Event::Headers { message: Message::Request, end: true }, &mut host);
    if let Step::Respond(answer) = driver.at_once(step, &mut host) {
        return Some(answer);
    }
    let lines = response.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    host.arrive(Fields::ResponseHeaders, lines.collect());
    driver.on(Event::Headers { message: Message::Response, end: false }, &mut host);
    host.push_body(Message::Response, "body");
    driver.on(Event::Data { message: Message::Response, end: true }, &mut host);
    None
}

fn quick(cache: &Cache, mut host: MemoryHost) -> Option<Response> {
    let ready = cache.quick(&mut host, true)?;
    let mut fields = Vec::new();
    ready.lines(&mut |name, value| {
        fields.push((String::from_utf8(name.to_vec()).unwrap(), value.to_vec()));
    });
    // A host that sends an answer in one piece sets it by the body.
    fields.retain(|(name, _)| name != "content-length");
    let body = (0..ready.pieces()).flat_map(|place| ready.piece(place).to_vec()).collect();
    Some(Response { status: ready.status(), fields, body, details: "cache_hit".into() })
}

const CONFIGS: [&str; 5] = [
    "{}",
    r#"{"key": {"headers": ["x-a"], "query": {"sort": true}}}"#,
    r#"{"bypass": [{"header": {"name": "x-a", "value": "1"}}], "name": "edge 1"}"#,
    r#"{"normalize": {"x-a": ["1"]}}"#,
    r#"{"disable": {}}"#,
];

fn requests() -> impl Strategy<Value = Lines> {
    let more = select(vec![
        ("x-a", "1"),
        ("x-a", "2"),
        ("cache-control", "max-age=3"),
        ("cache-control", "no-cache"),
        ("pragma", "no-cache"),
        ("range", "bytes=0-1"),
        ("if-none-match", "\"e\""),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("if-match", "\"e\""),
        ("upgrade", "websocket"),
        ("authorization", "x"),
    ]);
    (
        select(vec!["GET", "GET", "GET", "HEAD", "POST"]),
        select(vec!["a.example", "A.example", "a.example:80", "a.example:8080", "a.example:"]),
        select(vec!["/x", "/x?b&a", "/x?a&b", "/x#f", "/\u{e9}", "*"]),
        select(vec!["http", "https", "HTTP"]),
        prop::collection::vec(more, 0..2),
    )
        .prop_map(|(method, authority, path, scheme, more)| {
            let mut lines =
                vec![(":method", method), (":authority", authority), (":path", path), (":scheme", scheme)];
            lines.extend(more);
            lines
        })
}

fn responses() -> impl Strategy<Value = Lines> {
    let control = select(vec!["max-age=5", "max-age=50, stale-while-revalidate=50", "no-cache", "no-store"]);
    let more = select(vec![
        ("vary", "x-a"),
        ("date", "Mon, 12 Jan 1970 13:46:40 GMT"),
        ("etag", "\"e\""),
        ("set-cookie", "a=1"),
        ("content-range", "bytes 0-3/4"),
    ]);
    (select(vec!["200", "200", "404", "204"]), control, prop::collection::vec(more, 0..4)).prop_map(
        |(status, control, more)| {
            let mut lines = vec![(":status", status), ("cache-control", control)];
            lines.extend(more);
            lines
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn what_is_answered_quickly_is_what_would_be_answered_anyway(
        config in select(CONFIGS.to_vec()),
        exchanges in prop::collection::vec((0u64..9, requests(), responses()), 1..9),
    ) {
        let cache = Arc::new(compile::<Cache>(config.as_bytes()).unwrap());
        let mut second = 0;
        for (passed, request, response) in &exchanges {
            second += passed;
            let quick = quick(&cache, host(second, request));
            let usual = usual(&cache, host(second, request), response);
            if quick.is_some() {
                prop_assert_eq!(quick, usual);
            }
        }
    }
}

#[test]
fn the_usual_hit_is_answered_quickly() {
    let cache = Arc::new(compile::<Cache>(b"{}").unwrap());
    let request = vec![(":method", "GET"), (":authority", "a"), (":path", "/x"), (":scheme", "http")];
    let response =
        vec![(":status", "200"), ("cache-control", "max-age=9"), ("date", "Mon, 12 Jan 1970 13:46:40 GMT")];
    assert_eq!(quick(&cache, host(0, &request)), None);
    assert_eq!(usual(&cache, host(0, &request), &response), None);
    let answer = quick(&cache, host(2, &request)).unwrap();
    assert_eq!(answer.body, b"body");
    let status = answer.fields.iter().find(|(name, _)| name == "cache-status");
    assert_eq!(status.unwrap().1, b"ferrule; hit; ttl=7");
    assert_eq!(quick(&cache, host(9, &request)), None);
}
