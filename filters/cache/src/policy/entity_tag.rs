//! Entity tags (RFC 9110 §8.8.3): read, listed and compared.

use super::field::trim;

/// One entity tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// Marked by `W/`.
    pub weak: bool,
    /// What stands between the quotes.
    pub opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Reads one from end to end.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (tag, rest) = Self::first(trim(value))?;
        rest.is_empty().then_some(tag)
    }

    /// Reads one at the beginning; backslashes escape nothing in it.
    fn first(value: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (weak, quoted) = match value {
            [b'W', b'/', quoted @ ..] => (true, quoted),
            quoted => (false, quoted),
        };
        let [b'"', inner @ ..] = quoted else { return None };
        let end = inner.iter().position(|byte| *byte == b'"')?;
        let opaque = &inner[..end];
        let valid = opaque.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..));
        valid.then_some((Self { weak, opaque }, &inner[end + 1..]))
    }

    /// Strong comparison (RFC 9110 §8.8.3.2).
    pub fn is_strongly(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison (RFC 9110 §8.8.3.2).
    pub fn is_weakly(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }
}

/// Whether an If-None-Match lists `tag`, compared weakly (RFC 9110 §13.1.2). What is no list of tags ends it there.
pub fn lists(mut list: &[u8], tag: Option<&EntityTag<'_>>) -> bool {
    if trim(list) == b"*" {
        return true;
    }
    let Some(tag) = tag else { return false };
    loop {
        while let [b' ' | b'\t' | b',', rest @ ..] = list {
            list = rest;
        }
        let Some((listed, rest)) = EntityTag::first(list) else { return false };
        if listed.is_weakly(tag) {
            return true;
        }
        list = rest;
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn tag(text: &str) -> Option<EntityTag<'_>> {
        EntityTag::parse(text.as_bytes())
    }

    #[test]
    fn tags_are_quoted_and_nothing_else() {
        assert_eq!(tag(" W/\"a\\\" "), Some(EntityTag { weak: true, opaque: b"a\\" }));
        assert_eq!(tag("\"\""), Some(EntityTag { weak: false, opaque: b"" }));
        for junk in ["", "a", "\"a", "w/\"a\"", "\"a\"b", "\"a b\"", "W/", "'a'"] {
            assert_eq!(tag(junk), None, "{junk}");
        }
    }

    #[test]
    fn comparison_is_strong_or_weak() {
        let (strong, weak) = (tag("\"a\"").unwrap(), tag("W/\"a\"").unwrap());
        assert!(strong.is_strongly(&strong) && !strong.is_strongly(&weak) && !weak.is_strongly(&weak));
        assert!(strong.is_weakly(&weak) && weak.is_weakly(&weak) && !weak.is_weakly(&tag("\"b\"").unwrap()));
    }

    #[test]
    fn lists_hold_tags_with_commas_and_end_at_junk() {
        let b = tag("\"b,c\"").unwrap();
        assert!(lists(b"\"a\", W/\"b,c\"", Some(&b)));
        assert!(lists(b",,\"b,c\"", Some(&b)));
        assert!(lists(b" * ", None));
        assert!(!lists(b"\"a\", *", Some(&b)));
        assert!(!lists(b"junk, \"b,c\"", Some(&b)));
        assert!(!lists(b"\"a\"", None));
    }
}
