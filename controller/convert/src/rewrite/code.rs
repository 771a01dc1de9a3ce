//! Pieces of Jinja, with what is known of them.

use serde_json::Value;

/// How tightly a piece binds, loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Or,
    And,
    Not,
    /// Comparisons and tests.
    Compare,
    Sum,
    Product,
    Unary,
    /// `value | filter`
    Filtered,
    Postfix,
}

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Null,
    Bool,
    /// An integer that is not negative.
    Count,
    Int,
    Float,
    Text,
    List,
    Map,
}

impl Kind {
    pub(super) fn is_integer(self) -> bool {
        matches!(self, Self::Count | Self::Int)
    }

    pub(super) fn is_number(self) -> bool {
        self.is_integer() || self == Self::Float
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.is_u64() => Self::Count,
            Value::Number(number) if number.is_i64() => Self::Int,
            Value::Number(_) => Self::Float,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Map,
        }
    }
}

/// A piece of Jinja.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) text: String,
    pub(super) level: Level,
    pub(super) kind: Kind,
    /// Its value, if that is fixed.
    pub(super) fixed: Option<Value>,
}

impl Code {
    pub(super) fn new(text: impl Into<String>, level: Level, kind: Kind) -> Self {
        Self { text: text.into(), level, kind, fixed: None }
    }

    /// What needs no parentheses.
    pub(super) fn atom(text: impl Into<String>, kind: Kind) -> Self {
        Self::new(text, Level::Postfix, kind)
    }

    pub(super) fn literal(value: &Value) -> Self {
        let text = literal(value);
        let level = if text.starts_with('-') { Level::Unary } else { Level::Postfix };
        Self { text, level, kind: Kind::of(value), fixed: Some(value.clone()) }
    }

    /// Its text, in parentheses if it binds looser than `level`.
    pub(super) fn at(&self, level: Level) -> String {
        if self.level >= level { self.text.clone() } else { format!("({})", self.text) }
    }

    /// `self | filter`
    pub(super) fn filtered(&self, filter: &str, kind: Kind) -> Self {
        Self::new(format!("{} | {filter}", self.at(Level::Filtered)), Level::Filtered, kind)
    }

    /// `self is test`
    pub(super) fn tested(&self, test: &str) -> Self {
        Self::new(format!("{} is {test}", self.at(Level::Filtered)), Level::Compare, Kind::Bool)
    }

    /// `left operator right`, both of the kind that binds as tightly, the right one tighter.
    pub(super) fn joined(left: &Self, operator: &str, right: &Self, level: Level, kind: Kind) -> Self {
        let above = match level {
            Level::Or => Level::And,
            Level::And => Level::Not,
            Level::Compare => Level::Sum,
            Level::Sum => Level::Product,
            _ => Level::Unary,
        };
        // A comparison is no operand of another: Jinja would chain them.
        let left_level = if level == Level::Compare { above } else { level };
        Self::new(format!("{} {operator} {}", left.at(left_level), right.at(above)), level, kind)
    }
}

/// A JSON value as Jinja writes it. Members are in the order of their names, as Inja prints them.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let pairs: Vec<_> = members
                .into_iter()
                .map(|(name, value)| format!("{}: {}", quoted(name), literal(value)))
                .collect();
            // Two braces in a row would end the tag.
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::String(text) => quoted(text),
        scalar => scalar.to_string(),
    }
}

/// A text as Jinja writes it.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether Jinja takes `name` for the name of a variable or function.
pub(super) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let start = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    start && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a variable of that name could not be told from Jinja's own words.
pub(super) fn is_reserved(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "true",
        "True",
        "false",
        "False",
        "none",
        "None",
        "loop",
        "self",
        "caller",
        "super",
        "recursive",
    ];
    WORDS.contains(&name)
}
