//! What proxies have of each other by a second level, and what a purge does to it.

use std::thread;
use std::time::Duration;

use envoy_harness::redis::Redis;
use ferrule_kit::{Event, Fields, Host, Message, Step};

use super::proxies::{Client, FRESH, HIT, ask, begin, kept, proxy, purge, store, wait_for_kept, wait_until};

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
