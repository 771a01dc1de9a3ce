//! A body within JSON: text where it is text, else base64; straight from the host's chunks, in one pass.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ferrule_json::write_string;

/// Part of a body is no UTF-8.
struct NoText;

/// Writes the body as a JSON string, and says whether it is base64. What claims to be text but is no UTF-8 is base64, so that
/// no byte is lost.
pub(crate) fn write_body<'a>(
    chunks: impl Iterator<Item = &'a [u8]> + Clone,
    textual: bool,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    out.push(b'"');
    let is_text = textual && write_text(chunks.clone(), out).is_ok();
    if !is_text {
        out.truncate(start + 1);
        write_base64(chunks, out);
    }
    out.push(b'"');
    !is_text
}

fn write_text<'a>(chunks: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) -> Result<(), NoText> {
    let mut split = Split::default();
    for chunk in chunks {
        let chunk = split.complete(chunk, out)?;
        match std::str::from_utf8(chunk) {
            Ok(text) => write_string(text, out),
            Err(error) if error.error_len().is_some() => return Err(NoText),
            Err(error) => {
                let (whole, rest) = chunk.split_at(error.valid_up_to());
                write_string(std::str::from_utf8(whole).unwrap_or_default(), out);
                split.begin(rest);
            }
        }
    }
    if split.length == 0 { Ok(()) } else { Err(NoText) }
}

/// A character that chunks have cut.
#[derive(Default)]
struct Split {
    bytes: [u8; 4],
    length: usize,
}

impl Split {
    fn begin(&mut self, rest: &[u8]) {
        self.length = rest.len().min(self.bytes.len());
        self.bytes[..self.length].copy_from_slice(&rest[..self.length]);
    }

    /// Takes from `chunk` what is missing, and gives the rest of it.
    fn complete<'a>(&mut self, mut chunk: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], NoText> {
        while self.length > 0 {
            let Some((byte, rest)) = chunk.split_first() else { break };
            *self.bytes.get_mut(self.length).ok_or(NoText)? = *byte;
            self.length += 1;
            chunk = rest;
            match std::str::from_utf8(&self.bytes[..self.length]) {
                Ok(text) => {
                    write_string(text, out);
                    self.length = 0;
                }
                Err(error) if error.error_len().is_some() => return Err(NoText),
                Err(_) => {}
            }
        }
        Ok(chunk)
    }
}

/// Bytes that three of base64's four letters stand for must not be cut by chunks.
fn write_base64<'a>(chunks: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let (mut carry, mut carried) = ([0; 3], 0);
    for mut chunk in chunks {
        while carried > 0 && carried < 3 {
            let Some((byte, rest)) = chunk.split_first() else { break };
            carry[carried] = *byte;
            carried += 1;
            chunk = rest;
        }
        if carried == 3 {
            encode(&carry, out);
            carried = 0;
        }
        if carried == 0 {
            let (whole, rest) = chunk.split_at(chunk.len() - chunk.len() % 3);
            encode(whole, out);
            carry[..rest.len()].copy_from_slice(rest);
            carried = rest.len();
        }
    }
    encode(&carry[..carried], out);
}

fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or_default();
    out.truncate(start + written);
}

/// How many bytes a body takes in JSON, about: escapes are rare.
pub(crate) fn room_for(length: usize, textual: bool) -> usize {
    if textual { length + length / 16 + 16 } else { length.div_ceil(3) * 4 + 16 }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn written(chunks: &[&[u8]], textual: bool) -> (String, bool) {
        let mut out = b"x".to_vec();
        let encoded = write_body(chunks.iter().copied(), textual, &mut out);
        (String::from_utf8(out[1..].to_vec()).unwrap(), encoded)
    }

    #[test]
    fn text_is_escaped_whatever_its_chunks() {
        assert_eq!(written(&[], true), ("\"\"".to_owned(), false));
        assert_eq!(written(&[b"a\"b", b"", b"\\\n\0"], true), ("\"a\\\"b\\\\\\n\\u0000\"".to_owned(), false));
        let text = "é€😀";
        for cut in 0..text.len() {
            for second in cut..text.len() {
                let bytes = text.as_bytes();
                let chunks = [&bytes[..cut], &bytes[cut..second], &bytes[second..]];
                assert_eq!(written(&chunks, true), (format!("\"{text}\""), false), "{cut} {second}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_base64_whole() {
        for wrong in
            [&[&b"ab\xff"[..]][..], &[b"ab\xe2", b"\x82"], &[b"\xe2", b"a"], &[b"\xf0\x9f", b"\x98", b"a"]]
        {
            let bytes = wrong.concat();
            assert_eq!(written(wrong, true), (format!("\"{}\"", STANDARD.encode(bytes)), true));
        }
    }

    #[test]
    fn base64_does_not_depend_on_chunks() {
        let bytes: Vec<u8> = (0..=255).collect();
        let whole = format!("\"{}\"", STANDARD.encode(&bytes));
        for size in 1..=9 {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(written(&chunks, false), (whole.clone(), true), "{size}");
        }
        for length in 0..=4 {
            assert_eq!(
                written(&[&bytes[..length]], false).0,
                format!("\"{}\"", STANDARD.encode(&bytes[..length]))
            );
        }
    }
}
