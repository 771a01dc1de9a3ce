//! Bodies of many megabytes: what the native filter holds of them, and what becomes of those over the limit.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

use super::place::{HOSTS, Host, Upstream, edited};
use super::replaces_bodies;
use super::wire::Wire;
use crate::memory::growth;
use crate::rig::{Rig, listener_manager};

const BODY: usize = 64 << 20;

/// Beside twice the body: what Envoy takes for connections, and more than a body to hold it.
const SLACK: usize = 16 << 20;

/// Ways to make a new body, and how long it is.
fn transforms() -> [(Value, usize); 3] {
    [
        (json!({"body": {"parseAs": "AsJson", "value": "{{ user }}"}}), 3),
        (json!({"body": {"parseAs": "AsString", "value": "{{ body() }}"}}), BODY),
        (json!({"body": {"parseAs": "AsJson"}, "mergeJson": {"user": {"template": "bob"}}}), BODY),
    ]
}

/// A JSON body of [`BODY`] bytes.
fn body() -> Vec<u8> {
    let (start, end) = (br#"{"user":"ada","data":""#, br#""}"#);
    let mut body = start.to_vec();
    body.resize(BODY - end.len(), b'x');
    body.extend(end);
    body
}

/// Reads a message to its end without keeping it; gives its first line, fields, and how long its content is.
fn discard(stream: &TcpStream) -> (String, usize) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head:?}");
    }
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |text| text.parse().unwrap());
    let read = std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
    assert_eq!(read, length, "cut short");
    (head, usize::try_from(length).unwrap())
}

fn send(mut stream: &TcpStream, start: &str, body: &[u8]) {
    let head = format!("{start}\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len());
    // An answer may come before all is sent.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// A request and its answer: head of the answer, lengths that the upstream and the client see.
fn exchange(rig: &Rig, upstream: &TcpListener, request: &[u8], response: &[u8]) -> (String, usize, usize) {
    thread::scope(|scope| {
        let there = scope.spawn(|| {
            let stream = upstream.accept().unwrap().0;
            let (_, length) = discard(&stream);
            send(&stream, "HTTP/1.1 200 OK", response);
            length
        });
        let stream = TcpStream::connect(("127.0.0.1", rig.port)).unwrap();
        send(&stream, "POST / HTTP/1.1", request);
        let (head, back) = discard(&stream);
        (head, there.join().unwrap(), back)
    })
}

/// Has Envoy hold no more than so many bytes of a message.
fn limit(bootstrap: &mut Value, listener: &mut Value, bytes: usize) {
    for place in [listener, &mut bootstrap["static_resources"]["clusters"][0]] {
        place["per_connection_buffer_limit_bytes"] = bytes.into();
    }
}

/// The native filter where Envoy holds twice [`BODY`] of a message.
fn roomy(config: &Value, upstream: &TcpListener) -> Rig {
    edited(Host::Native, config, upstream, Upstream::Http1, |bootstrap, listener| {
        limit(bootstrap, listener, 2 * BODY);
    })
}

#[test]
fn a_large_body_is_transformed_within_twice_its_size() {
    let (body, upstream) = (body(), TcpListener::bind("127.0.0.1:0").unwrap());
    let messages = [("request", &*body, &[][..]), ("response", &[], &body)];
    for ((transform, length), (message, request, response)) in
        transforms().iter().flat_map(|transform| messages.map(|message| (transform, message)))
    {
        let rig = roomy(&json!({message: transform}), &upstream);
        let (seen, grown) = growth(rig.envoy.id(), || exchange(&rig, &upstream, request, response));
        let (head, there, back) = seen;
        assert!(head.starts_with("http/1.1 200 "), "{head:?}");
        assert_eq!(if message == "request" { there } else { back }, *length, "{message} {transform}");
        assert!(grown <= 2 * BODY + SLACK, "{message} {transform}: {grown} bytes for {BODY}");
    }
}

/// Has Envoy answer by the details of what went wrong.
fn tells_details(_: &mut Value, listener: &mut Value) {
    listener_manager(listener)["local_reply_config"] = json!({"body_format": {
        "text_format_source": {"inline_string": "<%RESPONSE_CODE_DETAILS%>"}}});
}

/// More than Envoy holds by default.
const TOO_LARGE: usize = 3 << 20;

#[test]
fn a_request_over_the_limit_is_a_413_and_does_not_go_on() {
    for host in HOSTS {
        let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
        let rig = edited(host, &replaces_bodies(), &upstream, Upstream::Http1, tells_details);
        let stream = TcpStream::connect(("127.0.0.1", rig.port)).unwrap();
        send(&stream, "POST / HTTP/1.1", &vec![b'x'; TOO_LARGE]);
        let (head, _) = discard(&stream);
        assert!(head.starts_with("http/1.1 413 "), "{host:?}: {head:?}");
        assert_eq!(rig.stat("cluster.upstream.upstream_rq_total"), 0);
    }
}

#[test]
fn a_response_over_the_limit_is_a_502_by_the_filter() {
    for host in HOSTS {
        let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = json!({"response": replaces_bodies()["response"]});
        let rig = edited(host, &config, &upstream, Upstream::Http1, |bootstrap, listener| {
            // Over the limit of the filter as wasm, which else has no say in it.
            limit(bootstrap, listener, 2 << 20);
            tells_details(bootstrap, listener);
        });
        let mut client = Wire::to(&rig);
        client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
        let mut there = Wire::accept(&upstream);
        there.head();
        there.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {TOO_LARGE}\r\n\r\n"));
        // Envoy need not read all of it, and is not to come to its own limit before the filter has come to its.
        let sent = if host == Host::Wasm { 5 << 18 } else { TOO_LARGE };
        thread::spawn(move || there.send_while_taken(&vec![b'x'; sent]));
        let head = client.head();
        assert!(head.starts_with("http/1.1 502 "), "{host:?}: {head:?}");
        client.until("<transformation_filter_error>");
    }
}
