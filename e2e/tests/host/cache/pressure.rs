//! What clients ask of a store that is full, of parts and of methods, one connection after the other kept in step.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::origin::{answering, path};
use super::{before, counted, get, ok, origin, wait_for};
use crate::streaming::http2;
use crate::streaming::wire::Wire;

fn body(path: &str, length: usize) -> String {
    path.repeat(length / path.len() + 1)[..length].to_owned()
}

#[test]
fn a_store_that_is_full_serves_each_key_its_own_bytes() {
    const LENGTH: usize = 8_000;
    let listener = origin();
    let rig = before(&listener, &json!({"storage": {"bytes": 2 << 20}}));
    let heads = answering(&listener, |head| (ok(LENGTH, "") + &body(path(head), LENGTH)).into_bytes());
    thread::scope(|scope| {
        for worker in 0..4usize {
            let rig = &rig;
            scope.spawn(move || {
                let mut client = Wire::to(rig);
                for turn in 0..800usize {
                    // Some keys are asked for again and again, most of them once.
                    let key = if turn % 2 == 0 { turn / 2 % 20 } else { 1_000 + turn * 4 + worker };
                    let path = format!("/{key}");
                    client.send(get(&path));
                    client.head();
                    assert_eq!(client.exactly(LENGTH), body(&path, LENGTH));
                }
            });
        }
    });
    let (hits, asked) = (counted(&rig, "hit") + counted(&rig, "collapsed"), heads.lock().unwrap().len());
    // The keys that are asked for again stay, though six times the store's bytes pass by.
    assert!(hits > 1_300 && asked < 1_900, "{hits} hits, {asked} requests to the origin");
}

#[test]
fn a_client_that_reads_slowly_gets_all_of_a_large_response() {
    const LENGTH: usize = 6 << 20;
    let listener = origin();
    let rig = before(&listener, &json!({}));
    answering(&listener, |head| (ok(LENGTH, "") + &body(path(head), LENGTH)).into_bytes());
    let large = body("/large", LENGTH);
    for hit in [false, true] {
        let mut client = Wire::to(&rig);
        client.send(get("/large"));
        // Envoy's buffers are full by then.
        thread::sleep(Duration::from_millis(300));
        let head = client.head();
        assert_eq!(head.contains("cache-status: ferrule; hit"), hit, "{head}");
        assert!(client.exactly(LENGTH) == large);
        client.send(get("/large"));
        client.head();
        assert!(client.exactly(LENGTH) == large);
    }
    assert_eq!(counted(&rig, "miss"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_one_connection_are_served_side_by_side() {
    const LENGTH: usize = 1 << 20;
    let listener = origin();
    let rig = before(&listener, &json!({}));
    answering(&listener, |head| (ok(LENGTH, "") + &body(path(head), LENGTH)).into_bytes());
    let client = http2::client(&rig).await;
    let ask = |key: usize| {
        let mut client = client.clone();
        async move {
            let path = format!("/{key}");
            let request = http::Request::get(format!("http://test{path}")).body(()).unwrap();
            let (answer, _) = client.send_request(request, true).unwrap();
            let mut come = answer.await.unwrap().into_body();
            assert!(http2::rest(&mut come).await.0 == body(&path, LENGTH));
        }
    };
    http2::in_time(async {
        for _ in 0..2 {
            let asked: Vec<_> = (0..24).map(|turn| tokio::spawn(ask(turn % 4))).collect();
            for done in asked {
                done.await.unwrap();
            }
        }
    })
    .await;
    assert_eq!(counted(&rig, "miss"), 4);
}

#[test]
fn parts_come_from_the_store_and_leave_the_connection_in_step() {
    let listener = origin();
    let rig = before(&listener, &json!({}));
    answering(&listener, |_| (ok(10, "etag: \"v1\"\r\n") + "0123456789").into_bytes());
    let mut client = Wire::to(&rig);
    client.send(get("/"));
    client.head();
    client.exactly(10);
    wait_for(&rig, "stored", 1);
    let parts = [
        ("bytes=0-3", 206, "0-3/10", "0123"),
        ("bytes=-4", 206, "6-9/10", "6789"),
        ("bytes=9-", 206, "9-9/10", "9"),
        ("bytes=10-", 416, "*/10", ""),
        ("bytes=0-0\r\nif-range: \"v1\"", 206, "0-0/10", "0"),
    ];
    for (range, status, place, bytes) in parts {
        client.send(format!("GET / HTTP/1.1\r\nhost: test\r\nrange: {range}\r\n\r\n"));
        let head = client.head();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
        assert!(head.contains(&format!("content-range: bytes {place}\r\n")), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", bytes.len())), "{head}");
        assert_eq!(client.exactly(bytes.len()), bytes);
        client.send(get("/"));
        client.head();
        assert_eq!(client.exactly(10), "0123456789");
    }
    client.send("HEAD / HTTP/1.1\r\nhost: test\r\n\r\n");
    let head = client.head();
    assert!(head.contains("content-length: 10\r\n") && head.contains("; hit"), "{head}");
    client.send(get("/"));
    client.head();
    assert_eq!(client.exactly(10), "0123456789");
}

#[test]
fn unsafe_methods_and_purges_take_effect_in_all_workers() {
    let listener = origin();
    let rig = before(&listener, &json!({"purge": {"allow": [{"header": {"name": "x-key", "value": "k"}}]}}));
    let heads = answering(&listener, |_| (ok(2, "surrogate-key: t\r\n") + "ok").into_bytes());
    // A connection stays with its worker: of several, some are with each.
    let mut clients: Vec<Wire> = (0..8).map(|_| Wire::to(&rig)).collect();
    let mut ask_all = |asked: usize| {
        for client in &mut clients {
            client.send(get("/a"));
            let head = client.head();
            assert!(!head.contains("surrogate-key"), "{head}");
            client.exactly(2);
        }
        assert_eq!(heads.lock().unwrap().len(), asked);
    };
    let send = |request: &str, status: u16| {
        let mut client = Wire::to(&rig);
        client.send(request);
        let head = client.head();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
    };
    ask_all(1);
    send("PUT /a HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n", 200);
    ask_all(3);
    send("PURGE /a HTTP/1.1\r\nhost: test\r\n\r\n", 403);
    ask_all(3);
    for lines in ["", "cache-tag: t\r\n"] {
        let before = heads.lock().unwrap().len();
        send(&format!("PURGE /a HTTP/1.1\r\nhost: test\r\nx-key: k\r\n{lines}\r\n"), 200);
        ask_all(before + 1);
    }
}
