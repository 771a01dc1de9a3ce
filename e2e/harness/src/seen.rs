//! What happened in one exchange, whoever ran it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::case::{Lines, shown};

/// Body bytes that a report shows.
const SHOWN: usize = 600;

/// A request as a peer saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenRequest {
    /// Method.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// `:authority`, or the Host field.
    pub host: String,
    /// Header fields without pseudo-fields and Host.
    pub headers: Lines,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Lines,
    /// Whether the message came to its end.
    pub complete: bool,
}

/// A response as the client saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenResponse {
    /// Status code.
    pub status: u16,
    /// Header fields without pseudo-fields.
    pub headers: Lines,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Lines,
}

/// What the client saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientSaw {
    /// Nothing, because it went away first.
    #[default]
    Nothing,
    /// A whole response.
    Response(SeenResponse),
    /// A reset or a closed connection, after this part of a response.
    Reset(Option<SeenResponse>),
    /// No end of the exchange within the runner's patience.
    Hang,
}

/// What happened in one exchange.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The request that the upstream saw.
    pub upstream: Option<SeenRequest>,
    /// What the client saw.
    pub client: ClientSaw,
    /// The requests that callout clusters saw, in order, by cluster.
    pub callouts: Vec<(String, SeenRequest)>,
    /// By how much the filter's counters grew; at least those that the case names.
    pub metrics: BTreeMap<String, u64>,
    /// Dynamic metadata by namespace; at least those that the case names.
    pub metadata: BTreeMap<String, Value>,
    /// Response-code details.
    pub details: Option<String>,
    /// Log lines.
    pub log: Vec<String>,
}

fn show_body(f: &mut fmt::Formatter<'_>, body: &[u8]) -> fmt::Result {
    match body.len() {
        0 => Ok(()),
        length if length > SHOWN => {
            writeln!(f, "\n{}… ({length} bytes)", shown(&body[..SHOWN]))
        }
        _ => writeln!(f, "\n{}", shown(body)),
    }
}

fn show_trailers(f: &mut fmt::Formatter<'_>, trailers: &Lines) -> fmt::Result {
    if trailers.0.is_empty() { Ok(()) } else { write!(f, "\n(trailers)\n{trailers}") }
}

impl fmt::Display for SeenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}\nhost: {}", self.method, self.path, self.host)?;
        write!(f, "{}", self.headers)?;
        show_body(f, &self.body)?;
        show_trailers(f, &self.trailers)?;
        if self.complete { Ok(()) } else { writeln!(f, "(cut short)") }
    }
}

impl fmt::Display for SeenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        write!(f, "{}", self.headers)?;
        show_body(f, &self.body)?;
        show_trailers(f, &self.trailers)
    }
}

impl fmt::Display for ClientSaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => writeln!(f, "(nothing: it went away)"),
            Self::Response(response) => write!(f, "{response}"),
            Self::Reset(None) => writeln!(f, "(reset before a response)"),
            Self::Reset(Some(part)) => writeln!(f, "{part}(reset before the end)"),
            Self::Hang => writeln!(f, "(no end of the exchange; gave up)"),
        }
    }
}
