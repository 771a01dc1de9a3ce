//! Schemas, put together by word: `text().length(1, 63)`.

use serde_json::{Map, Value, json};

/// A schema.
pub(super) struct Shape(Map<String, Value>);

/// A field of an object.
pub(super) struct Field {
    name: &'static str,
    required: bool,
    shape: Shape,
}

/// A field that must be there.
pub(super) fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, required: true, shape }
}

/// A field that may be left out.
pub(super) fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, required: false, shape }
}

/// An object with these fields and no others.
pub(super) fn object(fields: impl IntoIterator<Item = Field>) -> Shape {
    let (mut properties, mut needed) = (Map::new(), Vec::new());
    for Field { name, required, shape } in fields {
        if required {
            needed.push(name);
        }
        properties.insert(name.to_owned(), shape.into_value());
    }
    let shape = Shape::of("object");
    let shape = if needed.is_empty() { shape } else { shape.with("required", needed) };
    if properties.is_empty() { shape } else { shape.with("properties", properties) }
}

/// An object with any fields.
pub(super) fn open() -> Shape {
    Shape::of("object").with("x-kubernetes-preserve-unknown-fields", true)
}

/// Any JSON at all.
pub(super) fn anything() -> Shape {
    Shape(Map::new()).with("x-kubernetes-preserve-unknown-fields", true)
}

/// Values by name.
pub(super) fn map(of: Shape) -> Shape {
    Shape::of("object").with("additionalProperties", of.into_value())
}

/// A list whose order counts, and that is changed as a whole.
pub(super) fn list(of: Shape) -> Shape {
    Shape::of("array").with("items", of.into_value()).with("x-kubernetes-list-type", "atomic")
}

pub(super) fn text() -> Shape {
    Shape::of("string")
}

pub(super) fn boolean() -> Shape {
    Shape::of("boolean")
}

/// An integer of 64 bits.
pub(super) fn large() -> Shape {
    Shape::of("integer").with("format", "int64")
}

/// An integer of 32 bits.
pub(super) fn integer() -> Shape {
    Shape::of("integer").with("format", "int32")
}

/// A port.
pub(super) fn port() -> Shape {
    integer().from(1).to(65535)
}

/// Name of a Kubernetes object.
pub(super) fn object_name() -> Shape {
    text().length(1, 253)
}

/// `gwv1.Group`, `gwv1.Kind` and `gwv1.SectionName`.
pub(super) fn group() -> Shape {
    text().at_most(253).pattern(r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
}

pub(super) fn kind() -> Shape {
    text().length(1, 63).pattern("^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")
}

pub(super) fn section_name() -> Shape {
    text().length(1, 253).pattern(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
}

/// `gwv1.Namespace`.
pub(super) fn namespace() -> Shape {
    text().length(1, 63).pattern("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
}

impl Shape {
    fn of(kind: &str) -> Self {
        Self(Map::new()).with("type", kind)
    }

    fn with(mut self, keyword: &str, value: impl Into<Value>) -> Self {
        self.0.insert(keyword.to_owned(), value.into());
        self
    }

    /// Says what it is for.
    pub(super) fn about(self, description: &str) -> Self {
        self.with("description", description)
    }

    /// Least and most characters.
    pub(super) fn length(self, least: u64, most: u64) -> Self {
        self.with("minLength", least).at_most(most)
    }

    /// Not empty.
    pub(super) fn filled(self) -> Self {
        self.with("minLength", 1)
    }

    /// Most characters.
    pub(super) fn at_most(self, most: u64) -> Self {
        self.with("maxLength", most)
    }

    pub(super) fn pattern(self, pattern: &str) -> Self {
        self.with("pattern", pattern)
    }

    /// Least number.
    pub(super) fn from(self, least: i64) -> Self {
        self.with("minimum", least)
    }

    /// Greatest number.
    pub(super) fn to(self, most: i64) -> Self {
        self.with("maximum", most)
    }

    /// Least and most items.
    pub(super) fn items(self, least: u64, most: u64) -> Self {
        let limited = self.with("maxItems", most);
        if least > 0 { limited.with("minItems", least) } else { limited }
    }

    /// Least and most entries of a map.
    pub(super) fn entries(self, least: u64, most: u64) -> Self {
        let limited = self.with("maxProperties", most);
        if least > 0 { limited.with("minProperties", least) } else { limited }
    }

    /// Items are told apart by a field.
    pub(super) fn by(self, key: &str) -> Self {
        self.with("x-kubernetes-list-type", "map").with("x-kubernetes-list-map-keys", json!([key]))
    }

    /// One of these.
    pub(super) fn one_of(self, values: &[&str]) -> Self {
        self.with("enum", values)
    }

    pub(super) fn default(self, value: impl Into<Value>) -> Self {
        self.with("default", value)
    }

    /// Null is a value.
    pub(super) fn nullable(self) -> Self {
        self.with("nullable", true)
    }

    /// `format` of a string.
    pub(super) fn format(self, format: &str) -> Self {
        self.with("format", format)
    }

    /// A rule in CEL that must hold, and what is said where it does not.
    pub(super) fn rule(mut self, rule: &str, message: &str) -> Self {
        let rules = self.0.entry("x-kubernetes-validations").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(rules) = rules {
            rules.push(json!({"rule": rule, "message": message}));
        }
        self
    }

    /// Exactly one of these fields is there.
    pub(super) fn exactly_one(self, fields: &[&str]) -> Self {
        let there: Vec<String> = fields.iter().map(|field| format!("has(self.{field})")).collect();
        let rule = format!("[{}].filter(there, there).size() == 1", there.join(", "));
        self.rule(&rule, &format!("exactly one of {} must be set", fields.join(", ")))
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}
