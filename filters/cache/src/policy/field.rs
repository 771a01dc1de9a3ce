//! Field values as RFC 9110 §5 reads them: lines joined, lists split outside of quotes, tokens and quoted strings.

use std::borrow::Cow;

/// A section of field lines, names in lower case.
pub trait Section {
    /// The values of all lines of that name, in order.
    fn values(&self, name: &str) -> Vec<Cow<'_, [u8]>>;

    /// The field's combined value (RFC 9110 §5.3): its lines joined by a comma. None without lines.
    fn combined(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let mut lines = self.values(name);
        match lines.len() {
            0 | 1 => lines.pop(),
            _ => Some(Cow::Owned(lines.join(&b", "[..]))),
        }
    }

    /// Whether there is a line of that name.
    fn has(&self, name: &str) -> bool {
        !self.values(name).is_empty()
    }
}

impl Section for [(String, Vec<u8>)] {
    fn values(&self, name: &str) -> Vec<Cow<'_, [u8]>> {
        let lines = self.iter().filter(|(known, _)| known == name);
        lines.map(|(_, value)| Cow::Borrowed(value.as_slice())).collect()
    }
}

/// Without blanks and tabs around it (OWS, RFC 9110 §5.6.3).
pub fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// A character of a token (RFC 9110 §5.6.2).
pub fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether it is a token.
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_char)
}

/// The members of a list (RFC 9110 §5.6.1): split at commas outside of quoted strings, empty ones left out.
///
/// A quote that nothing closes quotes nothing, nor does any after it: so it hides no member, and reading stays linear.
pub fn members(value: &[u8]) -> Members<'_> {
    Members { rest: value, quotes: true }
}

/// The words of a list of tags, parted by blanks (Surrogate-Key) or commas (Cache-Tag).
pub fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = members(value).flat_map(|member| member.split(|byte| matches!(byte, b' ' | b'\t')));
    words.filter(|word| !word.is_empty())
}

/// See [`members`].
#[derive(Clone, Debug)]
pub struct Members<'a> {
    rest: &'a [u8],
    quotes: bool,
}

impl<'a> Iterator for Members<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = self.member_end();
            let member = trim(&self.rest[..end]);
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !member.is_empty() {
                return Some(member);
            }
        }
        None
    }
}

impl Members<'_> {
    fn member_end(&mut self) -> usize {
        let mut at = 0;
        while let Some(byte) = self.rest.get(at) {
            match byte {
                b',' => return at,
                b'"' if self.quotes => match quoted_end(&self.rest[at..]) {
                    Some(length) => at += length,
                    None => self.quotes = false,
                },
                _ => at += 1,
            }
        }
        at
    }
}

/// How long the quoted string at the beginning is, quotes included; none where nothing closes it.
pub fn quoted_end(value: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in value.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// What a quoted string says (RFC 9110 §5.6.4); none where it is not one from end to end.
pub fn unquote(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    if value.first() != Some(&b'"') || quoted_end(value) != Some(value.len()) {
        return None;
    }
    let inner = &value[1..value.len() - 1];
    if !inner.contains(&b'\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut escaped = false;
    let keep = |byte: &&u8| {
        escaped = !escaped && **byte == b'\\';
        !escaped
    };
    Some(inner.iter().filter(keep).copied().collect::<Vec<_>>().into())
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn split(value: &str) -> Vec<&str> {
        members(value.as_bytes()).map(|member| std::str::from_utf8(member).unwrap()).collect()
    }

    #[test]
    fn lists_split_at_commas_outside_of_quotes() {
        assert_eq!(split("a, b=\"c, d\" ,, e"), ["a", "b=\"c, d\"", "e"]);
        assert_eq!(split(r#"a="\", b", c"#), [r#"a="\", b""#, "c"]);
        assert_eq!(split(" , ,"), [""; 0]);
    }

    #[test]
    fn a_quote_that_nothing_closes_hides_nothing() {
        assert_eq!(split("a=\"b, no-store"), ["a=\"b", "no-store"]);
        assert_eq!(split("\"\"\", x"), ["\"\"\"", "x"]);
    }

    #[test]
    fn quoted_strings_lose_quotes_and_escapes() {
        assert_eq!(unquote(br#""a\"b\\c""#).unwrap(), &br#"a"b\c"#[..]);
        assert!(matches!(unquote(b"\"plain\""), Some(Cow::Borrowed(b"plain"))));
        for none in [&b""[..], b"\"", b"a", b"\"a\"b", b"\"a\\\""] {
            assert_eq!(unquote(none), None);
        }
    }

    #[test]
    fn lines_combine_in_order() {
        let lines = [
            ("a".to_owned(), b"1".to_vec()),
            ("b".to_owned(), b"2".to_vec()),
            ("a".to_owned(), b"3".to_vec()),
        ];
        assert_eq!(lines.combined("a").unwrap(), &b"1, 3"[..]);
        assert_eq!(lines.combined("c"), None);
    }

    #[test]
    fn many_unclosed_quotes_take_linear_time() {
        let hostile = "\"".repeat(1_000_001);
        assert_eq!(members(hostile.as_bytes()).count(), 1);
        let hostile = format!("\"{}", ",\\\"".repeat(300_000));
        assert_eq!(members(hostile.as_bytes()).count(), 300_001);
    }
}
