//! JSON (RFC 8259) read without building a tree: a text is checked once, and its parts are found when they are asked for.
//!
//! Invariants:
//! - The whole text is checked before any of it is read; what is read later cannot fail on its syntax.
//! - Numbers and order are those of the text; of equal keys the last one counts.
//! - Nesting is bounded by [`MAX_DEPTH`]; nothing here recurses, and nothing takes memory in proportion to the text.

mod check;
mod skip;
mod string;

use std::borrow::Cow;
use std::ops::Range;

pub use check::JsonError;
pub use string::{string_length, unescape, unescape_bytes, write_string};

/// How many arrays and objects may enclose a value.
pub const MAX_DEPTH: u32 = 128;

/// A checked JSON text, and where those members of its root object are that someone will ask for.
#[derive(Debug)]
pub struct Document<'a> {
    root: Node<'a>,
    members: Vec<Member>,
    /// Some members are repeated so often that only their last place is known.
    truncated: bool,
}

/// A place of a member that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    /// Place of its name among those asked for.
    name: usize,
    /// Bytes of its value in the text.
    value: Range<usize>,
}

/// A value within a checked text.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a>(&'a str);

/// What a value is; strings and numbers as they are written.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number token.
    Number(&'a str),
    /// A string's text between its quotes, escapes and all.
    String(&'a str),
    /// An array.
    Array,
    /// An object.
    Object,
}

impl<'a> Document<'a> {
    /// Checks `bytes` and notes where the members of the root object are that have one of `names`.
    ///
    /// # Errors
    /// The text is no JSON, no UTF-8 or too deep; says where, and nothing of the content.
    pub fn parse(bytes: &'a [u8], names: &[String]) -> Result<Self, JsonError> {
        // RFC 8259 §8.1: a parser may ignore a byte order mark.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text =
            std::str::from_utf8(bytes).map_err(|error| JsonError::at(error.valid_up_to(), "not UTF-8"))?;
        check::Checker::new(text, names).document()
    }

    /// The root value.
    pub fn root(&self) -> Node<'a> {
        self.root
    }

    /// The member with the name at that place among those asked for; of equal keys the last one.
    pub fn member(&self, name: usize) -> Option<Node<'a>> {
        let member = self.members.iter().rev().find(|member| member.name == name)?;
        self.root.0.get(member.value.clone()).map(Node)
    }

    /// All members asked for in their order, equal keys and all: place of the name, value. None where they are too many.
    pub fn members(&self) -> Option<impl Iterator<Item = (usize, Node<'a>)>> {
        let root = self.root.0;
        let value =
            move |member: &Member| root.get(member.value.clone()).map(|text| (member.name, Node(text)));
        (!self.truncated).then(|| self.members.iter().filter_map(value))
    }
}

impl<'a> Node<'a> {
    /// The value's own text.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// Where the value stands within `around`, a text that holds it.
    pub fn place_in(self, around: &[u8]) -> Range<usize> {
        let start = (self.0.as_ptr() as usize).saturating_sub(around.as_ptr() as usize);
        start..start + self.0.len()
    }

    /// What the value is.
    pub fn kind(self) -> Kind<'a> {
        let text = self.0;
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
    pub fn elements(self) -> impl Iterator<Item = Node<'a>> {
        let mut items = skip::Items::of(self.0, b'[');
        std::iter::from_fn(move || items.next_value().map(Node))
    }

    /// The members of an object in the order of the text, equal keys and all; nothing for other kinds.
    pub fn members(self) -> impl Iterator<Item = (Key<'a>, Node<'a>)> {
        let mut items = skip::Items::of(self.0, b'{');
        std::iter::from_fn(move || {
            let key = items.next_value()?;
            let value = items.next_value()?;
            Some((Key(key.get(1..key.len() - 1).unwrap_or_default()), Node(value)))
        })
    }
}

/// A key as it is written, between its quotes.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a>(&'a str);

impl<'a> Key<'a> {
    /// The key as it is written.
    pub fn raw(self) -> &'a str {
        self.0
    }

    /// Whether the key, once unescaped, is `name`.
    #[inline]
    pub fn is(self, name: &str) -> bool {
        // An escape is longer than what it stands for.
        if self.0.len() <= name.len() {
            return self.0 == name;
        }
        self.0.contains('\\') && self.text().is_some_and(|text| text == name)
    }

    /// The key unescaped; none where it is half of a surrogate pair.
    pub fn text(self) -> Option<Cow<'a, str>> {
        unescape(self.0)
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod properties;
