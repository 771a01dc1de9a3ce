//! The second level in a real Redis: proxies that share it, that begin anew, and that lose it.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use envoy_harness::redis::Redis;
use ferrule_cache::Cache;
use ferrule_kit::{
    Counter, Driver, Event, Fields, Hold, Host, MemoryHost, Message, Opening, Step, Wakes, compile,
};

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const FRESH: (&str, &str) = ("cache-control", "max-age=600");

/// Counters by what is counted.
const HIT: Counter = Counter(24);
const ERROR: Counter = Counter(26);
const TIMEOUT: Counter = Counter(27);
const OPEN: Counter = Counter(28);

/// A proxy's cache.
fn proxy(redis: &Redis, more: &str) -> Arc<Cache> {
    configured(redis, "", more)
}

/// With further members of the configuration, and of its part about Redis.
fn configured(redis: &Redis, config: &str, more: &str) -> Arc<Cache> {
    let redis = format!(r#"{{"address": "{}", "timeoutMilliseconds": 5000{more}}}"#, redis.address());
    let purge = r#""purge": {"allow": [{"method": "PURGE"}]}"#;
    let json = format!(r#"{{{purge}{config}, "storage": {{"redis": {redis}}}}}"#);
    Arc::new(compile::<Cache>(json.as_bytes()).unwrap())
}

struct Client {
    driver: Driver<Cache>,
    host: MemoryHost,
    wakes: Wakes,
    step: Step,
    answer: Option<Opening>,
    body: Vec<u8>,
}

/// A request, as far as it gets by itself.
fn ask(cache: &Arc<Cache>, path: &str, lines: &[(&str, &str)]) -> Client {
    let mut client = begin(cache, path, lines);
    client.settle();
    client
}

fn begin(cache: &Arc<Cache>, path: &str, lines: &[(&str, &str)]) -> Client {
    let mut fields =
        vec![(":method", "GET"), (":path", path), (":authority", "a.example"), (":scheme", "http")];
    fields.retain(|(name, _)| lines.iter().all(|(own, _)| own != name));
    fields.extend(lines);
    let wakes = Wakes::default();
    let host = MemoryHost {
        clock: SystemTime::now(),
        wakes: Some(wakes.clone()),
        ..MemoryHost::with_request(fields)
    };
    let driver = Driver::new(Arc::clone(cache));
    let mut client = Client { driver, host, wakes, step: Step::Pass, answer: None, body: Vec::new() };
    client.tell(Event::Headers { message: Message::Request, end: true });
    client
}

impl Client {
    fn tell(&mut self, event: Event<'_>) {
        self.host.clock = SystemTime::now();
        self.step = match self.driver.on(event, &mut self.host) {
            Step::Open(opening) => {
                let mut end = opening.end;
                self.answer = Some(opening);
                while !end {
                    let Step::Send { pieces, end: last } = self.driver.on(Event::Room, &mut self.host) else {
                        panic!("nothing is sent");
                    };
                    pieces.iter().for_each(|piece| self.body.extend_from_slice(piece));
                    end = last;
                }
                Step::Pass
            }
            step => step,
        };
    }

    /// Acts on wakes until it waits for no one.
    fn settle(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.step == Step::Stop(Hold::Stream) {
            if self.wakes.take() > 0 {
                self.tell(Event::Woken);
            }
            assert!(Instant::now() < until, "it was never woken");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_forwarded(&self) -> bool {
        matches!(self.step, Step::Pass | Step::Resume(Message::Request)) && self.answer.is_none()
    }

    /// The origin answers.
    fn fetch(&mut self, lines: &[(&str, &str)], body: &[u8]) {
        assert!(self.is_forwarded(), "{:?}", self.step);
        let lines = std::iter::once((":status", "200")).chain(lines.iter().copied());
        let lines = lines.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        self.host.arrive(Fields::ResponseHeaders, lines.collect());
        self.tell(Event::Headers { message: Message::Response, end: false });
        for chunk in body.chunks(10_000) {
            self.host.push_body(Message::Response, chunk);
            self.tell(Event::Data { message: Message::Response, end: false });
            self.host.pass_body(Message::Response);
        }
        self.tell(Event::Data { message: Message::Response, end: true });
    }

    fn cache_status(&self) -> String {
        let fields = &self.answer.as_ref().unwrap_or_else(|| panic!("{:?}", self.step)).fields;
        let line = fields.iter().find(|(name, _)| name == "cache-status").unwrap();
        String::from_utf8(line.1.clone()).unwrap()
    }

    fn counted(&self, counter: Counter) -> u64 {
        self.host.counted(counter)
    }
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Responses that Redis keeps.
fn kept(redis: &Redis) -> usize {
    redis.cli(&["ZCARD", "ferrule:used"]).parse().unwrap()
}

fn wait_for_kept(redis: &Redis, count: usize) {
    wait_until("Redis does not keep it", || kept(redis) == count);
}

/// A response stored by a proxy, in Redis, too.
fn store(redis: &Redis, cache: &Arc<Cache>, path: &str, lines: &[(&str, &str)], body: &[u8]) {
    let before = kept(redis);
    ask(cache, path, &[]).fetch(&[&[FRESH], lines].concat(), body);
    wait_for_kept(redis, before + 1);
}

fn purge(cache: &Arc<Cache>, path: &str, lines: &[(&str, &str)]) {
    let purge = ask(cache, path, &[&[(":method", "PURGE")], lines].concat());
    assert!(matches!(&purge.step, Step::Respond(response) if response.status == 200));
}

#[test]
fn proxies_share_what_is_stored_and_begin_warm() {
    let redis = Redis::start(&[]);
    let first = proxy(&redis, "");
    store(&redis, &first, "/x", &[("x-a", "b")], b"body");
    for _ in 0..2 {
        let other = proxy(&redis, "");
        let hit = ask(&other, "/x", &[]);
        assert_eq!((&hit.body[..], hit.counted(HIT)), (&b"body"[..], 1));
        assert!(hit.cache_status().starts_with("ferrule; hit; ttl="), "{}", hit.cache_status());
        assert!(hit.cache_status().ends_with("; detail=redis"), "{}", hit.cache_status());
        let fields = &hit.answer.as_ref().unwrap().fields;
        assert!(fields.contains(&("x-a".to_owned(), b"b".to_vec())));
        // It is in memory now.
        let again = ask(&other, "/x", &[]);
        assert!(!again.cache_status().contains("redis"));
        assert!(ask(&other, "/y", &[]).is_forwarded());
    }
}

#[test]
fn age_goes_on_across_proxies() {
    let redis = Redis::start(&[]);
    store(&redis, &proxy(&redis, ""), "/x", &[("age", "100")], b"body");
    let hit = ask(&proxy(&redis, ""), "/x", &[]);
    let fields = &hit.answer.as_ref().unwrap().fields;
    let age = &fields.iter().find(|(name, _)| name == "age").unwrap().1;
    let age: u64 = String::from_utf8(age.clone()).unwrap().parse().unwrap();
    assert!((100..200).contains(&age), "{age}");
}

#[test]
fn variants_are_told_apart_and_bounded() {
    let redis = Redis::start(&[]);
    let first = proxy(&redis, "");
    for value in 0..40 {
        let value = value.to_string();
        let mut client = ask(&first, "/x", &[("x-v", &value)]);
        client.fetch(&[FRESH, ("vary", "x-v")], value.as_bytes());
        wait_until("it is not kept", || {
            let entries = redis.keys("ferrule:entries:*");
            let digest = |key: &String| redis.cli(&["HLEN", key]).parse::<usize>().unwrap();
            entries.iter().map(digest).sum::<usize>() == (value.parse::<usize>().unwrap() + 1).min(32)
        });
    }
    assert_eq!((kept(&redis), redis.keys("ferrule:body:*").len()), (32, 32));
    let other = proxy(&redis, "");
    for value in ["39", "20", "8"] {
        assert_eq!(ask(&other, "/x", &[("x-v", value)]).body, value.as_bytes());
    }
    assert!(ask(&other, "/x", &[("x-v", "40")]).is_forwarded());
    assert!(ask(&other, "/x", &[]).is_forwarded());
}

#[test]
fn bodies_of_many_megabytes_come_in_pieces() {
    let redis = Redis::start(&[]);
    let body: Vec<u8> = (0..6_000_000u32).map(|at| (at / 7) as u8).collect();
    store(&redis, &proxy(&redis, ""), "/x", &[], &body);
    let pieces: usize = redis.cli(&["HLEN", &redis.keys("ferrule:body:*")[0]]).parse().unwrap();
    assert!(pieces > 50, "{pieces} pieces");
    let hit = ask(&proxy(&redis, ""), "/x", &[]);
    assert!(hit.body == body);
    let part = ask(&proxy(&redis, ""), "/x", &[("range", "bytes=5999990-")]);
    assert_eq!((part.answer.as_ref().unwrap().status, &part.body[..]), (206, &body[5_999_990..]));
}

#[test]
fn one_look_is_made_for_many_who_ask_at_once() {
    let redis = Redis::start(&[]);
    store(&redis, &proxy(&redis, ""), "/x", &[], b"body");
    let other = proxy(&redis, "");
    redis.stop();
    let mut clients: Vec<_> = (0..50).map(|_| begin(&other, "/x", &[])).collect();
    redis.go_on();
    clients.iter_mut().for_each(Client::settle);
    assert!(clients.iter().all(|client| client.body == b"body"));
    assert_eq!(clients.iter().map(|client| client.counted(HIT)).sum::<u64>(), 1);
}

#[test]
fn what_is_stale_is_validated_and_the_fresh_one_is_shared() {
    let redis = Redis::start(&[]);
    let stale = [("cache-control", "max-age=1"), ("etag", "\"a\"")];
    let first = proxy(&redis, "");
    ask(&first, "/x", &[]).fetch(&stale, b"body");
    wait_for_kept(&redis, 1);
    thread::sleep(Duration::from_millis(1100));
    let other = proxy(&redis, "");
    let mut validates = ask(&other, "/x", &[]);
    assert!(validates.is_forwarded());
    let tag = validates.host.field(Fields::RequestHeaders, "if-none-match").unwrap().into_owned();
    assert_eq!(tag, b"\"a\"");
    let lines = [(":status", "304"), ("etag", "\"a\""), FRESH]
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    validates.host.arrive(Fields::ResponseHeaders, lines.into());
    validates.tell(Event::Headers { message: Message::Response, end: true });
    // The first one's is stale: it takes the newer one of the second level.
    wait_until("the newer one does not come", || {
        ask(&first, "/x", &[]).answer.is_some_and(|answer| answer.status == 200)
    });
    assert_eq!(redis.keys("ferrule:body:*").len(), 1);
}

#[test]
fn only_if_cached_means_the_second_level_too() {
    let redis = Redis::start(&[]);
    store(&redis, &proxy(&redis, ""), "/x", &[], b"body");
    let only = [("cache-control", "only-if-cached")];
    let other = proxy(&redis, "");
    assert_eq!(ask(&other, "/x", &only).body, b"body");
    assert!(matches!(&ask(&other, "/y", &only).step, Step::Respond(response) if response.status == 504));
}

#[test]
fn a_purge_holds_for_redis_and_the_memory_of_all() {
    let redis = Redis::start(&[]);
    let tagged = [("cache-tag", "t, u")];
    let how: [(&str, &[(&str, &str)]); 3] =
        [("/x/y", &[]), ("/x", &[("ferrule-purge", "prefix")]), ("/", &[("cache-tag", "u")])];
    for (path, lines) in how {
        let (first, second) = (proxy(&redis, ""), proxy(&redis, ""));
        store(&redis, &first, "/x/y", &tagged, b"body");
        assert_eq!(ask(&second, "/x/y", &[]).body, b"body");
        purge(&first, path, lines);
        assert!(ask(&first, "/x/y", &[]).is_forwarded(), "{path}");
        assert!(ask(&proxy(&redis, ""), "/x/y", &[]).is_forwarded(), "{path}");
        wait_until("the other one's memory is not purged", || ask(&second, "/x/y", &[]).is_forwarded());
        // What is fetched from now on is no concern of it.
        let third = proxy(&redis, "");
        ask(&third, "/x/y", &[]).fetch(&[&[FRESH], &tagged[..]].concat(), b"newer");
        wait_until("it is not kept", || ask(&proxy(&redis, ""), "/x/y", &[]).body == b"newer");
        redis.cli(&["FLUSHALL"]);
    }
}

#[test]
fn a_soft_purge_has_copies_validated() {
    let redis = Redis::start(&[]);
    for (path, lines) in [("/x", ("x-a", "b")), ("/", ("cache-tag", "t"))] {
        let first = proxy(&redis, "");
        store(&redis, &first, "/x", &[("etag", "\"a\""), ("cache-tag", "t")], b"body");
        purge(&first, path, &[("ferrule-purge", "soft"), lines]);
        let other = ask(&proxy(&redis, ""), "/x", &[]);
        assert!(other.is_forwarded());
        assert_eq!(*other.host.field(Fields::RequestHeaders, "if-none-match").unwrap(), *b"\"a\"");
        redis.cli(&["FLUSHALL"]);
    }
}

#[test]
fn an_unsafe_request_invalidates_for_all() {
    let redis = Redis::start(&[]);
    let (first, second) = (proxy(&redis, ""), proxy(&redis, ""));
    store(&redis, &first, "/x", &[], b"body");
    ask(&second, "/x", &[(":method", "PUT")]).fetch(&[], b"");
    assert!(ask(&proxy(&redis, ""), "/x", &[]).is_forwarded());
    wait_until("the other one's memory keeps it", || ask(&first, "/x", &[]).is_forwarded());
}

#[test]
fn a_purge_while_redis_is_gone_holds_once_it_is_back() {
    let redis = Redis::start(&[]);
    let breaker = r#", "breaker": {"failures": 1, "coolDownMilliseconds": 100}"#;
    let short = breaker.to_owned() + r#", "connectTimeoutMilliseconds": 200"#;
    let first = proxy(&redis, &short.replace("5000", "200"));
    store(&redis, &first, "/x", &[("cache-tag", "t")], b"body");
    redis.stop();
    purge(&first, "/", &[("cache-tag", "t")]);
    thread::sleep(Duration::from_millis(300));
    redis.go_on();
    assert!(ask(&first, "/x", &[]).is_forwarded());
    wait_until("the purge is never told", || ask(&proxy(&redis, ""), "/x", &[]).is_forwarded());
}

#[test]
fn a_fetch_that_began_before_a_purge_elsewhere_is_not_used_after_it() {
    let redis = Redis::start(&[]);
    let (first, second) = (proxy(&redis, ""), proxy(&redis, ""));
    let mut fetch = ask(&first, "/x", &[]);
    purge(&second, "/x", &[]);
    wait_until("the purge is not told", || redis.cli(&["EXISTS", "ferrule:last"]) == "1");
    fetch.fetch(&[FRESH], b"older");
    wait_for_kept(&redis, 1);
    assert!(ask(&proxy(&redis, ""), "/x", &[]).is_forwarded());
}

#[test]
fn nothing_is_served_that_was_written_over() {
    let redis = Redis::start(&[]);
    let junk = ["", "junk", &"\u{1}".repeat(300)];
    let body = vec![b'a'; 200_000];
    for value in junk {
        store(&redis, &proxy(&redis, ""), "/x", &[], &body);
        let (entries, bodies) = (redis.keys("ferrule:entries:*"), redis.keys("ferrule:body:*"));
        // Another value.
        redis.cli(&["HSET", &bodies[0], "1", value]);
        assert!(ask(&proxy(&redis, ""), "/x", &[]).is_forwarded());
        // What was spoiled is gone, and may come again.
        wait_for_kept(&redis, 0);
        store(&redis, &proxy(&redis, ""), "/x", &[], &body);
        let variant = redis.cli(&["HKEYS", &entries[0]]);
        redis.cli(&["HSET", &entries[0], &variant, value]);
        assert!(ask(&proxy(&redis, ""), "/x", &[]).is_forwarded());
        // Another type.
        redis.cli(&["SET", &entries[0], value]);
        let client = ask(&proxy(&redis, ""), "/x", &[]);
        assert!(client.is_forwarded() && client.counted(ERROR) == 1);
        let again = proxy(&redis, "");
        ask(&again, "/x", &[]).fetch(&[FRESH], b"again");
        wait_until("it does not get well", || ask(&proxy(&redis, ""), "/x", &[]).body == b"again");
        // Bodies in the place of each other.
        store(&redis, &again, "/y", &[], b"other");
        redis.cli(&["FLUSHALL"]);
    }
}

#[test]
fn a_body_in_the_place_of_another_is_not_served() {
    let redis = Redis::start(&[]);
    let first = proxy(&redis, "");
    store(&redis, &first, "/x", &[], b"this");
    let this = redis.keys("ferrule:body:*").remove(0);
    store(&redis, &first, "/y", &[], b"that");
    let that = redis.keys("ferrule:body:*").into_iter().find(|key| *key != this).unwrap();
    redis.cli(&["COPY", &that, &this, "REPLACE"]);
    assert!(ask(&proxy(&redis, ""), "/x", &[]).is_forwarded());
    store(&redis, &proxy(&redis, ""), "/x", &[], b"this");
    let entries = redis.keys("ferrule:entries:*");
    redis.cli(&["COPY", &entries[0], &entries[1], "REPLACE"]);
    let bodies = [("/x", b"this"), ("/y", b"that")].map(|(path, own)| {
        let body = ask(&proxy(&redis, ""), path, &[]).body;
        assert!(body.is_empty() || body == own);
        body.len()
    });
    assert_eq!(bodies.iter().sum::<usize>(), 4, "one of the entries is another's");
}

#[test]
fn without_redis_requests_go_on_and_it_is_left_alone() {
    let mut redis = Redis::start(&[]);
    let breaker = r#", "breaker": {"failures": 3, "coolDownMilliseconds": 50}"#;
    let first = proxy(&redis, breaker);
    store(&redis, &first, "/x", &[], b"body");
    redis.end();
    let clients: Vec<_> = (0..20).map(|at| ask(&first, &format!("/{at}"), &[])).collect();
    assert!(clients.iter().all(Client::is_forwarded));
    let counted = |counter| clients.iter().map(|client| client.counted(counter)).sum::<u64>();
    assert!(counted(ERROR) >= 1 && counted(OPEN) >= 1, "{} {}", counted(ERROR), counted(OPEN));
    assert_eq!(counted(ERROR) + counted(OPEN) + counted(TIMEOUT), 20);
    assert_eq!(ask(&first, "/x", &[]).body, b"body");
    redis.restart();
    let count = std::cell::Cell::new(0);
    wait_until("it is never tried again", || {
        count.set(count.get() + 1);
        ask(&first, &format!("/again/{}", count.get()), &[]).fetch(&[FRESH], b"again");
        kept(&redis) > 0
    });
    let last = format!("/again/{}", count.get());
    wait_until("nothing is kept", || ask(&proxy(&redis, ""), &last, &[]).counted(HIT) == 1);
}

#[test]
fn a_redis_that_stands_still_costs_its_time_out_and_no_more() {
    let redis = Redis::start(&[]);
    let json = format!(
        r#"{{"storage": {{"redis": {{"address": "{}", "timeoutMilliseconds": 50, "breaker": {{"failures": 2}}}}}}}}"#,
        redis.address()
    );
    let cache = Arc::new(compile::<Cache>(json.as_bytes()).unwrap());
    wait_until("there is no connection", || ask(&cache, "/x", &[]).counted(Counter(25)) == 1);
    redis.stop();
    let clients: Vec<_> = (0..4).map(|at| ask(&cache, &format!("/{at}"), &[])).collect();
    assert!(clients.iter().all(Client::is_forwarded));
    let counted = |counter| clients.iter().map(|client| client.counted(counter)).sum::<u64>();
    assert_eq!((counted(TIMEOUT), counted(OPEN)), (2, 2));
    redis.go_on();
}

#[test]
fn the_password_is_a_secret_that_may_change() {
    let redis = Redis::start(&[]);
    let with = |password: &'static str| {
        let acl = ["ACL", "SETUSER", "cache", "reset", "on", "~ferrule:*", "+@all", "resetpass"];
        redis.cli(&[&acl[..], &[&format!(">{password}")]].concat());
    };
    with("first");
    let login = r#", "username": "cache", "password": {"sdsName": "redis"}, "breaker": {"failures": 1, "coolDownMilliseconds": 20}"#;
    let proxy = || proxy(&redis, login);
    let cache = proxy();
    let ask = |cache: &Arc<Cache>, password: &str, path: &str| {
        let lines = [(":method", "GET"), (":path", path), (":authority", "a.example"), (":scheme", "http")];
        let wakes = Wakes::default();
        let mut host = MemoryHost {
            clock: SystemTime::now(),
            wakes: Some(wakes.clone()),
            ..MemoryHost::with_request(lines)
        };
        host.secrets.insert("redis".to_owned(), password.into());
        let driver = Driver::new(Arc::clone(cache));
        let mut client = Client { driver, host, wakes, step: Step::Pass, answer: None, body: Vec::new() };
        client.tell(Event::Headers { message: Message::Request, end: true });
        client.settle();
        client
    };
    ask(&cache, "first\n", "/x").fetch(&[FRESH], b"body");
    wait_for_kept(&redis, 1);
    let other = proxy();
    assert!(ask(&other, "wrong", "/x").is_forwarded());
    with("second");
    redis.cli(&["CLIENT", "KILL", "USER", "cache"]);
    wait_until("it does not log in anew", || ask(&other, "second", "/x").body == b"body");
}

#[test]
fn the_budget_holds_as_redis_measures_it() {
    let redis = Redis::start(&[]);
    let megabytes = 8;
    let cache = configured(&redis, "", &format!(r#", "bytes": {}"#, megabytes << 20));
    let used = || -> i64 {
        let info = redis.cli(&["INFO", "memory"]);
        let line = info
            .lines()
            .find_map(|line| line.trim().strip_prefix("used_memory_dataset:"))
            .unwrap()
            .to_owned();
        line.parse().unwrap()
    };
    ask(&cache, "/warm", &[]).fetch(&[FRESH], b"warm");
    wait_for_kept(&redis, 1);
    let before = used();
    for at in 0..600usize {
        let path = format!("/{at}");
        let body = vec![b'a'; if at % 3 == 0 { 100 } else { 20_000 + at * 100 }];
        ask(&cache, &path, &[]).fetch(&[FRESH, ("cache-tag", "all")], &body);
        if at % 20 == 0 {
            // Ahead of it by no more than what is queued.
            wait_until("it is never kept", || ask(&proxy(&redis, ""), &path, &[]).body.len() == body.len());
            // Tables and connections that Redis has besides are a few kilobytes.
            assert!(used() - before < (megabytes << 20) + (256 << 10), "{} bytes", used() - before);
        }
    }
    let sum: i64 = redis.cli(&["HGET", "ferrule:sizes", "sum"]).parse().unwrap();
    assert!(sum <= megabytes << 20 && sum > (megabytes << 20) * 3 / 4, "{sum}");
    assert!(used() - before <= sum + (1 << 20), "{} bytes, of which {sum} are known", used() - before);
    // The oldest are gone, with all that belongs to them.
    assert!(ask(&proxy(&redis, ""), "/1", &[]).is_forwarded());
    wait_until("something is left of what is gone", || {
        let members = kept(&redis);
        let count = |command: &str, name: &str| redis.cli(&[command, name]).parse::<usize>().unwrap();
        redis.keys("ferrule:body:*").len() == members
            && count("HLEN", "ferrule:sizes") == members + 1
            && count("ZCARD", "ferrule:expiry") == members
    });
}
