//! A schema made ready: keywords understood, patterns and rules compiled.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use crate::cel::Rule;
use crate::compile::Compiler;
use crate::format::Format;
use crate::path::Path;
use crate::source::Source;

/// A node of a structural schema, or of what stands below `oneOf` and its like.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    pub(crate) default: Option<Value>,
    pub(crate) properties: BTreeMap<String, Schema>,
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) preserves_unknown: bool,
    pub(crate) list: List,
    pub(crate) required: Vec<String>,
    pub(crate) values: Option<Vec<Value>>,
    pub(crate) format: Option<Format>,
    pub(crate) pattern: Option<Regex>,
    pub(crate) length: Bounds<u64>,
    pub(crate) size: Bounds<u64>,
    pub(crate) fields: Bounds<u64>,
    pub(crate) number: Bounds<f64>,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
    pub(crate) rules: Vec<Rule>,
    /// Whether there are rules here or below.
    pub(crate) has_rules: bool,
}

/// `type`, or `x-kubernetes-int-or-string`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
}

/// `x-kubernetes-list-type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Atomic,
    Set,
    /// Items are told apart by these fields.
    Map(Vec<String>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds<T> {
    pub(crate) least: Option<T>,
    pub(crate) most: Option<T>,
}

/// A schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schema of `{path}`: {reason}")]
pub struct SchemaError {
    /// The field, as `spec.rules[0].name`.
    pub path: String,
    /// What is wrong with its schema.
    pub reason: String,
}

impl Schema {
    pub(crate) fn read(schema: &Value) -> Result<Self, SchemaError> {
        let source: Source = serde::Deserialize::deserialize(schema)
            .map_err(|error: serde_json::Error| refused(Path::Root, error))?;
        Compiler::default().compile(source, Path::Root)
    }

    /// Schemas of what is in a value.
    pub(crate) fn below(&self) -> impl Iterator<Item = &Self> {
        self.properties.values().chain(self.additional.as_deref()).chain(self.items.as_deref())
    }

    /// The schema of a field, be it declared or that of all fields.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or(self.additional.as_deref())
    }
}

impl Kind {
    pub(crate) fn of(source: &Source) -> Option<Self> {
        if source.int_or_string {
            return source.kind.is_none().then_some(Self::IntOrString);
        }
        Some(match source.kind.as_deref() {
            None => Self::Any,
            Some("object") => Self::Object,
            Some("array") => Self::Array,
            Some("string") => Self::String,
            Some("integer") => Self::Integer,
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            Some(_) => return None,
        })
    }

    pub(crate) fn takes(self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::String => value.is_string(),
            Self::Integer => is_integral(value),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::IntOrString => value.is_string() || is_integral(value),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Object => "an object",
            Self::Array => "a list",
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::IntOrString => "an integer or a string",
        }
    }
}

/// JSON has one sort of number: 1.0 is an integer, too, and what Go reads as a float is one as far as floats are exact.
fn is_integral(value: &Value) -> bool {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    let is_exact = |number: f64| number.fract() == 0.0 && number.abs() <= EXACT;
    value.is_i64() || value.as_f64().is_some_and(is_exact)
}

impl List {
    pub(crate) fn named(name: Option<&str>, keys: Vec<String>, path: Path<'_>) -> Result<Self, SchemaError> {
        match name {
            None | Some("atomic") if keys.is_empty() => Ok(Self::Atomic),
            Some("set") if keys.is_empty() => Ok(Self::Set),
            Some("map") if !keys.is_empty() => Ok(Self::Map(keys)),
            _ => Err(refused(path, "unknown list type, or keys that it cannot have")),
        }
    }
}

pub(crate) fn refused(path: Path<'_>, reason: impl ToString) -> SchemaError {
    SchemaError { path: path.to_string(), reason: reason.to_string() }
}
