//! Streams that wait for each other: who of them asks the origin, and for whom.

#![allow(clippy::panic, clippy::unwrap_used)]

mod clients;

use std::sync::Arc;
use std::time::Duration;

use ferrule_cache::Cache;
use ferrule_kit::{Driver, Event, Host, MemoryHost, Message, Response, Step};

use clients::{Client, FRESH, at, cache, client, waiters};

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
