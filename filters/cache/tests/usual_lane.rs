//! What the lane of the usual hit leaves to the other one.

#![allow(clippy::unwrap_used)]

mod sent_off;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ferrule_cache::Cache;
use ferrule_kit::{Event, Fields, Filter, MemoryHost, Message, compile};

use sent_off::client;

fn cache(config: &str) -> Arc<Cache> {
    Arc::new(compile::<Cache>(config.as_bytes()).unwrap())
}

fn is_quick(cache: &Arc<Cache>, path: &str) -> bool {
    let lines = [(":method", "GET"), (":path", path), (":authority", "a.example"), (":scheme", "http")];
    let clock = UNIX_EPOCH + Duration::from_secs(1_000_000);
    let mut host = MemoryHost { clock, ..MemoryHost::with_request(lines) };
    cache.quick(&mut host, true).is_some()
}

const STORED: [(&str, &str); 4] = [
    ("cache-control", "max-age=60"),
    ("content-length", "4"),
    ("etag", "\"a\""),
    ("date", "Mon, 12 Jan 1970 13:46:40 GMT"),
];

fn stored(config: &str) -> Arc<Cache> {
    let cache = cache(config);
    let mut first = client(&cache, 0, &[]);
    first.head(&STORED);
    first.data("body", true);
    cache
}

#[test]
fn who_is_to_be_told_of_each_request_is_told_of_hits() {
    assert!(is_quick(&stored("{}"), "/x"));
    assert!(!is_quick(&stored(r#"{"observe": {"metadata": true}}"#), "/x"));
}

#[test]
fn what_is_no_target_is_not_answered_by_what_is_stored_for_another() {
    for config in ["{}", r#"{"key": {"headers": ["x-a"]}}"#] {
        let cache = stored(config);
        assert!(is_quick(&cache, "/x"));
        assert!(!is_quick(&cache, "/x#a"));
    }
}

#[test]
fn a_part_is_not_taken_for_the_whole() {
    let cache = cache("{}");
    let mut first = client(&cache, 0, &[("range", "bytes=0-3")]);
    let part = [(":status", "206"), ("content-range", "bytes 0-3/8")];
    let lines = part.iter().chain(&STORED);
    let lines = lines.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    first.host.arrive(Fields::ResponseHeaders, lines.collect());
    first.driver.on(Event::Headers { message: Message::Response, end: false }, &mut first.host);
    first.data("body", true);
    assert!(!is_quick(&cache, "/x"));
    let mut part = client(&cache, 0, &[("range", "bytes=1-2")]);
    assert_eq!(part.read().0, "od");
}
