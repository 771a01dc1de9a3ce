//! Requests that the cache makes for the rest of what a client no longer wants, or does not take.

#![allow(clippy::panic, clippy::unwrap_used)]

mod sent_off;

use std::sync::Arc;

use ferrule_cache::Cache;
use ferrule_kit::{Event, Fields, Host, Message, Step};

use sent_off::{Client, Sent, cache, client, line, tell};

/// A fetch that has brought six thousand of ten thousand bytes, and one that reads along.
fn reading(cache: &Arc<Cache>, lines: &[(&str, &str)]) -> (Client, Client) {
    let (mut fetcher, mut reader) = (client(cache, 0, &[]), client(cache, 0, &[]));
    let lines: Vec<_> = [("cache-control", "max-age=60"), ("content-length", "10000")]
        .into_iter()
        .chain(lines.iter().copied())
        .collect();
    fetcher.head(&lines);
    fetcher.data(&"a".repeat(6000), false);
    reader.step = reader.driver.on(Event::Woken, &mut reader.host);
    assert_eq!(reader.opening().status, 200);
    assert_eq!(reader.read(), ("a".repeat(6000), false));
    (fetcher, reader)
}

fn gone(mut client: Client) -> Vec<Sent> {
    client.driver.on(Event::Done, &mut client.host);
    client.sent_off()
}

#[test]
fn the_rest_is_fetched_for_who_reads_along() {
    let cache = cache();
    let (fetcher, mut reader) = reading(&cache, &[("etag", "\"a\"")]);
    let (callout, mut errand) = gone(fetcher).remove(0);
    let lines = ["range", "if-range"].map(|name| line(&callout, name).unwrap());
    assert_eq!(lines, ["bytes=6000-", "\"a\""]);
    let part = [(":status", "206"), ("content-range", "bytes 6000-9999/10000"), ("etag", "\"a\"")];
    assert!(tell(&mut *errand, 1, &part, false));
    errand.on_data(&["b".repeat(4000).into_bytes().into()], true);
    assert_eq!(reader.read(), ("b".repeat(4000), false));
    assert_eq!(client(&cache, 2, &[]).read().0.len(), 10_000);
}

#[test]
fn the_rest_is_not_asked_for_with_credentials_that_were_made_for_another_request() {
    let cache = cache();
    let mut fetcher = client(&cache, 0, &[]);
    fetcher.host.set_field(Fields::RequestHeaders, "authorization", b"AWS4-HMAC-SHA256 x");
    let mut reader = client(&cache, 0, &[]);
    fetcher.head(&[("cache-control", "max-age=60"), ("content-length", "10000"), ("etag", "\"a\"")]);
    fetcher.data(&"a".repeat(6000), false);
    reader.step = reader.driver.on(Event::Woken, &mut reader.host);
    assert_eq!(reader.read().0.len(), 6000);
    assert!(gone(fetcher).is_empty());
    assert!(reader.read().1);
}

#[test]
fn who_goes_away_after_the_last_byte_leaves_nothing_to_fetch() {
    let cache = cache();
    let (mut fetcher, mut reader) = reading(&cache, &[("etag", "\"a\"")]);
    fetcher.data(&"b".repeat(4000), false);
    assert!(gone(fetcher).is_empty());
    assert_eq!(reader.read(), ("b".repeat(4000), false));
    assert_eq!(client(&cache, 2, &[]).read().0.len(), 10_000);
}

#[test]
fn who_takes_nothing_does_not_hold_up_those_who_read_along() {
    let cache = cache();
    let (mut fetcher, mut reader) = reading(&cache, &[("etag", "\"a\"")]);
    fetcher.data("a", false);
    assert_eq!(fetcher.driver.on(Event::Woken, &mut fetcher.host), Step::Pass);
    assert!(fetcher.sent_off().is_empty(), "it gets on");
    fetcher.driver.on(Event::Woken, &mut fetcher.host);
    let (callout, mut errand) = fetcher.sent_off().remove(0);
    assert_eq!(line(&callout, "range").unwrap(), "bytes=6001-");
    let part = [(":status", "206"), ("content-range", "bytes 6001-9999/10000"), ("etag", "\"a\"")];
    assert!(tell(&mut *errand, 1, &part, false));
    errand.on_data(&["b".repeat(3999).into_bytes().into()], true);
    assert_eq!(reader.read().0.len(), 4000);
    // Whoever was slow gets the rest of its own answer all the same.
    fetcher.host.push_body(Message::Response, "rest");
    fetcher.driver.on(Event::Data { message: Message::Response, end: true }, &mut fetcher.host);
    assert_eq!(fetcher.host.body(Message::Response).concat(), b"rest");
    assert!(gone(fetcher).is_empty());
    assert_eq!(client(&cache, 2, &[]).read().0.len(), 10_000);
}

#[test]
fn who_holds_no_one_up_is_left_alone_until_someone_reads_along() {
    let cache = cache();
    let mut fetcher = client(&cache, 0, &[]);
    fetcher.head(&[("cache-control", "max-age=60"), ("content-length", "10000"), ("etag", "\"a\"")]);
    fetcher.data("a", false);
    for _ in 0..3 {
        fetcher.driver.on(Event::Woken, &mut fetcher.host);
    }
    assert!(fetcher.sent_off().is_empty());
    let mut reader = client(&cache, 0, &[]);
    assert_eq!(reader.read(), (String::new(), false));
    fetcher.driver.on(Event::Woken, &mut fetcher.host);
    assert_eq!(fetcher.sent_off().len(), 1);
}

#[test]
fn bytes_of_two_versions_are_never_joined() {
    let date = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    let tag = ("etag", "\"a\"");
    let other_date = ("last-modified", "Sun, 06 Nov 1994 08:49:38 GMT");
    let whole = [(":status", "200"), ("content-length", "10000")];
    let answers = [
        (tag, vec![whole[0], whole[1], ("etag", "\"b\"")]),
        (tag, vec![whole[0], whole[1]]),
        (tag, vec![whole[0], ("content-length", "9999"), tag]),
        (tag, vec![(":status", "206"), ("content-range", "bytes 6001-9999/10000"), tag]),
        (tag, vec![(":status", "206"), ("content-range", "bytes 6000-9999/10000")]),
        (tag, vec![(":status", "404"), tag]),
        (date, vec![whole[0], whole[1], other_date]),
        (date, vec![whole[0], whole[1], date, tag]),
    ];
    for (validator, lines) in answers {
        let cache = cache();
        let (fetcher, mut reader) = reading(&cache, &[validator]);
        let (_, mut errand) = gone(fetcher).remove(0);
        assert!(!tell(&mut *errand, 1, &lines, false), "{lines:?}");
        drop(errand);
        assert_eq!(reader.read(), (String::new(), true), "{lines:?}");
        assert_eq!(client(&cache, 2, &[]).step, Step::Pass);
    }
}

#[test]
fn what_comes_again_must_be_what_came() {
    let date = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    let whole = [(":status", "200"), ("content-length", "10000"), date];
    for (again, fits) in [("a".repeat(6000), true), ("a".repeat(5999) + "c", false)] {
        let cache = cache();
        let (fetcher, mut reader) = reading(&cache, &[date]);
        let (callout, mut errand) = gone(fetcher).remove(0);
        assert_eq!(line(&callout, "range"), None);
        assert!(tell(&mut *errand, 1, &whole, false));
        let bytes = again + &"b".repeat(4000);
        let (first, second) = bytes.split_at(5_000);
        let first = errand.on_data(&[first.as_bytes().into()], false);
        assert!(first);
        assert_eq!(errand.on_data(&[second.as_bytes().into()], true), fits);
        drop(errand);
        let expected = if fits { "b".repeat(4000) } else { String::new() };
        assert_eq!(reader.read(), (expected, !fits));
    }
}

#[test]
fn nothing_is_fetched_for_no_one_nor_what_cannot_be_told_apart() {
    let cache = cache();
    let mut alone = client(&cache, 0, &[]);
    alone.head(&[("cache-control", "max-age=60"), ("content-length", "10000"), ("etag", "\"a\"")]);
    alone.data("a", false);
    assert!(gone(alone).is_empty());
    let (fetcher, mut reader) = reading(&cache, &[]);
    assert!(gone(fetcher).is_empty());
    assert_eq!(reader.read(), (String::new(), true));
}
