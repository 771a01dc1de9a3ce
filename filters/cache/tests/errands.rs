//! Requests that the cache makes for no client: refreshes of stale responses, and the rest of what a client no longer wants.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ferrule_cache::Cache;
use ferrule_kit::{
    Callout, Driver, Errand, Event, Fields, Host, MemoryHost, Message, Opening, Reply, Response, Step, Value,
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
fn who_holds_no_one_up_is_left_alone() {
    let cache = cache();
    let mut fetcher = client(&cache, 0, &[]);
    fetcher.head(&[("cache-control", "max-age=60"), ("content-length", "10000"), ("etag", "\"a\"")]);
    fetcher.data("a", false);
    for _ in 0..3 {
        fetcher.driver.on(Event::Woken, &mut fetcher.host);
    }
    assert!(fetcher.sent_off().is_empty());
    fetcher.data(&"a".repeat(9999), true);
    assert_eq!(client(&cache, 2, &[]).read().0.len(), 10_000);
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
