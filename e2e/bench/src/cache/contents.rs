//! What the origin of many objects says, and how a client knows that an answer is the one to its request.

use std::fmt::Write;
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};

/// The least size of a body.
const LEAST: usize = 64;

/// An answer with these lines.
pub(super) fn answer(lines: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ndate: {}\r\n{lines}content-length: {length}\r\n\r\n{body}", *DATE)
}

/// When the benchmark began: Envoy's own caches keep nothing that does not say when it was made.
static DATE: LazyLock<String> = LazyLock::new(|| {
    let mut date = Command::new("date");
    let written = date.env("LC_ALL", "C").args(["-u", "+%a, %d %b %Y %H:%M:%S GMT"]).output();
    let written = written.map(|written| String::from_utf8_lossy(&written.stdout).trim().to_owned());
    written.unwrap_or_default()
});

/// The body of a path: it names the path, and its length follows from that.
pub(super) fn body(path: &str, spread: usize) -> String {
    let number: usize = path
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0, |sum, digit| sum.wrapping_mul(10).wrapping_add(usize::from(digit - b'0')));
    let mut body = format!("{path} ");
    let length = LEAST + number.wrapping_mul(7919) % spread.max(1);
    body.extend(std::iter::repeat_n('.', length.saturating_sub(body.len())));
    body
}

/// The path that a request's head, in lower case, asks for.
pub(super) fn path_of(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

/// Writes a request for the object of that number.
pub(super) fn request(number: usize, bytes: &mut Vec<u8>) {
    let mut text = String::with_capacity(64);
    let _ = write!(text, "GET /{number} HTTP/1.1\r\nhost: bench\r\n\r\n");
    bytes.extend_from_slice(text.as_bytes());
}

/// Makes sure that an answer to the request for that number has the right body, whole.
///
/// # Errors
/// It has another one.
pub(super) fn check(number: usize, spread: usize, received: &[u8]) -> Result<()> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n").context("no head")?;
    let body = &received[end + 4..];
    let expected = self::body(&format!("/{number}"), spread);
    ensure!(body == expected.as_bytes(), "the answer for /{number} is another one's, or cut");
    Ok(())
}
