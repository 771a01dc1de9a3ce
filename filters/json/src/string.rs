//! Strings between their JSON form and their text.

use std::borrow::Cow;

/// The text of what stands between a string's quotes; none if it holds half of a surrogate pair, which is no text.
pub fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    let Some(mut at) = raw.find('\\') else { return Some(Cow::Borrowed(raw)) };
    let mut text = String::with_capacity(raw.len());
    text.push_str(raw.get(..at)?);
    while let Some(byte) = raw.as_bytes().get(at) {
        let rest = raw.get(at + 1..)?;
        // What else ends a plain part stands in no checked text.
        let rest = match byte {
            b'\\' => unescape_one(rest, &mut text)?,
            other => {
                text.push(char::from(*other));
                rest
            }
        };
        let start = raw.len() - rest.len();
        at = plain_end(raw.as_bytes(), start);
        text.push_str(raw.get(start..at)?);
    }
    Some(Cow::Owned(text))
}

/// The byte in each place of a word.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// A word with the highest bit set of each byte that is not simply part of a string: its end, an escape, and what must be
/// escaped. Above the lowest of these there may be more than there should.
#[inline]
fn special(word: u64) -> u64 {
    let equal = |byte| {
        let differs = word ^ each(byte);
        differs.wrapping_sub(each(1)) & !differs
    };
    let below_space = word.wrapping_sub(each(0x20)) & !word;
    (equal(b'"') | equal(b'\\') | below_space) & each(0x80)
}

/// Where the first byte stands, from `at` on, that is not simply part of a string; the end where there is none.
#[inline(always)]
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += size_of::<u64>();
    }
    let plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
    at + bytes.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| plain(byte)).count())
}

/// How many bytes a string takes, quotes and all, that stands at the start of `bytes`; all of them if it has no end.
pub fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return bytes.len(),
        }
    }
}

/// Takes the escape whose backslash was taken; returns what follows it.
fn unescape_one<'a>(escaped: &'a str, text: &mut String) -> Option<&'a str> {
    let letter = escaped.chars().next()?;
    let rest = escaped.get(letter.len_utf8()..)?;
    text.push(match letter {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unescape_utf16(rest, text),
        other => other,
    });
    Some(rest)
}

fn unescape_utf16<'a>(rest: &'a str, text: &mut String) -> Option<&'a str> {
    let (first, rest) = code_unit(rest)?;
    if !(0xd800..=0xdbff).contains(&first) {
        text.push(char::from_u32(first.into())?);
        return Some(rest);
    }
    let (second, rest) = code_unit(rest.strip_prefix("\\u")?)?;
    text.push(char::decode_utf16([first, second]).next()?.ok()?);
    Some(rest)
}

fn code_unit(rest: &str) -> Option<(u16, &str)> {
    let digits = rest.get(..4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest.get(4..)?))
}

/// Writes `text` as JSON escapes it, without quotes (RFC 8259 §7): only what must be escaped is.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..) {
        let plain = plain_end(rest, 0);
        out.extend_from_slice(rest.get(..plain).unwrap_or_default());
        let Some(byte) = rest.get(plain) else { return };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
        at += plain + 1;
    }
}
