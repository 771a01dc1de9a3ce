//! A YAML document as a tree that knows where each part stands; lives only while a file is read.

use serde_json::Value;

/// A line and a column of a file, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// Something wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: Mark,
    /// The field, as `spec.rules[0].name`; empty for the document as a whole.
    pub(crate) path: String,
    pub(crate) message: String,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Mark,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// `surprising`: only YAML 1.1 takes it for a boolean.
    Scalar {
        value: Value,
        surprising: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Field>),
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) at: Mark,
    pub(super) name: String,
    /// Only YAML 1.1 takes the name for a boolean.
    pub(super) surprising: bool,
    pub(super) value: Node,
}

impl Node {
    /// The field of a mapping.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Content::Mapping(fields) = &self.content else { return None };
        fields.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// The text of a string.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { value: Value::String(text), .. } => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar { value: Value::Null, .. })
    }

    /// The value without its places.
    pub(super) fn into_value(self) -> Value {
        match self.content {
            Content::Scalar { value, .. } => value,
            Content::Sequence(items) => items.into_iter().map(Self::into_value).collect(),
            Content::Mapping(fields) => {
                fields.into_iter().map(|field| (field.name, field.value.into_value())).collect()
            }
        }
    }

    /// What a copy costs: 32 bytes a node, besides its text.
    pub(super) fn weight(&self) -> usize {
        32 + match &self.content {
            Content::Scalar { value, .. } => value.as_str().map_or(0, str::len),
            Content::Sequence(items) => items.iter().map(Self::weight).sum(),
            Content::Mapping(fields) => {
                fields.iter().map(|field| field.name.len() + field.value.weight()).sum()
            }
        }
    }

    /// How many levels are below it.
    pub(super) fn height(&self) -> usize {
        match &self.content {
            Content::Scalar { .. } => 0,
            Content::Sequence(items) => 1 + items.iter().map(Self::height).max().unwrap_or(0),
            Content::Mapping(fields) => {
                1 + fields.iter().map(|field| field.value.height()).max().unwrap_or(0)
            }
        }
    }
}
