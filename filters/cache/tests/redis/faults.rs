//! A second level that lies, is gone, stands still, or is full.

use std::sync::Arc;
use std::time::SystemTime;

use envoy_harness::redis::Redis;
use ferrule_cache::Cache;
use ferrule_kit::{Counter, Driver, Event, MemoryHost, Message, Step, Wakes, compile};

use super::proxies::{
    Client, ERROR, FRESH, HIT, OPEN, TIMEOUT, ask, configured, kept, proxy, store, wait_for_kept, wait_until,
};

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
