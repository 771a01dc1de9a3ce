//! What a function returned, as an HTTP answer.
//!
//! Invariants:
//! - The text is read without a tree; what is passed on as it is is not copied before it is written.
//! - Fields that frame a message or name a connection are the proxy's, never the function's.
//! - What went wrong is told without any of the content.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ferrule_json::{Document, Kind, Node, unescape, unescape_bytes};

use crate::config::PayloadMode;

/// Padding or not: what functions write is not what they should.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes of all names and values, which Envoy would send however many they are.
const MAX_FIELD_BYTES: usize = 64 * 1024;
/// Field lines.
const MAX_FIELDS: usize = 512;

/// Fields of a connection or a message's frame (RFC 9110 §7.6.1, RFC 9112 §6).
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Members that mean something, by the places that follow.
const MEMBERS: [&str; 6] =
    ["statusCode", "headers", "multiValueHeaders", "cookies", "body", "isBase64Encoded"];
const STATUS: usize = 0;
const HEADERS: usize = 1;
const MULTI_VALUE_HEADERS: usize = 2;
const COOKIES: usize = 3;
const BODY: usize = 4;
const IS_BASE64: usize = 5;

/// How answers of one format are read.
#[derive(Debug)]
pub(crate) struct Reader {
    mode: PayloadMode,
    names: Vec<String>,
}

/// An answer as it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// Names in lower case, as they are sent.
    pub(crate) fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(crate) body: Cow<'a, [u8]>,
}

/// Why it is no answer of the format. Tells nothing of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("is no JSON that can be read: {0}")]
    Json(ferrule_json::JsonError),
    #[error("is no object")]
    NoObject,
    #[error("has no statusCode")]
    NoStatus,
    #[error("has a statusCode that is none")]
    Status,
    #[error("has {0} of another type")]
    Type(&'static str),
    #[error("has a header whose name is none")]
    Name,
    #[error("has more headers than can be sent")]
    Fields,
    #[error("has a body that is no base64")]
    Base64,
    #[error("has half of a surrogate pair")]
    Surrogate,
}

impl Reader {
    pub(crate) fn new(mode: PayloadMode) -> Self {
        Self { mode, names: MEMBERS.map(str::to_owned).to_vec() }
    }

    /// The answer that a function's result is.
    ///
    /// # Errors
    /// Says why it is none.
    pub(crate) fn read<'a>(&self, json: &'a [u8]) -> Result<Answer<'a>, Malformed> {
        let document = Document::parse(json, &self.names).map_err(Malformed::Json)?;
        let is_object = matches!(document.root().kind(), Kind::Object);
        let status = member(&document, STATUS);
        match (self.mode, status) {
            (PayloadMode::ApiGatewayV2, None) => return inferred(document.root()),
            _ if !is_object => return Err(Malformed::NoObject),
            (PayloadMode::Envoy | PayloadMode::None, None) | (_, Some(_)) => {}
            (_, None) => return Err(Malformed::NoStatus),
        }
        let mut answer = self.head(&document, status)?;
        answer.body = body(&document)?;
        Ok(answer)
    }

    /// The head that comes before a streamed body.
    ///
    /// # Errors
    /// Says why it is none.
    pub(crate) fn read_prelude<'a>(&self, json: &'a [u8]) -> Result<Answer<'a>, Malformed> {
        let document = Document::parse(json, &self.names).map_err(Malformed::Json)?;
        if !matches!(document.root().kind(), Kind::Object) {
            return Err(Malformed::NoObject);
        }
        self.head(&document, member(&document, STATUS))
    }

    /// Status and fields.
    fn head<'a>(&self, document: &Document<'a>, status: Option<Node<'a>>) -> Result<Answer<'a>, Malformed> {
        let mut fields = Fields::default();
        if let Some(headers) = member(document, MULTI_VALUE_HEADERS) {
            fields.add_lists(headers)?;
        }
        if let Some(headers) = member(document, HEADERS) {
            fields.add_map(headers)?;
        }
        if let Some(cookies) = member(document, COOKIES).filter(|_| self.has_cookies()) {
            fields.add_cookies(cookies)?;
        }
        if !fields.has("content-type") {
            fields.push(Cow::Borrowed("content-type"), Cow::Borrowed(self.default_type()))?;
        }
        let status = status.map_or(Ok(200), status_of)?;
        Ok(Answer { status, fields: fields.lines, body: Cow::Borrowed(b"") })
    }

    fn has_cookies(&self) -> bool {
        matches!(self.mode, PayloadMode::Envoy | PayloadMode::None | PayloadMode::ApiGatewayV2)
    }

    fn default_type(&self) -> &'static str {
        if self.mode == PayloadMode::Alb { "application/octet-stream" } else { "application/json" }
    }
}

/// Null is as good as nothing.
fn member<'a>(document: &Document<'a>, place: usize) -> Option<Node<'a>> {
    document.member(place).filter(|node| !matches!(node.kind(), Kind::Null))
}

/// Format 2.0 without a status: the value is the body, a string without its quotes.
fn inferred(root: Node<'_>) -> Result<Answer<'_>, Malformed> {
    let body = match root.kind() {
        Kind::String(raw) => unescape_bytes(raw).ok_or(Malformed::Surrogate)?,
        _ => Cow::Borrowed(root.text().as_bytes()),
    };
    let fields = vec![(Cow::Borrowed("content-type"), Cow::Borrowed("application/json"))];
    Ok(Answer { status: 200, fields, body })
}

/// A number or its text; only those that end an exchange (RFC 9110 §15).
fn status_of(node: Node<'_>) -> Result<u16, Malformed> {
    let text = match node.kind() {
        Kind::Number(text) => text,
        Kind::String(raw) => raw.trim(),
        _ => return Err(Malformed::Status),
    };
    let number: f64 = text.parse().map_err(|_| Malformed::Status)?;
    if number.fract() == 0.0 && (200.0..=599.0).contains(&number) {
        Ok(number as u16)
    } else {
        Err(Malformed::Status)
    }
}

fn body<'a>(document: &Document<'a>) -> Result<Cow<'a, [u8]>, Malformed> {
    let is_base64 = match member(document, IS_BASE64).map(Node::kind) {
        None => false,
        Some(Kind::Bool(truth)) => truth,
        Some(_) => return Err(Malformed::Type("isBase64Encoded")),
    };
    let text = match member(document, BODY).map(Node::kind) {
        None => return Ok(Cow::Borrowed(b"")),
        Some(Kind::String(raw)) => unescape_bytes(raw).ok_or(Malformed::Surrogate)?,
        Some(_) => return Err(Malformed::Type("a body")),
    };
    if !is_base64 {
        return Ok(text);
    }
    BASE64.decode(text).map(Cow::Owned).map_err(|_| Malformed::Base64)
}

fn text_of(raw: &str) -> Result<Cow<'_, str>, Malformed> {
    unescape(raw).ok_or(Malformed::Surrogate)
}

/// Field lines of an answer under way.
#[derive(Default)]
struct Fields<'a> {
    lines: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    bytes: usize,
}

impl<'a> Fields<'a> {
    fn has(&self, name: &str) -> bool {
        self.lines.iter().any(|(known, _)| known == name)
    }

    /// Lists win over single values of the same names, and so come first.
    fn add_lists(&mut self, headers: Node<'a>) -> Result<(), Malformed> {
        for (name, values) in members(headers, "multiValueHeaders")? {
            let name = name_of(name.raw())?;
            match values.kind() {
                Kind::Array => values.elements().try_for_each(|value| self.add(name.clone(), value))?,
                Kind::Object => return Err(Malformed::Type("multiValueHeaders")),
                _ => self.add(name, values)?,
            }
        }
        Ok(())
    }

    fn add_map(&mut self, headers: Node<'a>) -> Result<(), Malformed> {
        let lists = self.lines.len();
        for (name, value) in members(headers, "headers")? {
            let name = name_of(name.raw())?;
            let known = self.lines.get(..lists).unwrap_or_default().iter().any(|(known, _)| *known == name);
            if !known {
                self.add(name, value)?;
            }
        }
        Ok(())
    }

    fn add_cookies(&mut self, cookies: Node<'a>) -> Result<(), Malformed> {
        if !matches!(cookies.kind(), Kind::Array) {
            return Err(Malformed::Type("cookies"));
        }
        cookies.elements().try_for_each(|cookie| self.add(Cow::Borrowed("set-cookie"), cookie))
    }

    /// Numbers and truth values are printed; null is no value.
    fn add(&mut self, name: Cow<'a, str>, value: Node<'a>) -> Result<(), Malformed> {
        if name.starts_with(':') || FRAMING.contains(&&*name) {
            return Ok(());
        }
        let value = match value.kind() {
            Kind::String(raw) => text_of(raw)?,
            Kind::Number(_) | Kind::Bool(_) => Cow::Borrowed(value.text()),
            Kind::Null => return Ok(()),
            Kind::Array | Kind::Object => return Err(Malformed::Type("a header's value")),
        };
        self.push(name, value)
    }

    fn push(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) -> Result<(), Malformed> {
        self.bytes += name.len() + value.len();
        if self.bytes > MAX_FIELD_BYTES || self.lines.len() >= MAX_FIELDS {
            return Err(Malformed::Fields);
        }
        self.lines.push((name, value));
        Ok(())
    }
}

fn members<'a>(
    node: Node<'a>,
    what: &'static str,
) -> Result<impl Iterator<Item = (ferrule_json::Key<'a>, Node<'a>)>, Malformed> {
    match node.kind() {
        Kind::Object => Ok(node.members()),
        _ => Err(Malformed::Type(what)),
    }
}

/// A field's name in lower case (RFC 9110 §5.6.2), or that of a pseudo-field, which nobody gets.
fn name_of(raw: &str) -> Result<Cow<'_, str>, Malformed> {
    let name = text_of(raw)?;
    if !ferrule_kit::is_field_name(name.strip_prefix(':').unwrap_or(&name)) {
        return Err(Malformed::Name);
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Ok(name.to_ascii_lowercase().into())
    } else {
        Ok(name)
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
