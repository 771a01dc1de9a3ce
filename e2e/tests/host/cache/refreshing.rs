//! A stale response is served at once, and validated behind its client's back.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{counted, edited, get, origin};
use crate::rig::{PATIENCE, Rig};
use crate::streaming::wire::Wire;

fn ask(rig: &Rig) -> (String, String) {
    let mut client = Wire::to(rig);
    client.send("GET /a HTTP/1.1\r\nhost: test\r\ncookie: a=b\r\n\r\n");
    (client.head(), client.exactly(3))
}

/// An Envoy whose route rewrites requests, its origin, and a response that has just become stale.
fn stale() -> (Rig, TcpListener, Wire) {
    let listener = origin();
    let rig = edited(&listener, &json!({}), |route| {
        route["route"]["prefix_rewrite"] = json!("/in/");
        route["route"]["host_rewrite_literal"] = json!("origin.example");
        route["request_headers_to_add"] = json!([{"header": {"key": "x-route", "value": "r"}}]);
    });
    let mut client = Wire::to(&rig);
    client.send(get("/a"));
    let mut origin = Wire::accept(&listener);
    assert!(origin.head().starts_with("get /in/a "));
    let lines = "cache-control: max-age=1, stale-while-revalidate=60\r\netag: \"v1\"\r\nx-n: 1\r\n";
    origin.send(format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n{lines}\r\none"));
    client.head();
    assert_eq!(client.exactly(3), "one");
    thread::sleep(Duration::from_millis(2_100));
    (rig, listener, origin)
}

/// The stale response, which comes while the origin has the refresh; the origin's end of that.
fn refreshed(rig: &Rig, listener: &TcpListener) -> (Wire, String) {
    for _ in 0..5 {
        let (head, body) = ask(rig);
        assert!(head.contains("cache-status: ferrule; hit; ttl=-") && body == "one", "{head}");
    }
    let mut origin = Wire::accept(listener);
    let head = origin.head();
    (origin, head)
}

fn until(rig: &Rig, is: impl Fn(&str, &str) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        let (head, body) = ask(rig);
        if is(&head, &body) {
            return;
        }
        assert!(Instant::now() < end, "{head}{body}");
    }
}

#[test]
fn a_stale_response_is_served_while_the_origin_is_asked_as_its_route_would() {
    let (rig, listener, _origin) = stale();
    let (mut origin, head) = refreshed(&rig, &listener);
    let lines = [
        "get /in/a ",
        "host: origin.example\r\n",
        "x-route: r\r\n",
        "cookie: a=b\r\n",
        "if-none-match: \"v1\"\r\n",
    ];
    assert!(lines.iter().all(|line| head.contains(line)), "{head}");
    origin.send("HTTP/1.1 304 Not Modified\r\ncache-control: max-age=60\r\netag: \"v1\"\r\nx-n: 2\r\n\r\n");
    until(&rig, |head, body| head.contains("; hit; ttl=5") && head.contains("x-n: 2") && body == "one");
    assert_eq!(counted(&rig, "refreshed"), 1);
}

#[test]
fn what_has_changed_takes_the_place_of_the_stale_response() {
    let (rig, listener, _origin) = stale();
    let (mut origin, _) = refreshed(&rig, &listener);
    origin.send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncache-control: max-age=60\r\n\r\ntwo");
    until(&rig, |head, body| head.contains("; hit; ttl=") && body == "two");
}

#[test]
fn a_refresh_that_fails_leaves_the_stale_response_and_is_tried_again() {
    let (rig, listener, _origin) = stale();
    let (mut origin, _) = refreshed(&rig, &listener);
    origin.send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    drop(origin);
    // The one after the failure has the next refresh sent off.
    let end = Instant::now() + PATIENCE;
    listener.set_nonblocking(true).unwrap();
    while listener.accept().is_err() {
        assert_eq!(ask(&rig).1, "one");
        assert!(Instant::now() < end, "no further refresh");
    }
}
