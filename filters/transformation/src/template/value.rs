//! What expressions come to.
//!
//! Invariants:
//! - Values are cheap to clone and live no longer than a render; what can be borrowed from the message is.
//! - No cycles: namespaces hold plain data only, and data never changes once it is built.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use super::error::{Failure, Outcome};
use super::frame::LoopState;
use super::meter::{Meter, VALUE_DEPTH};
use super::program::Macro;
use ferrule_json::{Kind, Node};

/// A value of the template language.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    /// A variable, field or item that does not exist.
    Undefined,
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    /// A number of a JSON text that no other kind holds exactly; prints as it is written.
    Decimal(&'a str),
    Text(Text<'a>),
    /// Bytes that are no UTF-8.
    Bytes(Rc<[u8]>),
    List(List<'a>),
    Map(Map<'a>),
    /// An array or object of a JSON text.
    Json(Node<'a>),
    Namespace(Rc<RefCell<Vec<(Text<'a>, Value<'a>)>>>),
    Loop(Rc<LoopState<'a>>),
    Macro(Closure<'a>),
}

/// UTF-8 text, borrowed or shared.
#[derive(Clone, Debug)]
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Rc<str>),
}

/// A list that a template built.
#[derive(Clone, Debug)]
pub(crate) struct List<'a> {
    items: Rc<[Value<'a>]>,
    build: Build,
}

/// Pairs that a template built, in the order of their insertion.
#[derive(Clone, Debug)]
pub(crate) struct Map<'a> {
    pairs: Rc<[(Value<'a>, Value<'a>)]>,
    build: Build,
}

/// What is known of a list or map without looking at its items, which may share parts and so be many.
#[derive(Clone, Copy, Debug)]
struct Build {
    depth: u8,
    plain: bool,
}

impl Build {
    fn of<'v, 'a: 'v>(values: impl Iterator<Item = &'v Value<'a>>) -> Outcome<Self> {
        let mut build = Self { depth: 0, plain: true };
        for value in values {
            let inner = value.build();
            build = Self { depth: build.depth.max(inner.depth), plain: build.plain && inner.plain };
        }
        if build.depth >= VALUE_DEPTH {
            return Err(Failure::bound("lists or maps nest too deep"));
        }
        Ok(Self { depth: build.depth + 1, ..build })
    }
}

/// A macro and the frame it was declared in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closure<'a> {
    pub(crate) code: &'a Macro,
    pub(crate) frame: usize,
}

impl<'a> Value<'a> {
    /// A list of `items`.
    ///
    /// # Errors
    /// It would nest too deep, or too much work was done.
    pub(crate) fn list(meter: &Meter, items: Vec<Value<'a>>) -> Outcome<Self> {
        meter.charge(items.len() + 1)?;
        let build = Build::of(items.iter())?;
        Ok(Self::List(List { items: items.into(), build }))
    }

    /// A map; of equal keys the last one counts.
    ///
    /// # Errors
    /// As for [`Value::list`].
    pub(crate) fn map(meter: &Meter, pairs: Vec<(Value<'a>, Value<'a>)>) -> Outcome<Self> {
        let mut unique: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            meter.charge(unique.len() / 8 + 1)?;
            match unique.iter_mut().find(|(known, _)| same_key(known, &key)) {
                Some((_, known)) => *known = value,
                None => unique.push((key, value)),
            }
        }
        let build = Build::of(unique.iter().map(|(_, value)| value))?;
        Ok(Self::Map(Map { pairs: unique.into(), build }))
    }

    /// Text of its own.
    pub(crate) fn text(meter: &Meter, text: impl Into<Rc<str>> + AsRef<str>) -> Outcome<Self> {
        meter.charge_bytes(text.as_ref().len())?;
        Ok(Self::Text(Text::Shared(text.into())))
    }

    /// Text if it is UTF-8, else bytes.
    pub(crate) fn octets(meter: &Meter, octets: Vec<u8>) -> Outcome<Self> {
        meter.charge_bytes(octets.len())?;
        Ok(match String::from_utf8(octets) {
            Ok(text) => Self::Text(Text::Shared(text.into())),
            Err(error) => Self::Bytes(error.into_bytes().into()),
        })
    }

    /// The value of a JSON text's node.
    ///
    /// # Errors
    /// It is a string with half of a surrogate pair.
    pub(crate) fn json(meter: &Meter, node: Node<'a>) -> Outcome<Self> {
        Ok(match node.kind() {
            Kind::Null => Self::Null,
            Kind::Bool(value) => Self::Bool(value),
            Kind::Number(text) => number(text),
            Kind::String(raw) => match ferrule_json::unescape(raw) {
                Some(Cow::Borrowed(text)) => Self::Text(Text::Borrowed(text)),
                Some(Cow::Owned(text)) => Self::text(meter, text)?,
                None => return Err(Failure::new("a JSON string holds half of a surrogate pair")),
            },
            Kind::Array | Kind::Object => Self::Json(node),
        })
    }

    /// Whether a condition holds: empty, zero and missing are false.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Undefined | Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(_) | Self::Decimal(_) => self.as_float().is_some_and(|value| value != 0.0),
            Self::Text(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Json(node) => node.elements().next().is_some() || node.members().next().is_some(),
            Self::Namespace(_) | Self::Loop(_) | Self::Macro(_) => true,
        }
    }

    /// The text of a text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer that this is, be it a float or truth value of the same worth.
    pub(crate) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some(i128::from(*value)),
            Self::Float(_) | Self::Decimal(_) => {
                let float = self.as_float().filter(|float| float.fract() == 0.0 && float.abs() < 1e18)?;
                Some(float as i128)
            }
            _ => None,
        }
    }

    /// The number that this is, as near as a float comes.
    pub(crate) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Bool(value) => Some(f64::from(*value)),
            Self::Float(value) => Some(*value),
            Self::Decimal(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Float(_) | Self::Decimal(_))
    }

    pub(crate) fn is_list(&self) -> bool {
        match self {
            Self::Json(node) => matches!(node.kind(), Kind::Array),
            value => matches!(value, Self::List(_)),
        }
    }

    pub(crate) fn is_map(&self) -> bool {
        match self {
            Self::Json(node) => matches!(node.kind(), Kind::Object),
            value => matches!(value, Self::Map(_) | Self::Namespace(_)),
        }
    }

    /// Whether this is data through and through, so that it may be kept anywhere.
    pub(crate) fn is_plain(&self) -> bool {
        self.build().plain
    }

    /// What it is, in words for who wrote the template.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Float(_) | Self::Decimal(_) => "a number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes that are no UTF-8",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Json(node) if matches!(node.kind(), Kind::Array) => "a list",
            Self::Json(_) => "a map",
            Self::Namespace(_) => "a namespace",
            Self::Loop(_) => "a loop",
            Self::Macro(_) => "a macro",
        }
    }

    fn build(&self) -> Build {
        match self {
            Self::List(list) => list.build,
            Self::Map(map) => map.build,
            Self::Namespace(_) | Self::Loop(_) | Self::Macro(_) => Build { depth: 0, plain: false },
            _ => Build { depth: 0, plain: true },
        }
    }
}

/// A number token: an integer where it is one that we hold, else as it is written.
fn number<'a>(text: &'a str) -> Value<'a> {
    match text.parse::<i128>() {
        Ok(value) if text != "-0" => Value::Int(value),
        _ => Value::Decimal(text),
    }
}

/// Keys are scalars; texts equal texts and numbers equal numbers.
pub(crate) fn same_key(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => **a == **b,
        _ => a.as_int().is_some() && a.as_int() == b.as_int(),
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Text::Borrowed(text))
    }
}

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl<'a> std::ops::Deref for List<'a> {
    type Target = [Value<'a>];

    fn deref(&self) -> &[Value<'a>] {
        &self.items
    }
}

impl<'a> std::ops::Deref for Map<'a> {
    type Target = [(Value<'a>, Value<'a>)];

    fn deref(&self) -> &[(Value<'a>, Value<'a>)] {
        &self.pairs
    }
}
