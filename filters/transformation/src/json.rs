//! JSON (RFC 8259) read without building a tree: a text is checked once, and only the parts that someone will ask for
//! are indexed.
//!
//! Invariants:
//! - The whole text is checked, whatever is indexed; what is read later cannot fail on its syntax.
//! - Numbers and order are those of the text; of equal keys the last one counts.
//! - Nesting is bounded by [`MAX_DEPTH`], so that no input exhausts the stack.

mod scan;
mod string;

use std::borrow::Cow;

pub(crate) use scan::JsonError;
pub(crate) use string::{string_length, unescape, write_string};

/// How many arrays and objects may enclose a value.
pub(crate) const MAX_DEPTH: u32 = 128;

/// Which members of a root object will be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it.
    Everything,
    /// These members of the root object and all below them; nothing of another kind of root.
    Members(Vec<String>),
}

/// A checked JSON text and the index of its wanted parts.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    text: &'a str,
    index: Vec<Entry>,
}

/// One value, or one key of an object; `next` is the entry after it and all below it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    start: u32,
    end: u32,
    next: u32,
}

/// A value within a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    document: &'a Document<'a>,
    at: u32,
}

/// What a value is; strings and numbers as they are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind<'a> {
    Null,
    Bool(bool),
    /// A number token.
    Number(&'a str),
    /// A string's text between its quotes, escapes and all.
    String(&'a str),
    Array,
    Object,
}

impl<'a> Document<'a> {
    /// Checks `bytes` and indexes what is wanted.
    ///
    /// # Errors
    /// The text is no JSON, no UTF-8, too deep or too large; says where, and nothing of the content.
    pub(crate) fn parse(bytes: &'a [u8], wanted: &Wanted) -> Result<Self, JsonError> {
        // RFC 8259 §8.1: a parser may ignore a byte order mark.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text =
            std::str::from_utf8(bytes).map_err(|error| JsonError::at(error.valid_up_to(), "not UTF-8"))?;
        let index = scan::Scanner::new(text)?.document(wanted)?;
        Ok(Self { text, index })
    }

    /// The root value, if all of it was indexed.
    pub(crate) fn root(&'a self) -> Option<Node<'a>> {
        (!self.index.is_empty()).then_some(Node { document: self, at: 0 })
    }
}

impl<'a> Node<'a> {
    /// The value's own text.
    pub(crate) fn text(self) -> &'a str {
        let Entry { start, end, .. } = self.entry();
        self.document.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// What the value is.
    pub(crate) fn kind(self) -> Kind<'a> {
        let text = self.text();
        match text.as_bytes().first() {
            Some(b'n') | None => Kind::Null,
            Some(b't') => Kind::Bool(true),
            Some(b'f') => Kind::Bool(false),
            Some(b'"') => Kind::String(text.get(1..text.len() - 1).unwrap_or_default()),
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            Some(_) => Kind::Number(text),
        }
    }

    /// The elements of an array; nothing for other kinds.
    pub(crate) fn elements(self) -> impl Iterator<Item = Node<'a>> {
        let end = if matches!(self.kind(), Kind::Array) { self.entry().next } else { self.at };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            let node = (at < end).then_some(Node { document: self.document, at })?;
            at = node.entry().next;
            Some(node)
        })
    }

    /// The members of an object in the order of the text, equal keys and all; nothing for other kinds.
    pub(crate) fn members(self) -> impl Iterator<Item = (Key<'a>, Node<'a>)> {
        let end = if matches!(self.kind(), Kind::Object) { self.entry().next } else { self.at };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            let key = (at < end).then_some(Node { document: self.document, at })?;
            let value = Node { document: self.document, at: at + 1 };
            at = value.entry().next;
            match key.kind() {
                Kind::String(raw) => Some((Key(raw), value)),
                _ => None,
            }
        })
    }

    fn entry(self) -> Entry {
        self.document.index.get(self.at as usize).copied().unwrap_or(Entry {
            start: 0,
            end: 0,
            next: u32::MAX,
        })
    }
}

/// A key as it is written, between its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a>(&'a str);

impl<'a> Key<'a> {
    /// The key as it is written.
    pub(crate) fn raw(self) -> &'a str {
        self.0
    }

    /// Whether the key, once unescaped, is `name`.
    pub(crate) fn is(self, name: &str) -> bool {
        if !self.0.contains('\\') {
            return self.0 == name;
        }
        self.text().is_some_and(|text| text == name)
    }

    /// The key unescaped; none where it is half of a surrogate pair.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        unescape(self.0)
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod properties;
