//! A client for Envoy's admin interface: one short HTTP/1.1 request a connection, over TCP or a Unix socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::Address;

/// Envoy's main thread answers between two config updates, so this is generous.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Speaks to the admin interface of one Envoy.
#[derive(Clone, Debug)]
pub struct Admin {
    address: Address,
}

/// What the admin interface answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
}

/// Why the admin interface gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Connecting, writing or reading failed.
    #[error("Envoy's admin interface at {address}: {source}")]
    Io {
        /// Where it was asked.
        address: Address,
        /// What failed.
        source: io::Error,
    },
    /// What came is no HTTP/1.1 response.
    #[error("Envoy's admin interface at {0} answered with something that is not HTTP/1.1")]
    Malformed(Address),
}

impl Admin {
    /// The admin interface at `address`.
    pub fn new(address: Address) -> Self {
        Self { address }
    }

    /// `GET target`, where `target` is a path with its query, such as `/stats?usedonly`.
    ///
    /// # Errors
    /// There was no answer. An answer of whatever status is none.
    pub fn get(&self, target: &str) -> Result<Answer, AdminError> {
        self.ask("GET", target, "", "")
    }

    /// `POST target` without a body.
    ///
    /// # Errors
    /// As of [`Admin::get`].
    pub fn post(&self, target: &str) -> Result<Answer, AdminError> {
        self.ask("POST", target, "", "")
    }

    /// `POST target` with JSON.
    ///
    /// # Errors
    /// As of [`Admin::get`].
    pub fn post_json(&self, target: &str, json: &str) -> Result<Answer, AdminError> {
        self.ask("POST", target, "content-type: application/json\r\n", json)
    }

    fn ask(&self, method: &str, target: &str, fields: &str, body: &str) -> Result<Answer, AdminError> {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n{fields}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let response = self
            .exchange(request.as_bytes())
            .map_err(|source| AdminError::Io { address: self.address.clone(), source })?;
        parse(&response).ok_or_else(|| AdminError::Malformed(self.address.clone()))
    }

    fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        match &self.address {
            Address::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port))?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                converse(stream, request)
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                converse(stream, request)
            }
        }
    }
}

fn converse(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    Ok(response)
}

fn parse(response: &[u8]) -> Option<Answer> {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&response[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let rest = &response[end + 4..];
    let chunked = head.lines().any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
    let body = if chunked { dechunk(rest)? } else { rest.to_vec() };
    Some(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Decodes RFC 9112 §7.1; a body cut short is none.
fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_answer_is_put_together() {
        let response = b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\n\r\n";
        assert_eq!(parse(response), Some(Answer { status: 503, body: "abcd".to_owned() }));
    }

    #[test]
    fn a_broken_answer_is_none() {
        for broken in [
            "",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc",
        ] {
            assert_eq!(parse(broken.as_bytes()), None, "{broken}");
        }
    }
}
