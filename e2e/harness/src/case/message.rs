//! What a case has the client, the upstream and callout clusters send.

use serde::Deserialize;

use super::body::Body;
use super::octets::Lines;

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1 (RFC 9112).
    #[default]
    Http1,
    /// HTTP/2 with prior knowledge (RFC 9113).
    Http2,
}

/// When a client goes away before it has its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Abort {
    /// After what `body` says, without ending the message.
    BeforeEnd,
    /// After the whole request.
    AfterEnd,
}

/// What the client sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// Method; `POST` where there is a body, else `GET`.
    pub method: Option<String>,
    /// Path with query.
    pub path: String,
    /// `:authority`, or the Host field.
    pub host: String,
    /// Header fields.
    pub headers: Lines,
    /// The body, if any.
    pub body: Option<Body>,
    /// Trailer fields.
    pub trailers: Lines,
    /// The version of HTTP that the client speaks.
    pub protocol: Protocol,
    /// Whether the client goes away early.
    pub abort: Option<Abort>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: None,
            path: "/".to_owned(),
            host: "test.example".to_owned(),
            headers: Lines::default(),
            body: None,
            trailers: Lines::default(),
            protocol: Protocol::default(),
            abort: None,
        }
    }
}

impl Request {
    /// The method, given or chosen.
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or(if self.body.is_some() { "POST" } else { "GET" })
    }

    /// Whether it asks for another protocol (RFC 9110 §7.8): `body` is then what goes through the tunnel.
    pub(crate) fn is_upgrade(&self) -> bool {
        !self.headers.values("upgrade").is_empty()
    }

    /// Whether nothing follows the header section.
    pub(crate) fn ends_with_headers(&self) -> bool {
        if self.is_upgrade() {
            return false;
        }
        let empty = self.body.as_ref().is_none_or(|body| !body.streamed && body.bytes().is_empty());
        empty && self.trailers.0.is_empty() && self.abort != Some(Abort::BeforeEnd)
    }

    /// The header fields, with those that tell the length of the body.
    pub(crate) fn lines(&self) -> Lines {
        let mut framing = Framing::of(self.body.as_ref(), &self.trailers);
        if self.abort == Some(Abort::BeforeEnd) {
            framing = Framing::Chunked;
        }
        if self.is_upgrade() {
            framing = Framing::None;
        } else if framing == Framing::None && !matches!(self.method(), "GET" | "HEAD" | "CONNECT" | "OPTIONS")
        {
            framing = Framing::Length(0);
        }
        framing.announce(&self.headers, self.protocol)
    }
}

/// When a peer resets its stream instead of answering properly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetPoint {
    /// Before any byte of the answer.
    BeforeHeaders,
    /// After what `body` says, without ending the message.
    AfterBody,
}

/// What an upstream or a callout cluster answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: Lines,
    /// The body, if any.
    pub body: Option<Body>,
    /// Trailer fields.
    pub trailers: Lines,
    /// Milliseconds to wait before answering; in process nothing waits.
    pub delay_ms: u64,
    /// Answers as soon as the request's header section has come.
    pub early: bool,
    /// Whether and when the stream is reset.
    pub reset: Option<ResetPoint>,
    /// Never answers; Envoy gives up after a timeout.
    pub silent: bool,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            status: 200,
            headers: Lines::default(),
            body: None,
            trailers: Lines::default(),
            delay_ms: 0,
            early: false,
            reset: None,
            silent: false,
        }
    }
}

impl Answer {
    /// Whether a tunnel begins after the header section (RFC 9110 §15.2.2); `body` then goes through it.
    pub(crate) fn opens_tunnel(&self) -> bool {
        self.status == 101
    }

    /// Whether nothing follows the header section.
    pub(crate) fn ends_with_headers(&self, method: &str) -> bool {
        if self.opens_tunnel() {
            return false;
        }
        let empty = self.body.as_ref().is_none_or(|body| !body.streamed && body.bytes().is_empty());
        let no_content = method == "HEAD" || matches!(self.status, 204 | 304);
        no_content || (empty && self.trailers.0.is_empty() && self.reset != Some(ResetPoint::AfterBody))
    }

    /// The header fields, with those that tell the length of the body.
    pub(crate) fn lines(&self, protocol: Protocol, method: &str) -> Lines {
        let framing = match Framing::of(self.body.as_ref(), &self.trailers) {
            _ if matches!(self.status, 101 | 204 | 304) => Framing::None,
            // RFC 9110 §9.3.2: the fields are those of a GET.
            Framing::None if method == "HEAD" => Framing::None,
            _ if self.reset == Some(ResetPoint::AfterBody) => Framing::Chunked,
            Framing::None => Framing::Length(0),
            framing => framing,
        };
        framing.announce(&self.headers, protocol)
    }
}

/// How a receiver learns where a body ends (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    None,
    Length(usize),
    Chunked,
}

impl Framing {
    fn of(body: Option<&Body>, trailers: &Lines) -> Self {
        match body {
            _ if !trailers.0.is_empty() => Self::Chunked,
            None => Self::None,
            Some(body) if body.streamed => Self::Chunked,
            Some(body) => Self::Length(body.bytes().len()),
        }
    }

    /// Adds the field for this framing unless the case has its own.
    fn announce(self, headers: &Lines, protocol: Protocol) -> Lines {
        let mut lines = headers.clone();
        let own = |name: &str| !headers.values(name).is_empty();
        if own("content-length") || own("transfer-encoding") {
            return lines;
        }
        match self {
            Self::Length(length) => lines.push("content-length", length.to_string()),
            Self::Chunked if protocol == Protocol::Http1 => lines.push("transfer-encoding", "chunked"),
            Self::Chunked | Self::None => {}
        }
        lines
    }
}
