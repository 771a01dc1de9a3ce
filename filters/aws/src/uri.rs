//! Paths and queries as they stand in a canonical request (AWS, "Create a signed AWS API request", step 1).

use std::borrow::Cow;

/// Bytes that stay as they are (RFC 3986 §2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Percent-encodes everything but unreserved characters, so slashes too.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 8);
    encode_into(bytes, &mut text);
    text
}

/// As [`encode`], at the end of `out`.
pub fn encode_into(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if is_unreserved(byte) {
            out.push(byte.into());
        } else {
            out.push('%');
            out.push(DIGITS[usize::from(byte >> 4)].into());
            out.push(DIGITS[usize::from(byte & 15)].into());
        }
    }
}

/// The path of a request, without its query, for every service but S3: normalised (RFC 3986 §6.2.2.3, and no empty segments),
/// each segment percent-encoded once more than on the wire.
pub fn canonical_path(wire: &[u8]) -> String {
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in wire.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut path = String::with_capacity(wire.len() + 16);
    for segment in &segments {
        path.push('/');
        encode_into(segment, &mut path);
    }
    let closed = wire.ends_with(b"/") || wire.ends_with(b"/.") || wire.ends_with(b"/..");
    if segments.is_empty() || closed {
        path.push('/');
    }
    path
}

/// The path of a request to S3, without its query: nothing is normalised, and each segment is percent-encoded once, however
/// much of it was on the wire.
pub fn single_encoded_path(wire: &[u8]) -> String {
    let mut path = String::with_capacity(wire.len() + 16);
    for (number, segment) in wire.split(|byte| *byte == b'/').enumerate() {
        if number > 0 {
            path.push('/');
        }
        encode_into(&decoded(segment, false), &mut path);
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

/// The query of a request: names and values percent-encoded once, sorted, each with its equals sign.
pub fn canonical_query(wire: &[u8]) -> String {
    let mut pairs: Vec<(String, String)> = wire
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &b""[..]),
            };
            (encode(&decoded(name, true)), encode(&decoded(value, true)))
        })
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// A name or value of a query, without its percent and plus signs.
pub fn decoded_parameter(text: &[u8]) -> Cow<'_, [u8]> {
    decoded(text, true)
}

/// With the percent signs undone that stand before two hexadecimal digits and, in a query, blanks for plus signs.
fn decoded(text: &[u8], plus: bool) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| *byte == b'%' || (plus && *byte == b'+')) {
        return Cow::Borrowed(text);
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let [byte, after @ ..] = rest {
        let escaped = if *byte == b'%' { after.first_chunk().copied().and_then(of_digits) } else { None };
        bytes.push(match *byte {
            b'+' if plus => b' ',
            byte => escaped.unwrap_or(byte),
        });
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    Cow::Owned(bytes)
}

fn of_digits([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    Some((digit(high)? * 16 + digit(low)?) as u8)
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn paths_are_normalised_and_encoded_once_more() {
        for (wire, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/./example", "/example"),
            ("/example1/example2/../..", "/"),
            ("//example//", "/example/"),
            ("/example/..", "/"),
            ("/example1/example2/..", "/example1/"),
            ("/a%20b", "/a%2520b"),
            ("/2015-03-31/functions/arn%3Aaws/invocations", "/2015-03-31/functions/arn%253Aaws/invocations"),
            ("/\u{1234}", "/%E1%88%B4"),
        ] {
            assert_eq!(canonical_path(wire.as_bytes()), canonical, "{wire}");
        }
    }

    #[test]
    fn paths_of_s3_keep_their_segments() {
        for (wire, canonical) in [
            ("", "/"),
            ("//a/./b/../c", "//a/./b/../c"),
            ("/a%20b%2Fc", "/a%20b%2Fc"),
            ("/a b(c)%", "/a%20b%28c%29%25"),
        ] {
            assert_eq!(single_encoded_path(wire.as_bytes()), canonical, "{wire}");
        }
    }

    #[test]
    fn queries_are_sorted_by_what_is_sent() {
        for (wire, canonical) in [
            ("", ""),
            ("b&a=1", "a=1&b="),
            ("Param2=value2&Param1=value1", "Param1=value1&Param2=value2"),
            ("Param1=value2&Param1=Value1", "Param1=Value1&Param1=value2"),
            ("a=b+c&d=%7E%2f", "a=b%20c&d=~%2F"),
            ("&&x==y&", "x=%3Dy"),
            ("Qualifier=$LATEST", "Qualifier=%24LATEST"),
        ] {
            assert_eq!(canonical_query(wire.as_bytes()), canonical, "{wire}");
        }
    }
}
