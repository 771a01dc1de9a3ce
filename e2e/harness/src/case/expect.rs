//! What a case expects of an exchange. What it does not name is not looked at.

use std::collections::BTreeMap;

use regex::bytes::Regex;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::body::{BodyMatch, compile};
use super::octets::{Octets, field_name, from_base64};
use super::written::Written;

/// Expectations of one exchange.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// What the upstream saw.
    pub upstream: Option<UpstreamExpect>,
    /// What the client saw.
    pub client: Option<ClientExpect>,
    /// All requests that callout clusters saw, in order.
    pub callouts: Option<Vec<CalloutExpect>>,
    /// By how much each named counter of the filter grew.
    pub metrics: BTreeMap<String, u64>,
    /// The stream's dynamic metadata by namespace and key; `null` for none.
    pub metadata: BTreeMap<String, BTreeMap<String, Value>>,
    /// Envoy's response-code details, whole.
    pub details: Option<String>,
    /// Texts, each part of some log line.
    pub log: Vec<String>,
}

impl Expect {
    /// Whether nothing at all is expected.
    pub(crate) fn is_empty(&self) -> bool {
        let peers = self.upstream.is_none() && self.client.is_none() && self.callouts.is_none();
        let rest = self.metrics.is_empty() && self.metadata.is_empty() && self.log.is_empty();
        peers && rest && self.details.is_none()
    }
}

/// What the upstream must have seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written<RequestExpect>")]
pub enum UpstreamExpect {
    /// No request at all.
    None,
    /// This request.
    Request(Box<RequestExpect>),
}

impl TryFrom<Written<RequestExpect>> for UpstreamExpect {
    type Error = String;

    fn try_from(written: Written<RequestExpect>) -> Result<Self, String> {
        match written {
            Written::Text(text) if text == "none" => Ok(Self::None),
            Written::Form(request) => Ok(Self::Request(Box::new(request))),
            _ => Err("write `none` or a request".to_owned()),
        }
    }
}

/// A request that must have been seen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestExpect {
    /// Method.
    pub method: Option<String>,
    /// Path with query.
    pub path: Option<String>,
    /// `:authority`, or the Host field.
    pub host: Option<String>,
    /// Header fields.
    pub headers: LinesExpect,
    /// The body.
    pub body: Option<BodyMatch>,
    /// Trailer fields.
    pub trailers: LinesExpect,
    /// Its AWS signature.
    #[cfg(feature = "sigv4")]
    pub signature: Option<super::SignatureExpect>,
    /// Whether the request came to its end; `true` where nothing else is said.
    pub complete: Option<bool>,
}

/// A request that a callout cluster must have seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalloutExpect {
    /// Which cluster.
    pub cluster: String,
    /// Method.
    pub method: Option<String>,
    /// Path with query.
    pub path: Option<String>,
    /// `:authority`, or the Host field.
    pub host: Option<String>,
    /// Header fields.
    #[serde(default)]
    pub headers: LinesExpect,
    /// The body.
    pub body: Option<BodyMatch>,
}

/// What the client must have seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written<ResponseExpect>")]
pub enum ClientExpect {
    /// The stream was reset before the response was complete.
    Reset,
    /// This response.
    Response(ResponseExpect),
}

impl TryFrom<Written<ResponseExpect>> for ClientExpect {
    type Error = String;

    fn try_from(written: Written<ResponseExpect>) -> Result<Self, String> {
        match written {
            Written::Text(text) if text == "reset" => Ok(Self::Reset),
            Written::Form(response) => Ok(Self::Response(response)),
            _ => Err("write `reset` or a response".to_owned()),
        }
    }
}

/// A response that must have been seen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseExpect {
    /// Status code.
    pub status: Option<u16>,
    /// Header fields.
    pub headers: LinesExpect,
    /// The body.
    pub body: Option<BodyMatch>,
    /// Trailer fields.
    pub trailers: LinesExpect,
}

/// What must hold of the field lines of some names.
#[derive(Clone, Debug, Default)]
pub struct LinesExpect(pub Vec<(String, LineExpect)>);

impl<'de> Deserialize<'de> for LinesExpect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = BTreeMap::<String, LineExpect>::deserialize(deserializer)?;
        let named = written.into_iter().map(|(name, line)| Ok((field_name::<D::Error>(&name)?, line)));
        named.collect::<Result<_, D::Error>>().map(Self).map_err(D::Error::custom)
    }
}

/// What must hold of the field lines of one name: a value, a list of values, `null` for none, or `{matches: …}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written<LineForm>")]
pub enum LineExpect {
    /// No line.
    Absent,
    /// Lines of these values, in order; lines that a proxy joined with a comma are the same (RFC 9110 §5.3).
    Values(Vec<Octets>),
    /// One line in whose value this regular expression finds a match.
    Matches(Regex),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LineForm {
    base64: Option<String>,
    matches: Option<String>,
}

impl LineForm {
    fn octets(self) -> Result<Octets, String> {
        match self {
            Self { base64: Some(base64), matches: None } => Ok(Octets(from_base64(&base64)?)),
            _ => Err("write a string or {base64: …}".to_owned()),
        }
    }
}

impl TryFrom<Written<LineForm>> for LineExpect {
    type Error = String;

    fn try_from(written: Written<LineForm>) -> Result<Self, String> {
        let value = |written| match written {
            Written::Text(text) => Ok(Octets(text.into_bytes())),
            Written::Form(form) => LineForm::octets(form),
            _ => Err("write a string or {base64: …}".to_owned()),
        };
        match written {
            Written::Nothing => Ok(Self::Absent),
            Written::List(items) => items.into_iter().map(value).collect::<Result<_, _>>().map(Self::Values),
            Written::Form(LineForm { base64: None, matches: Some(regex) }) => {
                compile(&regex).map(Self::Matches)
            }
            one => Ok(Self::Values(vec![value(one)?])),
        }
    }
}
