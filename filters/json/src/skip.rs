//! Moves over parts of a checked text.
//!
//! Invariant: on a text that was not checked the result is meaningless, but nothing panics or runs on.

use super::string::string_length;

/// The values that an array or object holds, keys among them.
pub(super) struct Items<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Items<'a> {
    /// Those of `text`, if it is a container that opens with `open`.
    pub(super) fn of(text: &'a str, open: u8) -> Self {
        let at = if text.as_bytes().first() == Some(&open) { 1 } else { text.len() };
        Self { text, at }
    }

    /// The next key, element or member's value.
    pub(super) fn next_value(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at)?, b' ' | b'\n' | b'\r' | b'\t' | b',' | b':') {
            self.at += 1;
        }
        if matches!(bytes.get(self.at)?, b'}' | b']') {
            return None;
        }
        let start = self.at;
        self.at += value_length(bytes.get(start..)?);
        self.text.get(start..self.at)
    }
}

/// How many bytes the value takes that stands at the start of `bytes`.
fn value_length(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(b'"') => string_length(bytes),
        Some(b'{' | b'[') => container_length(bytes),
        _ => bytes.iter().position(ends_scalar).unwrap_or(bytes.len()),
    }
}

fn ends_scalar(byte: &u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b':')
}

fn container_length(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += string_length(bytes.get(at..).unwrap_or_default());
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}
