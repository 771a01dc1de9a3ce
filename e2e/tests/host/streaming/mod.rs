//! Streams through the transformation filter on real Envoy: what need not be held never is, what is held keeps its trailers.
//!
//! Both ends of each stream are in the test's hands and go in step: a piece is sent only when the one before has come out at
//! the other end, so that a filter that holds a single byte stops the test.

pub(crate) mod http2;
mod large;
mod local_replies;
mod place;
mod tunnels;
pub(crate) mod wire;

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::rig::Rig;
use place::{HOSTS, Host, Upstream, edits_headers, envoy};
use wire::Wire;

/// Pieces that a stream is sent in.
const PIECES: usize = 8;

/// Envoy, a client's end, and the upstream's listener.
fn between(host: Host, config: &Value) -> (Rig, Wire, TcpListener) {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = envoy(host, config, &upstream, Upstream::Http1);
    let client = Wire::to(&rig);
    (rig, client, upstream)
}

/// A header section as [`edits_headers`] leaves one that had `x-in: a` and `x-gone`.
fn assert_edited(head: &str) {
    for line in ["x-set: a!\r\n", "x-added: more\r\n"] {
        assert!(head.contains(line), "{line:?} is missing in {head:?}");
    }
    assert!(!head.contains("x-gone"), "{head:?}");
}

/// Replaces bodies of both directions, were there any.
fn replaces_bodies() -> Value {
    let mut config = edits_headers();
    for message in ["request", "response"] {
        config[message]["body"] = json!({"parseAs": "AsString", "value": "replaced {{ body() }}"});
    }
    config
}

#[test]
fn a_chunked_upload_and_its_answer_flow_piece_by_piece() {
    for host in HOSTS {
        let (_rig, mut client, listener) = between(host, &edits_headers());
        client.send(
            "POST / HTTP/1.1\r\nhost: test\r\nx-in: a\r\nx-gone: b\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        let mut upstream = Wire::accept(&listener);
        assert_edited(&upstream.head());
        for piece in 0..PIECES {
            let piece = format!("<piece {piece}>");
            client.send_chunk(&piece);
            upstream.until(&piece);
        }
        client.send("0\r\n\r\n");
        upstream.until("\r\n0\r\n\r\n");
        upstream.send("HTTP/1.1 200 OK\r\nx-in: a\r\nx-gone: b\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_edited(&client.head());
        for piece in 0..PIECES {
            let piece = format!("<piece {piece}>");
            upstream.send_chunk(&piece);
            client.until(&piece);
        }
        upstream.send("0\r\n\r\n");
        client.until("\r\n0\r\n\r\n");
    }
}

#[test]
fn an_event_is_read_before_the_next_is_sent() {
    for host in HOSTS {
        let (_rig, mut client, listener) = between(host, &edits_headers());
        client.send("GET /events HTTP/1.1\r\nhost: test\r\nx-in: a\r\naccept: text/event-stream\r\n\r\n");
        let mut upstream = Wire::accept(&listener);
        assert_edited(&upstream.head());
        upstream.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-in: a\r\ntransfer-encoding: chunked\r\n\r\n");
        let head = client.head();
        assert_edited(&head);
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head:?}");
        for event in 0..PIECES {
            let event = format!("id: {event}\ndata: {{\"count\": {event}}}\n\n");
            upstream.send_chunk(&event);
            client.until(&event);
        }
    }
}

#[test]
fn chunked_bodies_are_replaced_and_their_trailers_kept() {
    for host in HOSTS {
        let (_rig, mut client, listener) = between(host, &replaces_bodies());
        client.send("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
        client.send_chunk("a");
        client.send_chunk("b");
        client.send("0\r\nx-sum: 1\r\n\r\n");
        let mut upstream = Wire::accept(&listener);
        upstream.head();
        let seen = upstream.until("\r\n\r\n");
        assert!(seen.contains("replaced ab") && seen.ends_with("x-sum: 1\r\n\r\n"), "{host:?}: {seen:?}");
        upstream.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        upstream.send_chunk("c");
        upstream.send_chunk("d");
        upstream.send("0\r\nx-sum: 2\r\n\r\n");
        client.head();
        let seen = client.until("\r\n\r\n");
        assert!(seen.contains("replaced cd") && seen.ends_with("x-sum: 2\r\n\r\n"), "{host:?}: {seen:?}");
    }
}

#[test]
fn a_regular_expression_that_would_backtrack_answers_for_a_megabyte() {
    const BODY: usize = 1_000_000;
    let evil = |text: &str| json!({"body": {}, "regex": text, "mode": "Extract"});
    let config = json!({"request": {
        "extractors": {"nested": evil("(a+)+$"), "either": evil("(a|a)*$"), "many": evil("(a*)*b")},
        "set": [{"name": "x-found", "value": "{{ extraction('nested') }}{{ extraction('either') }}{{ extraction('many') | length }}"}],
    }});
    for host in HOSTS {
        let (_rig, mut client, listener) = between(host, &config);
        client.send(format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", BODY + 1));
        client.send("a".repeat(BODY) + "b");
        let mut upstream = Wire::accept(&listener);
        let head = upstream.head();
        assert!(head.contains("x-found: 1000001\r\n"), "{host:?}: {head:?}");
    }
}
