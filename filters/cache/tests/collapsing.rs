//! Streams that wait for each other: many drivers, one filter, one recording origin.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ferrule_cache::Cache;
use ferrule_kit::{
    Driver, Event, Fields, Hold, Host, MemoryHost, Message, Opening, Response, Step, Wakes, compile,
};

const FRESH: [(&str, &str); 2] = [("cache-control", "max-age=60"), ("content-length", "6")];

struct Client {
    driver: Driver<Cache>,
    host: MemoryHost,
    wakes: Wakes,
    /// What was last asked of the host.
    step: Step,
    answer: Option<Opening>,
    body: Vec<u8>,
    done: bool,
}

fn cache(config: &str) -> Arc<Cache> {
    Arc::new(compile::<Cache>(config.as_bytes()).unwrap())
}

fn client(cache: &Arc<Cache>, lines: &[(&str, &str)]) -> Client {
    at(cache, 1_000_000, lines)
}

fn at(cache: &Arc<Cache>, seconds: u64, lines: &[(&str, &str)]) -> Client {
    let mut fields =
        vec![(":method", "GET"), (":path", "/x"), (":authority", "a.example"), (":scheme", "http")];
    fields.retain(|(name, _)| lines.iter().all(|(own, _)| own != name));
    fields.extend(lines);
    let wakes = Wakes::default();
    let host = MemoryHost {
        clock: UNIX_EPOCH + Duration::from_secs(seconds),
        wakes: Some(wakes.clone()),
        ..MemoryHost::with_request(fields)
    };
    let mut client = Client {
        driver: Driver::new(Arc::clone(cache)),
        host,
        wakes,
        step: Step::Pass,
        answer: None,
        body: Vec::new(),
        done: false,
    };
    client.tell(Event::Headers { message: Message::Request, end: true });
    client
}

impl Client {
    fn tell(&mut self, event: Event<'_>) {
        self.step = self.driver.on(event, &mut self.host);
        match std::mem::replace(&mut self.step, Step::Pass) {
            Step::Open(opening) => {
                self.done = opening.end;
                self.answer = Some(opening);
                self.step = Step::Stop(Hold::Stream);
                self.pump();
            }
            step => self.step = step,
        }
    }

    /// Takes what there is to send.
    fn pump(&mut self) {
        while !self.done {
            match self.driver.on(Event::Room, &mut self.host) {
                Step::Send { pieces, end } => {
                    pieces.iter().for_each(|piece| self.body.extend_from_slice(piece));
                    self.done = end;
                }
                step => {
                    self.step = step;
                    return;
                }
            }
        }
    }

    /// Lets the client act on its wakes, if there were any.
    fn wake(&mut self) {
        if self.wakes.take() == 0 {
            return;
        }
        if self.answer.is_some() {
            self.pump();
        } else {
            self.tell(Event::Woken);
        }
    }

    fn waits(&self) -> bool {
        self.step == Step::Stop(Hold::Stream) && self.answer.is_none()
    }

    /// Whether the request is at the origin.
    fn is_forwarded(&self) -> bool {
        matches!(self.step, Step::Pass | Step::Resume(Message::Request)) && self.answer.is_none()
    }

    fn head(&mut self, status: &str, lines: &[(&str, &str)], end: bool) {
        let lines = std::iter::once((":status", status)).chain(lines.iter().copied());
        let lines = lines.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        self.host.arrive(Fields::ResponseHeaders, lines.collect());
        self.tell(Event::Headers { message: Message::Response, end });
    }

    fn data(&mut self, bytes: &str, end: bool) {
        self.host.push_body(Message::Response, bytes);
        self.tell(Event::Data { message: Message::Response, end });
        self.host.pass_body(Message::Response);
    }

    fn cache_status(&self) -> String {
        let fields = &self.answer.as_ref().unwrap().fields;
        let line = fields.iter().find(|(name, _)| name == "cache-status").unwrap();
        String::from_utf8(line.1.clone()).unwrap()
    }
}

fn waiters(cache: &Arc<Cache>, count: usize) -> Vec<Client> {
    let waiters: Vec<_> = (0..count).map(|_| client(cache, &[])).collect();
    assert!(waiters.iter().all(Client::waits));
    waiters
}

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
fn without_a_length_waiters_get_the_response_once_it_is_whole() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[]);
    let mut waiters = waiters(&cache, 3);
    filler.head("200", &[("cache-control", "max-age=60")], false);
    filler.data("abc", false);
    waiters.iter_mut().for_each(Client::wake);
    assert!(waiters.iter().all(Client::waits));
    filler.data("def", true);
    waiters.iter_mut().for_each(Client::wake);
    assert!(waiters.iter().all(|waiter| waiter.done && waiter.body == b"abcdef"));
    assert!(waiters.iter().all(|waiter| waiter.cache_status() == "ferrule; fwd=uri-miss; collapsed; ttl=60"));
}

#[test]
fn who_has_credentials_and_who_has_none_do_not_wait_for_each_other() {
    let cache = cache("{}");
    let (mut hers, plain) = (client(&cache, &[("authorization", "Basic x")]), client(&cache, &[]));
    assert!(hers.is_forwarded() && plain.is_forwarded());
    assert!(client(&cache, &[]).waits() && client(&cache, &[("authorization", "Basic y")]).waits());
    hers.head("200", &FRESH, true);
    // What is for credentials alone says nothing of what others get: they go on waiting for one of theirs.
    assert!(client(&cache, &[("authorization", "Basic y")]).is_forwarded());
    assert!(client(&cache, &[]).waits());
}

#[test]
fn an_uncacheable_answer_releases_all_and_leaves_a_marker() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[]);
    let mut waiters = waiters(&cache, 3);
    filler.head("200", &[("cache-control", "no-store")], true);
    waiters.iter_mut().for_each(Client::wake);
    assert!(waiters.iter().all(Client::is_forwarded));
    assert!(client(&cache, &[]).is_forwarded() && client(&cache, &[]).is_forwarded());
}

#[test]
fn a_waiter_takes_over_when_the_filler_goes_away() {
    let cache = cache("{}");
    let filler = client(&cache, &[]);
    let mut waiters = waiters(&cache, 3);
    drop(filler);
    waiters.iter_mut().for_each(Client::wake);
    assert!(waiters[0].is_forwarded() && waiters[1].waits() && waiters[2].waits());
    let mut filler = waiters.remove(0);
    filler.head("200", &FRESH, false);
    filler.data("abcdef", true);
    waiters.iter_mut().for_each(Client::wake);
    assert!(waiters.iter().all(|waiter| waiter.done && waiter.body == b"abcdef"));
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
fn a_body_of_another_length_than_said_is_stored_for_no_one() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[]);
    filler.head("200", &FRESH, false);
    filler.data("abc", true);
    assert!(client(&cache, &[]).is_forwarded());
}

#[test]
fn waiters_whose_fields_select_another_variant_go_alone() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[("x-a", "1")]);
    let (mut same, mut other) = (client(&cache, &[("x-a", "1")]), client(&cache, &[("x-a", "2")]));
    filler.head("200", &[("vary", "x-a"), ("cache-control", "max-age=60"), ("content-length", "6")], false);
    filler.data("abcdef", true);
    same.wake();
    other.wake();
    assert!(same.done && same.body == b"abcdef");
    assert!(other.is_forwarded());
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
fn waiting_is_bounded_in_time_and_number() {
    let cache = cache(r#"{"collapse": {"waitMilliseconds": 1000, "waiters": 2}}"#);
    let filler = client(&cache, &[]);
    let mut waiters = waiters(&cache, 2);
    assert!(client(&cache, &[]).is_forwarded());
    assert!(at(&cache, 1_000_001, &[]).is_forwarded());
    waiters.iter_mut().for_each(Client::wake);
    assert!(waiters.iter().all(Client::is_forwarded));
    drop(filler);
}

#[test]
fn without_wakers_everyone_asks_the_origin() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[]);
    let mut host = MemoryHost {
        wakes: None,
        ..MemoryHost::with_request([
            (":method", "GET"),
            (":path", "/x"),
            (":authority", "a.example"),
            (":scheme", "http"),
        ])
    };
    let mut driver = Driver::new(Arc::clone(&cache));
    assert_eq!(driver.on(Event::Headers { message: Message::Request, end: true }, &mut host), Step::Pass);
    filler.head("200", &FRESH, false);
    filler.data("abcdef", true);
    assert!(client(&cache, &[]).done);
}

#[test]
fn a_purge_during_a_fetch_keeps_its_response_out() {
    let cache = cache(r#"{"purge": {"allow": [{"method": "PURGE"}]}}"#);
    let mut filler = client(&cache, &[]);
    let purge = client(&cache, &[(":method", "PURGE")]);
    assert!(matches!(&purge.step, Step::Respond(Response { status: 200, .. })));
    filler.head("200", &FRESH, false);
    filler.data("abcdef", true);
    assert!(client(&cache, &[]).is_forwarded());
}

#[test]
fn an_unsafe_request_during_a_fetch_keeps_its_response_out() {
    let cache = cache("{}");
    let mut filler = client(&cache, &[]);
    let mut put = client(&cache, &[(":method", "PUT")]);
    put.head("204", &[], true);
    filler.head("200", &FRESH, false);
    filler.data("abcdef", true);
    assert!(client(&cache, &[]).is_forwarded());
}

#[test]
fn one_refreshes_what_is_stale_and_the_others_are_served_it() {
    let cache = cache("{}");
    let stale = [
        ("cache-control", "max-age=10, stale-while-revalidate=60"),
        ("etag", "\"a\""),
        ("content-length", "6"),
    ];
    let mut filler = client(&cache, &[]);
    filler.head("200", &stale, false);
    filler.data("abcdef", true);
    let mut refresher = at(&cache, 1_000_020, &[]);
    assert!(refresher.is_forwarded());
    let other = at(&cache, 1_000_020, &[]);
    assert!(other.done && other.body == b"abcdef");
    assert_eq!(other.cache_status(), "ferrule; hit; ttl=-10");
    refresher.head("304", &[("etag", "\"a\""), ("cache-control", "max-age=10")], true);
    assert_eq!(refresher.host.body(Message::Response).concat(), b"abcdef");
    assert_eq!(at(&cache, 1_000_020, &[]).cache_status(), "ferrule; hit; ttl=10");
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
