//! What a service or a function says of its error, as it may stand in a log line and in response-code details.
//!
//! Invariants:
//! - One line, bounded: AWS's second line on a refused signature is the canonical request, session token and all.
//! - No control characters, so that nobody writes log lines of his own.

use std::fmt;

use ferrule_json::{Document, Kind, unescape};

/// Characters of a message that are kept.
const MAX_MESSAGE: usize = 256;
/// The same in details, which proxies carry in access logs and trailers.
const MAX_DETAILS: usize = 96;
/// The longest name of an error.
const MAX_KIND: usize = 64;

/// Names that functions, services and streams have for an error's type.
const KINDS: [&str; 2] = ["errorType", "ErrorCode"];
/// Names that they have for its text.
const MESSAGES: [&str; 4] = ["errorMessage", "message", "Message", "ErrorDetails"];

/// An error's type and text; either may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reason {
    kind: String,
    message: String,
}

impl Reason {
    /// An error of that type.
    pub(crate) fn of_kind(kind: &[u8]) -> Self {
        Self { kind: word(kind), message: String::new() }
    }

    /// What a JSON object says; nothing where it is none.
    pub(crate) fn read(json: &[u8]) -> Self {
        let names = KINDS.iter().chain(&MESSAGES).map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let Ok(document) = Document::parse(json, &names) else { return Self::default() };
        let text = |place| match document.member(place).map(ferrule_json::Node::kind) {
            Some(Kind::String(raw)) => unescape(raw).filter(|text| !text.is_empty()),
            _ => None,
        };
        let kind = (0..KINDS.len()).find_map(text).unwrap_or_default();
        let message = (KINDS.len()..names.len()).find_map(text).unwrap_or_default();
        Self { kind: word(kind.as_bytes()), message: line(&message) }
    }

    /// The same, with what `other` says beyond it.
    pub(crate) fn or(self, other: Self) -> Self {
        let first = |one: String, other| if one.is_empty() { other } else { one };
        Self { kind: first(self.kind, other.kind), message: first(self.message, other.message) }
    }

    /// Whether a function was ended by its time limit.
    pub(crate) fn is_timeout(&self) -> bool {
        self.kind == "Sandbox.Timedout" || self.message.contains("Task timed out after ")
    }

    /// `{TypeError:no_such_field}`, or nothing: details have no blanks, braces or quotes of their own.
    pub(crate) fn in_details(&self) -> String {
        let plain = |char: char| char.is_ascii_alphanumeric() || ".:-_/$".contains(char);
        let mut text: String = self.to_string().replace(": ", ":").chars().take(MAX_DETAILS).collect();
        text = text.chars().map(|char| if plain(char) { char } else { '_' }).collect();
        if text.is_empty() { text } else { format!("{{{text}}}") }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.kind.is_empty() || self.message.is_empty() { "" } else { ": " };
        write!(f, "{}{between}{}", self.kind, self.message)
    }
}

/// A word up to its first colon, or nothing where it is none.
fn word(kind: &[u8]) -> String {
    let kind = kind.split(|byte| *byte == b':').next().unwrap_or_default();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if kind.len() > MAX_KIND || !kind.iter().all(plain) {
        return String::new();
    }
    String::from_utf8_lossy(kind).into_owned()
}

/// The first line, without what controls a terminal.
fn line(text: &str) -> String {
    let first = text.trim_start().lines().next().unwrap_or_default();
    first.chars().take(MAX_MESSAGE).filter(|char| !char.is_control()).collect()
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn errors_are_told_in_one_line_whoever_makes_them() {
        for (json, told) in [
            (
                r#"{"errorType": "TypeError", "errorMessage": "no \"a\"\u0007", "trace": []}"#,
                "TypeError: no \"a\"",
            ),
            (r#"{"message": "not\nyours\nx-amz-security-token:t0ken"}"#, "not"),
            (r#"{"Message": "gone", "Type": "User"}"#, "gone"),
            (r#"{"ErrorCode": "Unhandled", "ErrorDetails": "x"}"#, "Unhandled: x"),
            (r#"{"errorType": "two words", "message": 5}"#, ""),
            ("[]", ""),
            ("", ""),
        ] {
            assert_eq!(Reason::read(json.as_bytes()).to_string(), told, "{json}");
        }
        let long = Reason::read(format!(r#"{{"message": "{}"}}"#, "é".repeat(9999)).as_bytes());
        assert_eq!(long.to_string().chars().count(), MAX_MESSAGE);
        assert!(long.in_details().len() <= MAX_DETAILS + 2);
    }

    #[test]
    fn details_have_no_blanks_and_no_braces() {
        let reason = Reason::read(br#"{"errorType": "E", "errorMessage": "no {such} \"thing\": 5"}"#);
        assert_eq!(reason.in_details(), "{E:no__such___thing_:5}");
        assert_eq!(Reason::default().in_details(), "");
    }

    #[test]
    fn what_is_known_already_stays() {
        let known = Reason::of_kind(b"AccessDenied:http://x/");
        let both = known.or(Reason::read(br#"{"errorType": "Other", "message": "why"}"#));
        assert_eq!(both.to_string(), "AccessDenied: why");
    }
}
