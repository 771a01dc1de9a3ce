//! What no well-behaved client sends: all of it is answered or cut off, and the next request is served.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::assert_greeted;
use crate::controller::Controller;
use crate::load::greet;

const PATIENCE: Duration = Duration::from_secs(20);

/// A name for people, the bytes, and the status that may answer them.
type Attack = (&'static str, Vec<u8>, &'static [u16]);

/// More than this may be cut off while it is sent, so that its sender sees no answer.
const LARGE: usize = 1 << 20;

/// Whether that is how an attack should end.
fn is_fended_off(bytes: &[u8], status: Option<u16>, expected: &[u16]) -> bool {
    status.map_or(bytes.len() >= LARGE, |status| expected.contains(&status))
}

/// Sends `bytes` and reads until the other side has ended; the status of the answer, if there is one.
fn send(to: SocketAddr, bytes: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // Who is refused early is cut off while it still sends.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert!(error.kind() != ErrorKind::WouldBlock, "neither an answer nor an end");
    }
    let line = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
    line.strip_prefix("HTTP/1.1 ")?.parse().ok()
}

fn post(headers: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = b"POST /greet HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-user: ann\r\n".to_vec();
    bytes.extend_from_slice(headers);
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Bytes that look random and are the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(next).collect()
}

fn attacks() -> Vec<Attack> {
    let mut large_header = b"x-large: ".to_vec();
    large_header.resize(10 << 20, b'a');
    large_header.extend_from_slice(b"\r\n");
    let many_headers: Vec<u8> = (0..100_000).flat_map(|n| format!("x-{n}: y\r\n").into_bytes()).collect();
    let deep = [vec![b'['; 1 << 19], vec![b']'; 1 << 19]].concat();
    let object = br#"{"user": {"name": ""#;
    vec![
        ("a header of 10 MB", post(&large_header, b"{}"), &[431]),
        ("100,000 headers", post(&many_headers, b"{}"), &[431]),
        ("a header that is no UTF-8", post(b"x-user: \xff\xfe\xc3\x28\r\n", b"{}"), &[200, 400]),
        ("a header with a NUL", post(b"x-zero: a\0b\r\n", b"{}"), &[400]),
        ("a body of noise", post(b"", &noise(1 << 16)), &[400]),
        ("a body of noise that opens as JSON", post(b"", &[object, &noise(1 << 16)[..]].concat()), &[400]),
        ("a body that is no UTF-8", post(b"", &[&object[..], b"\xff\xfe\"}}"].concat()), &[400]),
        ("JSON that ends early", post(b"", object), &[400]),
        ("JSON half a million levels deep", post(b"", &deep), &[400]),
        ("a body over the buffer limit", post(b"", &vec![b' '; 8 << 20]), &[413]),
        ("noise instead of HTTP", noise(1 << 16), &[400]),
        ("headers that never end", post(b"", b"")[..60].to_vec(), &[408]),
    ]
}

#[test]
fn garbage_is_refused_and_the_next_request_is_served() {
    let controller = Controller::serving(&[]);
    let envoys = controller.envoys();
    for (what, bytes, expected) in attacks() {
        let status = send(controller.gateway, &bytes);
        assert!(is_fended_off(&bytes, status, expected), "{what}: {status:?}");
        assert_greeted(&greet(controller.gateway).unwrap());
    }
    assert_eq!(controller.envoys(), envoys, "Envoy has ended; ferrule said:\n{}", controller.said());
}
