//! Streams that read along what another fetches, and what of it they may rely on.

#![allow(clippy::panic, clippy::unwrap_used)]

mod clients;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ferrule_kit::{Driver, Event, MemoryHost, Message, Step};

use clients::{Client, FRESH, cache, client, waiters};

#[test]
fn many_misses_make_one_request_and_stream_as_bytes_arrive() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[]);
    assert!(filler.is_forwarded());
    let mut waiters = waiters(&cache, 100);
    filler.head("200", &[("cache-control", "max-age=60"), ("content-length", "10000")], false);
    let (first, second) = ("a".repeat(6000), "b".repeat(4000));
    filler.data(&first, false);
    for waiter in &mut waiters {
        waiter.wake();
        assert_eq!((waiter.body.len(), waiter.done), (6000, false));
    }
    filler.data(&second, true);
    for waiter in &mut waiters {
        waiter.wake();
        assert_eq!((waiter.body.len(), waiter.done), (10_000, true));
        assert_eq!(waiter.cache_status(), "ferrule; fwd=uri-miss; collapsed; ttl=60");
        assert!(waiter.body.starts_with(b"aa") && waiter.body.ends_with(b"bb"));
    }
    assert!(client(&cache, &[]).done);
}

#[test]
fn without_a_length_waiters_read_along_all_the_same() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[]);
    let mut waiters = waiters(&cache, 3);
    filler.head("200", &[("cache-control", "max-age=60")], false);
    waiters.iter_mut().for_each(Client::wake);
    assert!(waiters.iter().all(|waiter| waiter.answer.is_some() && !waiter.done));
    filler.data(&"a".repeat(600), false);
    waiters.iter_mut().for_each(Client::wake);
    assert!(waiters.iter().all(|waiter| waiter.body.len() == 600 && !waiter.done));
    filler.data("def", true);
    waiters.iter_mut().for_each(Client::wake);
    for waiter in &waiters {
        assert!(waiter.done && waiter.body.len() == 603 && waiter.body.ends_with(b"adef"));
        let lines = &waiter.answer.as_ref().unwrap().fields;
        assert!(lines.iter().all(|(name, _)| name != "content-length"));
    }
    assert_eq!(client(&cache, &[]).body.len(), 603);
}

#[test]
fn without_a_length_who_has_begun_is_reset_where_the_response_is_given_up() {
    let endings: [fn(Client); 2] = [drop, |mut filler| filler.data(&"a".repeat(2000), false)];
    for end in endings {
        let cache = cache(r#"{"storage": {"objectBytes": 2000}}"#);
        let mut filler = client(&cache, &[]);
        let mut waiters = waiters(&cache, 2);
        filler.head("200", &[("cache-control", "max-age=60")], false);
        filler.data(&"a".repeat(600), false);
        waiters[0].wake();
        assert_eq!(waiters[0].body.len(), 600);
        end(filler);
        waiters.iter_mut().for_each(Client::wake);
        assert_eq!(waiters[0].step, Step::Reset);
        assert!(waiters[1].is_forwarded());
    }
}

#[test]
fn by_http_1_0_no_one_reads_what_could_be_cut_short_unseen() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[]);
    let mut waiter = client(&cache, &[]);
    waiter.host.attributes.insert("request.protocol".to_owned(), "HTTP/1.0".into());
    filler.head("200", &[("cache-control", "max-age=60")], false);
    waiter.wake();
    assert!(waiter.is_forwarded());
}

#[test]
fn fills_of_large_bodies_keep_neither_small_ones_nor_what_is_stored_out() {
    let cache = cache(r#"{"storage": {"bytes": 8388608, "objectBytes": 1048576}}"#);
    let path = |kind: &str, n: usize| format!("/{kind}/{n}");
    let fill = |kind: &str, n: usize, length: usize| {
        let mut filler = client(&cache, &[(":path", &path(kind, n))]);
        filler.head("200", &[FRESH[0], ("content-length", &length.to_string())], false);
        filler
    };
    for n in 0..30 {
        fill("stored", n, 100_000).data(&"s".repeat(100_000), true);
    }
    let mut slow: Vec<_> = (0..20).map(|n| fill("slow", n, 1_048_576)).collect();
    slow.iter_mut().for_each(|filler| filler.data(&"l".repeat(1_000_000), false));
    let is_stored = |kind: &str, n: usize| client(&cache, &[(":path", &path(kind, n))]).done;
    assert!((0..30).all(|n| is_stored("stored", n)));
    fill("small", 0, 10_000).data(&"s".repeat(10_000), true);
    assert!(is_stored("small", 0));
    slow.clear();
    fill("large", 0, 1_000_000).data(&"l".repeat(1_000_000), true);
    assert!(is_stored("large", 0));
}

#[test]
fn a_response_that_breaks_off_is_whole_for_no_one() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[]);
    let mut waiters = waiters(&cache, 2);
    filler.head("200", &[("cache-control", "max-age=60"), ("content-length", "10000")], false);
    filler.data(&"a".repeat(6000), false);
    waiters[0].wake();
    assert_eq!(waiters[0].body.len(), 6000);
    drop(filler);
    waiters.iter_mut().for_each(Client::wake);
    assert_eq!(waiters[0].step, Step::Reset);
    // Who had sent nothing asks the origin itself.
    assert!(waiters[1].is_forwarded());
    assert!(client(&cache, &[]).is_forwarded());
}

#[test]
fn a_waiter_is_answered_by_its_own_conditions() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[]);
    let mut waiter = client(&cache, &[("if-none-match", "\"a\"")]);
    filler.head("200", &[("etag", "\"a\""), ("cache-control", "max-age=60"), ("content-length", "6")], false);
    waiter.wake();
    assert_eq!(waiter.answer.as_ref().unwrap().status, 304);
    assert!(waiter.done);
}

#[test]
fn after_a_purge_no_one_reads_along_what_was_fetched_before_it() {
    let allows = r#"{"purge": {"allow": [{"method": "PURGE"}]}}"#;
    let purges: [&[(&str, &str)]; 5] = [
        &[(":method", "PURGE")],
        &[(":method", "PURGE"), ("ferrule-purge", "soft")],
        &[(":method", "PURGE"), (":path", "/"), ("ferrule-purge", "prefix")],
        &[(":method", "PURGE"), ("cache-tag", "a")],
        &[(":method", "PUT")],
    ];
    for purge in purges {
        let cache = cache(allows);
        let mut filler = client(&cache, &[]);
        let mut reader = client(&cache, &[]);
        filler.head("200", &[FRESH[0], FRESH[1], ("cache-tag", "a, b")], false);
        reader.wake();
        let mut purger = client(&cache, purge);
        if purger.is_forwarded() {
            purger.head("204", &[], true);
        }
        let mut later = client(&cache, &[]);
        assert!(later.is_forwarded(), "{purge:?}");
        filler.data("before", true);
        reader.wake();
        assert_eq!(reader.body, b"before");
        later.head("200", &FRESH, false);
        later.data("after_", true);
        assert_eq!(client(&cache, &[]).body, b"after_");
    }
}

#[test]
fn a_purge_by_another_tag_leaves_a_fetch_alone() {
    let cache = cache(r#"{"purge": {"allow": [{"method": "PURGE"}]}}"#);
    let mut filler = client(&cache, &[]);
    filler.head("200", &[FRESH[0], FRESH[1], ("cache-tag", "a, b")], false);
    client(&cache, &[(":method", "PURGE"), ("cache-tag", "c")]);
    assert!(client(&cache, &[]).answer.is_some());
}

#[test]
fn streams_share_the_bytes_of_the_store() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[]);
    filler.head("200", &FRESH, false);
    filler.data("abcdef", true);
    let piece = || {
        let lines = [(":method", "GET"), (":path", "/x"), (":authority", "a.example"), (":scheme", "http")];
        let mut host = MemoryHost::with_request(lines);
        host.clock = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let mut driver = Driver::new(Arc::clone(&cache));
        let step = driver.on(Event::Headers { message: Message::Request, end: true }, &mut host);
        assert!(matches!(step, Step::Open(_)));
        match driver.on(Event::Room, &mut host) {
            Step::Send { pieces, end: true } => pieces[0].as_ptr(),
            step => panic!("{step:?}"),
        }
    };
    assert_eq!(piece(), piece());
}
