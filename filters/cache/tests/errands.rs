//! Requests that the cache makes for no client: refreshes of stale responses, and the rest of what a client no longer wants.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ferrule_cache::Cache;
use ferrule_kit::{
    Callout, Counter, Driver, Errand, Event, Fields, Filter, Host, MemoryHost, Message, Opening, Step, Value,
    compile,
};

type Sent = (Callout, Box<dyn Errand>);

struct Client {
    driver: Driver<Cache>,
    host: MemoryHost,
    step: Step,
}

fn cache() -> Arc<Cache> {
    Arc::new(compile::<Cache>(b"{}").unwrap())
}

fn client(cache: &Arc<Cache>, seconds: u64, lines: &[(&str, &str)]) -> Client {
    let mut fields =
        vec![(":method", "GET"), (":path", "/x"), (":authority", "a.example"), (":scheme", "http")];
    fields.extend(lines);
    let mut host = MemoryHost {
        clock: UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds),
        errands: Some(Vec::new()),
        ..MemoryHost::with_request(fields)
    };
    host.attributes.insert("xds.cluster_name".to_owned(), Value::Text(b"origin".as_slice().into()));
    let mut driver = Driver::new(Arc::clone(cache));
    let step = driver.on(Event::Headers { message: Message::Request, end: true }, &mut host);
    Client { driver, host, step }
}

impl Client {
    fn head(&mut self, lines: &[(&str, &str)]) {
        let lines = [(":status", "200")].iter().chain(lines);
        let lines = lines.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        self.host.arrive(Fields::ResponseHeaders, lines.collect());
        self.step = self.driver.on(Event::Headers { message: Message::Response, end: false }, &mut self.host);
    }

    fn data(&mut self, bytes: &str, end: bool) {
        self.host.push_body(Message::Response, bytes);
        self.driver.on(Event::Data { message: Message::Response, end }, &mut self.host);
        self.host.pass_body(Message::Response);
    }

    /// What is ready of the answer, and whether it was reset.
    fn read(&mut self) -> (String, bool) {
        let mut body = Vec::new();
        loop {
            match self.driver.on(Event::Room, &mut self.host) {
                Step::Send { pieces, end } => {
                    pieces.iter().for_each(|piece| body.extend_from_slice(piece));
                    if end {
                        return (String::from_utf8(body).unwrap(), false);
                    }
                }
                step => return (String::from_utf8(body).unwrap(), step == Step::Reset),
            }
        }
    }

    fn sent_off(&mut self) -> Vec<Sent> {
        self.host.errands.replace(Vec::new()).unwrap()
    }

    fn opening(&self) -> &Opening {
        match &self.step {
            Step::Open(opening) => opening,
            step => panic!("{step:?}"),
        }
    }

    fn field(&self, name: &str) -> String {
        let line = self.opening().fields.iter().find(|(known, _)| known == name).unwrap();
        String::from_utf8(line.1.clone()).unwrap()
    }
}

fn tell(errand: &mut dyn Errand, seconds: u64, lines: &[(&str, &str)], end: bool) -> bool {
    let lines: Vec<_> = lines.iter().map(|(n, v)| (n.as_bytes().into(), v.as_bytes().into())).collect();
    errand.on_headers(UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds), &lines, end)
}

fn line(callout: &Callout, name: &str) -> Option<String> {
    let line = callout.fields.iter().find(|(known, _)| known == name)?;
    Some(String::from_utf8(line.1.clone()).unwrap())
}

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
    let mut second = client(cache, 20, &[("accept", "a")]);
    assert_eq!(second.field("cache-status"), "ferrule; hit; ttl=-10");
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
fn a_refresh_that_brings_nothing_leaves_what_is_stored_to_the_next() {
    let cache = cache();
    stored(&cache, &[]);
    let (_, mut errand) = refreshing(&cache);
    assert!(!tell(&mut *errand, 22, &[(":status", "503")], true));
    drop(errand);
    drop(refreshing(&cache).1);
    let (_, mut errand) = refreshing(&cache);
    let other = [(":status", "200"), ("content-length", "6"), ("cache-control", "max-age=10")];
    assert!(tell(&mut *errand, 22, &other, false));
    drop(errand);
    refreshing(&cache);
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
