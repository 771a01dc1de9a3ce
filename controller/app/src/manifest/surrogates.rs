//! JSON writes a character beyond the Basic Multilingual Plane as two escapes (RFC 8259 section 7); YAML does not
//! know such pairs.

use std::borrow::Cow;

/// The text with each pair `\uD83D\uDE00` as YAML's `\U0001F600`; only for documents that are JSON.
pub(super) fn join_pairs(text: &str) -> Cow<'_, str> {
    let is_json = text.trim_start().starts_with(['{', '[']);
    if !is_json || !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        joined.push_str(before);
        let taken = match pair(escape) {
            Some(character) => {
                joined.push_str(&format!("\\U{:08X}", u32::from(character)));
                12
            }
            None => {
                let taken = escape.chars().take(2).map(char::len_utf8).sum();
                joined.push_str(&escape[..taken]);
                taken
            }
        };
        rest = &escape[taken..];
    }
    joined.push_str(rest);
    Cow::Owned(joined)
}

fn pair(escape: &str) -> Option<char> {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?, 16).ok();
    let units = [unit(escape.get(..6)?)?, unit(escape.get(6..12)?)?];
    if !(0xD800..0xDC00).contains(&units[0]) {
        return None;
    }
    char::decode_utf16(units).next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_become_one_escape_and_nothing_else_changes() {
        assert_eq!(join_pairs(r#"{"a": "\ud83d\ude00\n"}"#), r#"{"a": "\U0001F600\n"}"#);
        for same in
            [r#"{"a": "\\ud83d\\ude00"}"#, r#"{"a": "\u00e9\ud83d"}"#, r#"{"a": "é\"#, r"a: \ud83d\ude00"]
        {
            assert_eq!(join_pairs(same), same);
        }
    }
}
