//! Bodies as cases write them, to be sent or to be expected.

use regex::bytes::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::octets::{from_base64, shown};
use super::written::{Written, present};

/// A body to send: a string, `{json: …}`, `{base64: …}`, `{repeat: …, times: N}` or `{chunks: […]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written<BodyForm>")]
pub struct Body {
    /// The pieces, sent one after the other.
    pub chunks: Vec<Vec<u8>>,
    /// Whether it was written as `chunks`: its length is then not announced.
    pub streamed: bool,
}

impl Body {
    /// The whole body.
    pub fn bytes(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    fn whole(bytes: Vec<u8>) -> Self {
        Self { chunks: vec![bytes], streamed: false }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BodyForm {
    #[serde(deserialize_with = "present")]
    json: Option<Value>,
    base64: Option<String>,
    repeat: Option<String>,
    times: Option<usize>,
    chunks: Option<Vec<Body>>,
}

const BODY_FORMS: &str = "write a string, {json: …}, {base64: …}, {repeat: …, times: N} or {chunks: […]}";

impl TryFrom<Written<BodyForm>> for Body {
    type Error = String;

    fn try_from(written: Written<BodyForm>) -> Result<Self, String> {
        match written {
            Written::Text(text) => Ok(Self::whole(text.into_bytes())),
            Written::Form(form) => form.body(),
            Written::Nothing | Written::List(_) => Err(BODY_FORMS.to_owned()),
        }
    }
}

impl BodyForm {
    fn body(self) -> Result<Body, String> {
        let Self { json, base64, repeat, times, chunks } = self;
        match (json, base64, repeat, times, chunks) {
            (Some(json), None, None, None, None) => Ok(Body::whole(json.to_string().into_bytes())),
            (None, Some(base64), None, None, None) => Ok(Body::whole(from_base64(&base64)?)),
            (None, None, Some(repeat), Some(times), None) => {
                Ok(Body::whole(repeat.repeat(times).into_bytes()))
            }
            (None, None, None, None, Some(chunks)) => {
                let chunks = chunks.into_iter().map(|chunk| chunk.bytes()).filter(|chunk| !chunk.is_empty());
                Ok(Body { chunks: chunks.collect(), streamed: true })
            }
            _ => Err(BODY_FORMS.to_owned()),
        }
    }
}

/// What a body must be: a string, `{json: …}`, `{base64: …}`, `{repeat: …, times: N}`, `{contains: …}`, `{matches: …}` or
/// `{length: N}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written<BodyMatchForm>")]
pub enum BodyMatch {
    /// These bytes.
    Exact(Vec<u8>),
    /// This JSON value, however it is laid out.
    Json(Value),
    /// Anything with this text in it.
    Contains(String),
    /// Anything in which this regular expression finds a match.
    Matches(Regex),
    /// Anything of so many bytes.
    Length(usize),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BodyMatchForm {
    #[serde(deserialize_with = "present")]
    json: Option<Value>,
    base64: Option<String>,
    repeat: Option<String>,
    times: Option<usize>,
    contains: Option<String>,
    matches: Option<String>,
    length: Option<usize>,
}

const MATCH_FORMS: &str =
    "write a string, or one of json, base64, repeat with times, contains, matches, length";

impl TryFrom<Written<BodyMatchForm>> for BodyMatch {
    type Error = String;

    fn try_from(written: Written<BodyMatchForm>) -> Result<Self, String> {
        match written {
            Written::Text(text) => Ok(Self::Exact(text.into_bytes())),
            Written::Form(form) => form.body_match(),
            Written::Nothing | Written::List(_) => Err(MATCH_FORMS.to_owned()),
        }
    }
}

impl BodyMatchForm {
    fn body_match(self) -> Result<BodyMatch, String> {
        let Self { json, base64, repeat, times, contains, matches, length } = self;
        match (json, base64, repeat, times, contains, matches, length) {
            (Some(json), None, None, None, None, None, None) => Ok(BodyMatch::Json(json)),
            (None, Some(base64), None, None, None, None, None) => Ok(BodyMatch::Exact(from_base64(&base64)?)),
            (None, None, Some(repeat), Some(times), None, None, None) => {
                Ok(BodyMatch::Exact(repeat.repeat(times).into_bytes()))
            }
            (None, None, None, None, Some(text), None, None) => Ok(BodyMatch::Contains(text)),
            (None, None, None, None, None, Some(regex), None) => Ok(BodyMatch::Matches(compile(&regex)?)),
            (None, None, None, None, None, None, Some(length)) => Ok(BodyMatch::Length(length)),
            _ => Err(MATCH_FORMS.to_owned()),
        }
    }
}

/// Compiles a regular expression of a case.
pub(crate) fn compile(regex: &str) -> Result<Regex, String> {
    Regex::new(regex).map_err(|error| error.to_string())
}

impl BodyMatch {
    /// Whether `body` is as wanted.
    pub fn is(&self, body: &[u8]) -> bool {
        match self {
            Self::Exact(bytes) => body == bytes,
            Self::Json(json) => serde_json::from_slice::<Value>(body).is_ok_and(|seen| seen == *json),
            Self::Contains(text) => body.windows(text.len().max(1)).any(|part| part == text.as_bytes()),
            Self::Matches(regex) => regex.is_match(body),
            Self::Length(length) => body.len() == *length,
        }
    }

    /// What is wanted, for a report.
    pub(crate) fn wanted(&self) -> String {
        match self {
            Self::Exact(bytes) => shown(bytes),
            Self::Json(json) => format!("{json:#}"),
            Self::Contains(text) => format!("(contains {text:?})"),
            Self::Matches(regex) => format!("(matches {regex})"),
            Self::Length(length) => format!("({length} bytes)"),
        }
    }

    /// What was seen, laid out as [`BodyMatch::wanted`] is.
    pub(crate) fn seen(&self, body: &[u8]) -> String {
        match (self, serde_json::from_slice::<Value>(body)) {
            (Self::Json(_), Ok(json)) => format!("{json:#}"),
            (Self::Length(_), _) => format!("({} bytes)", body.len()),
            _ => shown(body),
        }
    }
}
