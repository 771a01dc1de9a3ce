//! The second level in a real Redis behind real proxies.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use envoy_harness::redis::Redis;
use serde_json::{Value, json};

use super::origin::{Heads, answering, path};
use super::{before, counted, get, ok, origin};
use crate::rig::{PATIENCE, Rig};
use crate::streaming::wire::Wire;

/// More than a store's piece, and than one answer of Redis.
const LARGE: usize = 3 << 20;

fn body(path: &str) -> String {
    let length = if path.starts_with("/large") { LARGE } else { 100 };
    path.repeat(length / path.len() + 1)[..length].to_owned()
}

fn echoing() -> (TcpListener, Heads) {
    let listener = origin();
    let heads = answering(&listener, |head| {
        let body = body(path(head));
        (ok(body.len(), "vary: x-v\r\ncache-tag: t\r\n") + &body).into_bytes()
    });
    (listener, heads)
}

fn proxy(listener: &TcpListener, redis: &Redis, more: &Value) -> Rig {
    let mut second = json!({"address": redis.address()});
    let members = more.as_object().unwrap().clone();
    second.as_object_mut().unwrap().extend(members);
    let purge = json!({"allow": [{"method": "PURGE"}]});
    before(listener, &json!({"storage": {"name": "shared", "redis": second}, "purge": purge}))
}

fn patient(listener: &TcpListener, redis: &Redis) -> Rig {
    proxy(listener, redis, &json!({"timeoutMilliseconds": 5000}))
}

/// The head of the answer to a request, whose body is the path's.
fn ask(rig: &Rig, path: &str) -> String {
    let mut client = Wire::to(rig);
    client.send(get(path));
    let head = client.head();
    assert!(client.exactly(body(path).len()) == body(path), "{head}");
    head
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn wait_for_kept(redis: &Redis, count: usize) {
    let kept = || redis.cli(&["ZCARD", "ferrule:shared:used"]).parse() == Ok(count);
    wait_until("Redis does not keep it", kept);
}

#[test]
fn proxies_share_what_is_stored_and_begin_warm() {
    let (redis, (listener, heads)) = (Redis::start(&[]), echoing());
    let first = patient(&listener, &redis);
    for path in ["/small", "/large"] {
        assert!(ask(&first, path).contains("; fwd=uri-miss; stored"));
    }
    wait_for_kept(&redis, 2);
    let second = patient(&listener, &redis);
    drop(first);
    for path in ["/small", "/large"] {
        let head = ask(&second, path);
        assert!(
            head.contains("cache-status: ferrule; hit; ttl=") && head.contains("; detail=redis"),
            "{head}"
        );
        assert!(!ask(&second, path).contains("redis"));
    }
    assert_eq!((counted(&second, "redis_hit"), heads.lock().unwrap().len()), (2, 2));
    // Another variant is another.
    let mut client = Wire::to(&second);
    client.send("GET /small HTTP/1.1\r\nhost: test\r\nx-v: 1\r\n\r\n");
    assert!(client.head().contains("fwd=vary-miss; stored"));
    wait_for_kept(&redis, 3);
}

#[test]
fn a_purge_by_one_proxy_holds_on_all() {
    let (redis, (listener, heads)) = (Redis::start(&[]), echoing());
    let (first, second) = (patient(&listener, &redis), patient(&listener, &redis));
    for lines in ["", "cache-tag: t\r\n"] {
        ask(&first, "/small");
        wait_for_kept(&redis, 1);
        ask(&second, "/small");
        let before = heads.lock().unwrap().len();
        let mut client = Wire::to(&first);
        client.send(format!("PURGE /small HTTP/1.1\r\nhost: test\r\n{lines}\r\n"));
        assert!(client.head().starts_with("http/1.1 200"));
        wait_until("the purge does not reach the other one", || {
            ask(&second, "/small");
            heads.lock().unwrap().len() > before
        });
    }
}

#[test]
fn a_redis_that_dies_stands_still_and_comes_back_under_load_fails_no_request() {
    let (mut redis, (listener, _)) = (Redis::start(&[]), echoing());
    let rig = proxy(
        &listener,
        &redis,
        &json!({"timeoutMilliseconds": 50, "breaker": {"failures": 3, "coolDownMilliseconds": 200}}),
    );
    let (is_over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let answered = |more: usize| {
        let enough = count.load(Ordering::SeqCst) + more;
        wait_until("requests are not answered", || count.load(Ordering::SeqCst) >= enough);
    };
    let is_asked = || {
        let before = counted(&rig, "redis_miss");
        wait_until("Redis is not asked", || counted(&rig, "redis_miss") > before);
    };
    thread::scope(|scope| {
        for worker in 0..4 {
            let (rig, is_over, count) = (&rig, &is_over, &count);
            scope.spawn(move || {
                let mut turn = 0;
                while !is_over.load(Ordering::SeqCst) {
                    // Most keys are new: they are looked for in Redis.
                    let path = if turn % 4 == 0 { "/same".to_owned() } else { format!("/{worker}/{turn}") };
                    assert!(ask(rig, &path).starts_with("http/1.1 200"));
                    count.fetch_add(1, Ordering::SeqCst);
                    turn += 1;
                }
            });
        }
        is_asked();
        redis.end();
        answered(200);
        redis.restart();
        is_asked();
        redis.stop();
        answered(200);
        redis.go_on();
        is_asked();
        is_over.store(true, Ordering::SeqCst);
    });
    // Who asks while it dies has an error or waits in vain.
    let [open, late] = ["redis_open", "redis_timeout"].map(|name| counted(&rig, name));
    assert!(open > 0 && late > 0, "{open} not tried, {late} late");
}
