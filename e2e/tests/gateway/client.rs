//! A client of the gateway that says itself what each request holds.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Names and values of a header section.
pub(crate) type Fields<'a> = &'a [(&'a str, &'a str)];

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// The body, as JSON; upstreams tell what they saw so.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Gets a path.
pub(crate) fn get(at: SocketAddr, path: &str) -> Answer {
    ask(at, "GET", path, &[])
}

/// Asks once. Header fields may hold a `host` of their own.
pub(crate) fn ask(at: SocketAddr, method: &str, path: &str, headers: Fields<'_>) -> Answer {
    send(at, method, path, headers, "")
}

/// Asks once, with a body unless it is empty.
pub(crate) fn send(at: SocketAddr, method: &str, path: &str, headers: Fields<'_>, body: &str) -> Answer {
    try_send(at, method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// Posts JSON.
pub(crate) fn post(at: SocketAddr, path: &str, body: &str) -> Answer {
    send(at, "POST", path, &[("content-type", "application/json")], body)
}

/// Gets a path, or says what went wrong.
pub(crate) fn try_get(at: SocketAddr, path: &str) -> Result<Answer, String> {
    try_send(at, "GET", path, &[], "")
}

/// Asks once as [`send`] does, or says what went wrong.
pub(crate) fn try_send(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: Fields<'_>,
    body: &str,
) -> Result<Answer, String> {
    Connection::open(at)?.exchange(method, path, &[headers, &[("connection", "close")]].concat(), body)
}

/// A connection, which may serve for more than one request.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(at: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(at).map_err(|error| format!("connecting: {error}"))?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a whole request and takes the answer.
    pub(crate) fn exchange(
        &mut self,
        method: &str,
        path: &str,
        headers: Fields<'_>,
        body: &str,
    ) -> Result<Answer, String> {
        self.begin(method, path, headers, body.len())?;
        self.push(body)?;
        self.answer()
    }

    /// Sends the head of a request with a body of that length.
    pub(crate) fn begin(
        &mut self,
        method: &str,
        path: &str,
        headers: Fields<'_>,
        length: usize,
    ) -> Result<(), String> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head.push_str("host: localhost\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if length > 0 {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        self.push(&format!("{head}\r\n"))
    }

    /// Sends more of a body.
    pub(crate) fn push(&mut self, part: &str) -> Result<(), String> {
        self.stream.get_mut().write_all(part.as_bytes()).map_err(|error| format!("sending: {error}"))
    }

    /// Takes the answer to what was sent.
    pub(crate) fn answer(&mut self) -> Result<Answer, String> {
        self.read().map_err(|error| format!("receiving: {error}"))
    }

    fn read(&mut self) -> std::io::Result<Answer> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let body = if headers.get("transfer-encoding").is_some_and(|encoding| encoding == "chunked") {
            self.chunks()?
        } else {
            self.exactly(headers.get("content-length").map_or(0, |length| length.parse().unwrap()))?
        };
        Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn chunks(&mut self) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).unwrap();
            body.extend(self.exactly(size)?);
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, size: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
