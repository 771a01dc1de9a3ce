//! Strings between their JSON form and their text.

use std::borrow::Cow;

/// Bytes that are looked at, or copied, at a time.
const WORD: usize = size_of::<u64>();

/// The text of what stands between a string's quotes; none if it holds half of a surrogate pair, which is no text.
pub fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    match unescape_bytes(raw)? {
        Cow::Borrowed(_) => Some(Cow::Borrowed(raw)),
        Cow::Owned(text) => String::from_utf8(text).ok().map(Cow::Owned),
    }
}

/// The bytes of the text that [`unescape`] gives, for those who need no proof that they are one.
pub fn unescape_bytes(raw: &str) -> Option<Cow<'_, [u8]>> {
    let bytes = raw.as_bytes();
    let Some(plain) = raw.find('\\') else { return Some(Cow::Borrowed(bytes)) };
    // No escape is shorter than what it stands for. The room beyond is for runs that are shorter than the word they are
    // copied with.
    let mut text = vec![0; bytes.len() + WORD];
    text.get_mut(..plain)?.copy_from_slice(bytes.get(..plain)?);
    let (mut at, mut end) = (plain, plain);
    while let Some(byte) = bytes.get(at) {
        if *byte == b'\\' {
            let (read, written) = unescape_one(raw, at + 1, text.get_mut(end..)?)?;
            (at, end) = (at + 1 + read, end + written);
        }
        let plain = copy_plain(bytes.get(at..)?, text.get_mut(end..)?);
        (at, end) = (at + plain, end + plain);
    }
    text.truncate(end);
    Some(Cow::Owned(text))
}

/// Copies up to the next backslash, and says how many bytes these are; `to` is a word longer than `from` at least.
#[inline(always)]
fn copy_plain(from: &[u8], to: &mut [u8]) -> usize {
    let mut at = 0;
    while let (Some(word), Some(place)) = (
        from.get(at..).and_then(<[u8]>::first_chunk::<WORD>),
        to.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<WORD>),
    ) {
        *place = *word;
        let found = equal(u64::from_le_bytes(*word), b'\\') & each(0x80);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += WORD;
    }
    let rest = from.get(at..).unwrap_or_default().iter().take_while(|byte| **byte != b'\\');
    for (byte, place) in rest.zip(to.get_mut(at..).unwrap_or_default()) {
        *place = *byte;
        at += 1;
    }
    at
}

/// The byte in each place of a word.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// A word with the highest bit set of each byte that is not simply part of a string: its end, an escape, and what must be
/// escaped. Above the lowest of these there may be more than there should.
#[inline]
fn special(word: u64) -> u64 {
    let below_space = word.wrapping_sub(each(0x20)) & !word;
    (equal(word, b'"') | equal(word, b'\\') | below_space) & each(0x80)
}

/// A word with the highest bit set of each byte that is `byte`, and maybe of bytes above the lowest of these.
#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    let differs = word ^ each(byte);
    differs.wrapping_sub(each(1)) & !differs
}

/// Where the first byte stands, from `at` on, that is not simply part of a string; the end where there is none.
#[inline(always)]
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += WORD;
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

/// Writes what the escape stands for whose backslash is before `at`; how many bytes were read and written.
#[inline(always)]
fn unescape_one(raw: &str, at: usize, text: &mut [u8]) -> Option<(usize, usize)> {
    let byte = match *raw.as_bytes().get(at)? {
        b'u' => return unescape_utf16(raw.get(at + 1..)?, text),
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    };
    *text.first_mut()? = byte;
    Some((1, 1))
}

/// The same for the digits of one or two code units.
fn unescape_utf16(digits: &str, text: &mut [u8]) -> Option<(usize, usize)> {
    let first = code_unit(digits)?;
    let (char, read) = if (0xd800..=0xdbff).contains(&first) {
        let second = code_unit(digits.get(4..)?.strip_prefix("\\u")?)?;
        (char::decode_utf16([first, second]).next()?.ok()?, 11)
    } else {
        (char::from_u32(first.into())?, 5)
    };
    Some((read, char.encode_utf8(text.get_mut(..char.len_utf8())?).len()))
}

fn code_unit(digits: &str) -> Option<u16> {
    u16::from_str_radix(digits.get(..4)?, 16).ok()
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
