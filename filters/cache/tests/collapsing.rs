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

/// Ten who want each of three variants, and how many of them went to the origin, where bodies come whole or in two pieces.
fn fetches_of_variants(cache: &Arc<Cache>, seconds: u64, cuts: bool) -> usize {
    let varies = [("vary", "x-a"), ("cache-control", "max-age=60"), ("content-length", "6")];
    let mut clients: Vec<_> =
        (0..30).map(|n| at(cache, seconds, &[("x-a", ["1", "2", "3"][n % 3])])).collect();
    let (mut fetches, mut asked) = (0, vec![false; clients.len()]);
    while clients.iter().any(|client| !client.done) {
        for (client, asked) in clients.iter_mut().zip(&mut asked) {
            client.wake();
            if client.is_forwarded() && !client.done {
                *asked = true;
                fetches += 1;
                client.head("200", &varies, false);
                if cuts {
                    client.data("abc", false);
                    client.data("def", true);
                } else {
                    client.data("abcdef", true);
                }
                client.done = true;
            }
        }
    }
    for (client, asked) in clients.iter().zip(asked) {
        assert!(asked || client.body == b"abcdef");
    }
    fetches
}

#[test]
fn waiters_who_want_another_variant_wait_for_each_other() {
    for cuts in [false, true] {
        let cache = cache("{}");
        assert_eq!(fetches_of_variants(&cache, 1_000_000, cuts), 3);
        // All of them are stale.
        assert_eq!(fetches_of_variants(&cache, 1_000_100, cuts), 3);
    }
}

#[test]
fn variants_are_fetched_side_by_side() {
    let cache = cache("{}");
    let mut first = client(&cache, &[("x-a", "1")]);
    let mut others: Vec<_> = ["2", "2", "3", "3"].map(|value| client(&cache, &[("x-a", value)])).into();
    assert!(others.iter().all(Client::waits));
    first.head("200", &[("vary", "x-a"), ("cache-control", "max-age=60"), ("content-length", "6")], false);
    others.iter_mut().for_each(Client::wake);
    let at_origin: Vec<bool> = others.iter().map(Client::is_forwarded).collect();
    assert_eq!(at_origin, [true, false, true, false]);
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
    for waiter in &mut waiters {
        waiter.host.clock += Duration::from_secs(1);
        waiter.tell(Event::Woken);
        assert!(waiter.is_forwarded());
    }
    // Who comes later does not wait for what those have waited for in vain.
    assert!(at(&cache, 1_000_001, &[]).is_forwarded());
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
fn when_all_go_away_the_next_fetches_for_those_who_come_then() {
    let cache = cache("{}");
    let filler = client(&cache, &[]);
    let waiters = waiters(&cache, 3);
    drop(filler);
    // None of them has acted on its wake.
    drop(waiters);
    let mut filler = client(&cache, &[]);
    let mut waiter = client(&cache, &[]);
    assert!(filler.is_forwarded() && waiter.waits());
    filler.head("200", &FRESH, false);
    filler.data("abcdef", true);
    waiter.wake();
    assert_eq!(waiter.body, b"abcdef");
}

/// Many workers miss at once, and the origin answers at once or once all of them have asked.
fn fetches_of_a_race(answers_at_once: bool) -> Vec<usize> {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const THREADS: usize = 8;
    const ROUNDS: usize = 300;
    let (cache, barrier) = (cache("{}"), Barrier::new(THREADS));
    let fetches: Vec<_> = (0..ROUNDS).map(|_| AtomicUsize::new(0)).collect();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for (round, fetches) in fetches.iter().enumerate() {
                    barrier.wait();
                    let mut client = client(&cache, &[(":path", &format!("/{round}"))]);
                    if client.is_forwarded() {
                        fetches.fetch_add(1, Ordering::Relaxed);
                        if !answers_at_once {
                            barrier.wait();
                        }
                        client.head("200", &FRESH, false);
                        client.data("abcdef", true);
                    } else if !answers_at_once {
                        barrier.wait();
                    }
                    while !client.done && !client.is_forwarded() {
                        client.wake();
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    fetches.into_iter().map(AtomicUsize::into_inner).collect()
}

#[test]
fn workers_that_miss_at_once_make_one_request() {
    assert!(fetches_of_a_race(false).iter().all(|fetches| *fetches == 1));
}

#[test]
fn who_misses_while_the_response_is_stored_is_answered_by_it() {
    assert!(fetches_of_a_race(true).iter().all(|fetches| *fetches == 1));
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
