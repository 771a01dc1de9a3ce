//! A service as far as benchmarks need one, also one of AWS: reads a request to its end and gives the answer that it was made for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use anyhow::Result;

/// Where calls of Lambda functions go.
const CALL: &str = "post /2015-03-31/functions/";

/// Serves `body` with these header lines until the process ends.
///
/// Of a request that is signed it says so (`x-out: signed`), and how long its body was (`x-length`); a call of a function that is
/// not signed is refused.
///
/// # Errors
/// No port is free.
pub(crate) fn start(lines: &str, body: &str) -> Result<SocketAddr> {
    let answer = Answer { lines: lines.to_owned(), body: body.to_owned() };
    start_by(move |head, length| answer.to(head, length))
}

/// Answers by what `answer` makes of a request's head, in lower case, and the length of its body.
///
/// # Errors
/// No port is free.
pub(crate) fn start_by(answer: impl Fn(&str, usize) -> String + Send + Sync + 'static) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || serve(connection, &*answer));
        }
    });
    Ok(address)
}

/// `None` at the connection's end.
fn serve(connection: TcpStream, answer: impl Fn(&str, usize) -> String) -> Option<()> {
    connection.set_nodelay(true).ok()?;
    let mut reader = BufReader::with_capacity(128 * 1024, connection);
    let mut body = Vec::new();
    loop {
        let head = read_head(&mut reader)?;
        let length = content_length(&head);
        body.resize(length, 0);
        reader.read_exact(&mut body).ok()?;
        reader.get_mut().write_all(answer(&head, length).as_bytes()).ok()?;
    }
}

struct Answer {
    lines: String,
    body: String,
}

impl Answer {
    fn to(&self, head: &str, length: usize) -> String {
        let signed = head.contains("\r\nauthorization: aws4-hmac-sha256 ");
        if head.starts_with(CALL) && !signed {
            return "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n".to_owned();
        }
        let (lines, body) = (&self.lines, &self.body);
        let sign = if signed { "x-out: signed\r\n" } else { "" };
        let size = body.len();
        format!("HTTP/1.1 200 OK\r\n{lines}{sign}x-length: {length}\r\ncontent-length: {size}\r\n\r\n{body}")
    }
}

/// A request's head in lower case.
fn read_head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::with_capacity(1024);
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    head.make_ascii_lowercase();
    Some(head)
}

fn content_length(head: &str) -> usize {
    let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    line.and_then(|length| length.trim().parse().ok()).unwrap_or_default()
}
