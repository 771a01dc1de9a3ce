//! Which header fields may be edited, and to which values.
//!
//! Invariant: nothing that a template renders can end a header line, frame a message or make up a request line of its
//! own (RFC 9110 §5.5, RFC 9112 §11).

use std::borrow::Cow;

use ferrule_kit::Message;

/// The longest name that the custom resource allows, in bytes.
const MAX_NAME: usize = 256;

/// Why a name cannot be edited in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    #[error("is empty or longer than 256 bytes")]
    Length,
    #[error("holds a character that no header name has")]
    Character,
    #[error("is not one of :method, :path, :authority (requests) and :status (responses)")]
    Pseudo,
    #[error("can be set, but neither added to nor removed")]
    SetOnly,
    #[error("frames the message; the filter keeps it right by itself")]
    Framing,
}

/// What is to be done to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Set,
    Add,
    Remove,
}

/// The name as hosts take it: lower case, and `host` by its name in Envoy.
///
/// # Errors
/// The field cannot be edited in this way.
pub(crate) fn name(written: &str, message: Message, change: Change) -> Result<String, NameError> {
    if written.is_empty() || written.len() > MAX_NAME {
        return Err(NameError::Length);
    }
    let name = canonical(written, message).into_owned();
    let bare = name.strip_prefix(':').unwrap_or(&name);
    if bare.is_empty() || !bare.bytes().all(is_token) {
        return Err(NameError::Character);
    }
    if name.starts_with(':') {
        let known = match message {
            Message::Request => matches!(&*name, ":method" | ":path" | ":authority"),
            Message::Response => name == ":status",
        };
        return match (known, change) {
            (false, _) => Err(NameError::Pseudo),
            (true, Change::Set) => Ok(name),
            (true, _) => Err(NameError::SetOnly),
        };
    }
    let framing = matches!(&*name, "content-length" | "transfer-encoding");
    if framing && change != Change::Remove { Err(NameError::Framing) } else { Ok(name) }
}

/// A name in lower case; a request's `host` is its `:authority` (RFC 9113 §8.3.1).
pub(crate) fn canonical(name: &str, message: Message) -> Cow<'_, str> {
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    let name = if is_lower { Cow::Borrowed(name) } else { Cow::Owned(name.to_ascii_lowercase()) };
    if name == "host" && message == Message::Request { Cow::Borrowed(":authority") } else { name }
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Why a rendered value is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    #[error("the value holds a line break or another control character")]
    Control,
    #[error("the value is empty, but this field cannot be removed")]
    Empty,
    #[error("the value is no method")]
    Method,
    #[error("the value is no path: it must start with / and hold no blanks")]
    Path,
    #[error("the value is no authority: a host and perhaps a port")]
    Authority,
    #[error("the value is no status from 200 to 599")]
    Status,
}

/// A rendered value without the blanks around it, which are no part of it (RFC 9110 §5.5). Empty means: remove.
///
/// # Errors
/// It is none for that field.
pub(crate) fn value<'v>(name: &str, rendered: &'v [u8]) -> Result<&'v [u8], ValueError> {
    let value = rendered.trim_ascii();
    // No early end: so the compiler looks at many bytes at a time.
    if value.iter().fold(false, |found, byte| found | (byte.is_ascii_control() & (*byte != b'\t'))) {
        return Err(ValueError::Control);
    }
    if !name.starts_with(':') {
        return Ok(value);
    }
    let (good, error) = match name {
        ":method" => (value.iter().copied().all(is_token), ValueError::Method),
        ":path" => (is_path(value), ValueError::Path),
        ":authority" => (value.iter().copied().all(is_authority), ValueError::Authority),
        ":status" => (status(value).is_some(), ValueError::Status),
        _ => return Ok(value),
    };
    match (value.is_empty(), good) {
        (true, _) => Err(ValueError::Empty),
        (false, true) => Ok(value),
        (false, false) => Err(error),
    }
}

/// A status that ends an exchange and that Envoy sends (RFC 9110 §15).
pub(crate) fn status(value: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(value).ok().filter(|text| text.len() == 3)?;
    digits.parse().ok().filter(|status| (200..=599).contains(status))
}

/// RFC 9112 §3.2: origin form, or `*`.
fn is_path(value: &[u8]) -> bool {
    let starts = value.starts_with(b"/") || value == b"*";
    starts && value.iter().all(|byte| !byte.is_ascii_whitespace())
}

/// RFC 3986 §3.2 without user information.
fn is_authority(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%[]".contains(&byte)
}

#[cfg(test)]
mod tests;
