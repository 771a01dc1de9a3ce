//! Requests that the cache makes besides those of clients: refreshes of stale responses, and what a 304 has left open.

#![allow(clippy::panic, clippy::unwrap_used)]

mod sent_off;

use std::sync::Arc;

use ferrule_cache::Cache;
use ferrule_kit::{Counter, Event, Fields, Filter, Host, Message, Reply, Response, Step, compile};

use sent_off::{Client, Sent, cache, client, configured, line, tell};

/// A response of five bytes that is stale after ten seconds, and which the proxy asked for under another path.
fn stored(cache: &Arc<Cache>, lines: &[(&str, &str)]) {
    let mut first = client(cache, 0, &[]);
    first.host.set_field(Fields::RequestHeaders, ":path", b"/in/x");
    let lines: Vec<_> = [("cache-control", "max-age=10, stale-while-revalidate=60"), ("content-length", "5")]
        .into_iter()
        .chain(lines.iter().copied())
        .collect();
    first.head(&lines);
    first.data("first", true);
}

/// A stale response served, and the refresh that was sent off.
fn refreshing(cache: &Arc<Cache>) -> Sent {
    refreshing_at(cache, 20)
}

fn refreshing_at(cache: &Arc<Cache>, seconds: u64) -> Sent {
    let mut second = client(cache, seconds, &[("accept", "a")]);
    assert_eq!(second.field("cache-status"), format!("ferrule; hit; ttl=-{}", seconds - 10));
    assert_eq!(second.read(), ("first".to_owned(), false));
    second.sent_off().remove(0)
}

#[test]
fn a_stale_response_is_served_and_a_refresh_sent_off() {
    let cache = cache();
    stored(&cache, &[("etag", "\"a\"")]);
    let (callout, mut errand) = refreshing(&cache);
    assert_eq!(callout.cluster, "origin");
    let lines = [":method", ":path", "if-none-match", "accept"].map(|name| line(&callout, name).unwrap());
    assert_eq!(lines, ["GET", "/in/x", "\"a\"", "a"]);
    let mut meanwhile = client(&cache, 21, &[]);
    assert!(meanwhile.sent_off().is_empty() && meanwhile.field("cache-status").contains("hit"));
    let fresh = [(":status", "304"), ("etag", "\"a\""), ("cache-control", "max-age=10")];
    assert!(!tell(&mut *errand, 22, &fresh, true));
    drop(errand);
    assert_eq!(client(&cache, 23, &[]).field("cache-status"), "ferrule; hit; ttl=7");
}

#[test]
fn nothing_is_sent_off_where_the_route_edits_responses() {
    let cache = configured(r#"{"background": false}"#);
    stored(&cache, &[("etag", "\"a\"")]);
    let mut second = client(&cache, 20, &[]);
    assert!(second.sent_off().is_empty());
    assert_eq!(second.step, Step::Pass);
}

#[test]
fn a_refresh_may_bring_another_response() {
    let cache = cache();
    stored(&cache, &[]);
    let (_, mut errand) = refreshing(&cache);
    let other = [(":status", "200"), ("content-length", "6"), ("cache-control", "max-age=10")];
    assert!(tell(&mut *errand, 22, &other, false));
    assert!(errand.on_data(&[b"sec".as_slice().into()], false));
    errand.on_data(&[b"ond".as_slice().into()], true);
    assert_eq!(client(&cache, 23, &[]).read().0, "second");
}

#[test]
fn what_a_refresh_counts_is_counted_by_the_next_stream_that_ends() {
    let cache = cache();
    stored(&cache, &[("etag", "\"a\"")]);
    let (_, mut errand) = refreshing(&cache);
    tell(&mut *errand, 22, &[(":status", "304"), ("etag", "\"a\""), ("cache-control", "max-age=10")], true);
    drop(errand);
    let validated = Cache::COUNTERS.iter().position(|name| *name == "validated").unwrap();
    for expected in [1, 0] {
        let mut next = client(&cache, 23, &[]);
        next.driver.on(Event::Done, &mut next.host);
        assert_eq!(next.host.counted(Counter(validated)), expected);
    }
}

#[test]
fn what_a_client_wants_of_its_own_answer_is_nothing_to_the_refresh() {
    let cache = cache();
    stored(&cache, &[]);
    let mut second = client(&cache, 20, &[("cache-control", "no-store")]);
    let (_, mut errand) = second.sent_off().remove(0);
    let other = [(":status", "200"), ("content-length", "6"), ("cache-control", "max-age=10")];
    assert!(tell(&mut *errand, 22, &other, false));
    errand.on_data(&[b"second".as_slice().into()], true);
    assert_eq!(client(&cache, 23, &[]).read().0, "second");
}

#[test]
fn each_refresh_is_made_as_the_first_request_was_and_is_found_as_requests_come() {
    let cache = cache();
    let mut first = client(&cache, 0, &[("x-a", "1")]);
    first.host.set_field(Fields::RequestHeaders, ":path", b"/in/x");
    first.host.set_field(Fields::RequestHeaders, "x-a", b"by the route");
    let stale = [("cache-control", "max-age=10, stale-while-revalidate=600"), ("vary", "x-a")];
    first.head(&stale);
    first.data("first", true);
    for turn in 1..4 {
        let mut client = client(&cache, turn * 20, &[("x-a", "1")]);
        assert!(client.field("cache-status").contains("; hit; ttl=-"));
        let (callout, mut errand) = client.sent_off().remove(0);
        let lines = [":path", "x-a"].map(|name| line(&callout, name).unwrap());
        assert_eq!(lines, ["/in/x", "by the route"]);
        assert!(tell(&mut *errand, turn * 20, &[(":status", "200"), stale[0], stale[1]], false));
        errand.on_data(&[b"again".as_slice().into()], true);
    }
}

#[test]
fn a_refresh_that_brings_nothing_leaves_what_is_stored_to_the_next_after_a_pause() {
    let rests = |cache: &Arc<Cache>, seconds| {
        let mut meanwhile = client(cache, seconds, &[]);
        meanwhile.sent_off().is_empty() && meanwhile.read().0 == "first"
    };
    let cache = cache();
    stored(&cache, &[]);
    let (_, mut errand) = refreshing(&cache);
    assert!(!tell(&mut *errand, 22, &[(":status", "503")], true));
    drop(errand);
    assert!(rests(&cache, 23) && rests(&cache, 26));
    drop(refreshing_at(&cache, 28).1);
    assert!(rests(&cache, 29));
    let (_, mut errand) = refreshing_at(&cache, 34);
    let other = [(":status", "200"), ("content-length", "6"), ("cache-control", "max-age=10")];
    assert!(tell(&mut *errand, 35, &other, false));
    drop(errand);
    assert!(rests(&cache, 36));
    refreshing_at(&cache, 41);
}

#[test]
fn an_error_that_may_be_the_proxys_own_takes_the_place_of_nothing() {
    let cache = Arc::new(compile::<Cache>(br#"{"ttl": {"byStatus": {"503": 600}}}"#).unwrap());
    stored(&cache, &[]);
    let (_, mut errand) = refreshing(&cache);
    tell(&mut *errand, 22, &[(":status", "503"), ("content-length", "4")], false);
    errand.on_data(&[b"none".as_slice().into()], true);
    drop(errand);
    assert_eq!(client(&cache, 23, &[]).read().0, "first");
}

#[test]
fn where_the_proxy_signs_requests_the_client_waits_for_the_refresh() {
    let cache = cache();
    let mut first = client(&cache, 0, &[]);
    first.host.set_field(Fields::RequestHeaders, "authorization", b"AWS4-HMAC-SHA256 x");
    first.head(&[("cache-control", "max-age=10, stale-while-revalidate=60"), ("content-length", "5")]);
    first.data("first", true);
    let mut second = client(&cache, 20, &[]);
    assert_eq!(second.step, Step::Pass);
    assert!(second.sent_off().is_empty());
}

/// A client whose request was validated by a 304 that is about nothing that is stored, and what the origin is asked then.
fn asked_again(cache: &Arc<Cache>) -> (Client, Option<ferrule_kit::CalloutMade>) {
    let mut first = client(cache, 0, &[]);
    first.head(&[("cache-control", "max-age=10"), ("content-length", "5"), ("etag", "\"a\"")]);
    first.data("first", true);
    let mut second = client(cache, 20, &[("accept", "a"), ("if-none-match", "\"c\"")]);
    second.host.clusters.push("origin".to_owned());
    second.host.arrive(Fields::ResponseHeaders, vec![(":status".to_owned(), b"304".to_vec())]);
    second.host.add_field(Fields::ResponseHeaders, "etag", b"\"b\"");
    let headers = Event::Headers { message: Message::Response, end: true };
    second.step = second.driver.on(headers, &mut second.host);
    let made = second.host.callouts.pop();
    (second, made)
}

#[test]
fn where_a_304_confirms_nothing_the_origin_is_asked_again() {
    let cache = cache();
    let (mut client, made) = asked_again(&cache);
    let made = made.unwrap();
    let lines = ["if-none-match", ":path", "accept"].map(|name| line(&made.callout, name));
    assert_eq!(lines, [None, Some("/x".to_owned()), Some("a".to_owned())]);
    let lines = [(":status", "200"), ("x-a", "1"), ("connection", "x-b"), ("x-b", "2"), ("cache-tag", "t")];
    let fields = lines.iter().map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()));
    let reply =
        Reply { fields: fields.collect(), body: vec![b"sec".as_slice().into(), b"ond".as_slice().into()] };
    let step = client.driver.on(Event::Reply { id: made.id, reply: Ok(reply) }, &mut client.host);
    let Step::Respond(answer) = step else { panic!("{step:?}") };
    let names: Vec<_> = answer.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((answer.status, names, answer.body), (200, vec!["x-a", "cache-status"], b"second".to_vec()));
}

#[test]
fn where_the_origin_says_nothing_of_use_again_the_client_is_told_so() {
    let not_modified =
        || Ok(Reply { fields: vec![(b":status".as_slice().into(), b"304".as_slice().into())], body: vec![] });
    for reply in [not_modified(), Err(ferrule_kit::CalloutError::Reset)] {
        let (mut client, made) = asked_again(&cache());
        let id = made.unwrap().id;
        let step = client.driver.on(Event::Reply { id, reply }, &mut client.host);
        assert!(matches!(step, Step::Respond(Response { status: 502, .. })));
    }
}

#[test]
fn refreshes_ask_for_what_selects_and_no_more() {
    let cache = Arc::new(compile::<Cache>(br#"{"normalize": {"accept-encoding": ["gzip"]}}"#).unwrap());
    let mut first = client(&cache, 0, &[("accept-encoding", "gzip")]);
    assert_eq!(first.host.field(Fields::RequestHeaders, "accept-encoding").as_deref(), Some(&b"gzip"[..]));
    first.head(&[("cache-control", "max-age=10, stale-while-revalidate=60"), ("vary", "accept-encoding")]);
    first.data("first", true);
    let mut second = client(&cache, 20, &[("accept-encoding", "zstd, gzip")]);
    assert_eq!(second.read().0, "first");
    let (callout, _errand) = second.sent_off().remove(0);
    assert_eq!(line(&callout, "accept-encoding").unwrap(), "gzip");
}
