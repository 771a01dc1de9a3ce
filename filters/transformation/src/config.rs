//! Configuration as written, in the words of kgateway's `TrafficPolicy.spec.transformation`.
//!
//! Invariants:
//! - Strict: an unknown field is an error.
//! - The limits are those of the custom resource: 16 entries a list, names unique within a list.

use serde::Deserialize;

/// What to do with the messages of an exchange; a message without a transform passes untouched.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// For the request.
    #[serde(default)]
    pub request: Option<Transform>,
    /// For the response, be it the upstream's or Envoy's own.
    #[serde(default)]
    pub response: Option<Transform>,
}

/// What to do with one message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// Header fields to replace, in this order.
    #[serde(default)]
    pub set: Vec<HeaderTransformation>,
    /// Header fields to append, in this order.
    #[serde(default)]
    pub add: Vec<HeaderTransformation>,
    /// Names of header fields to remove.
    #[serde(default)]
    pub remove: Vec<String>,
    /// How to read the body, and what to put in its place.
    #[serde(default)]
    pub body: Option<BodyTransformation>,
    /// Dynamic metadata to set, for later filters and access logs.
    #[serde(default, rename = "dynamicMetadata")]
    pub dynamic_metadata: Vec<MetadataTransformation>,
}

/// One header field.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderTransformation {
    /// Field name in any case, or one of `:method`, `:path`, `:authority` (requests) and `:status` (responses).
    pub name: String,
    /// Template of the value. None, or one that renders to nothing, removes the field.
    #[serde(default)]
    pub value: Option<String>,
}

/// The body.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyTransformation {
    /// What templates may know of the body.
    #[serde(default, rename = "parseAs")]
    pub parse_as: ParseAs,
    /// Template of the new body. None leaves the body as it is.
    #[serde(default)]
    pub value: Option<String>,
}

/// What templates may know of the body.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum ParseAs {
    /// Its text, by `body()`.
    #[default]
    AsString,
    /// Its text and, by name, the members of its JSON object.
    AsJson,
    /// Nothing; the body is neither held nor replaced.
    None,
}

/// One entry of dynamic metadata.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetadataTransformation {
    /// Namespace, mostly a filter's name in reverse-domain form.
    pub namespace: String,
    /// Key within the namespace.
    pub key: String,
    /// The value.
    pub value: MetadataValue,
}

/// Exactly one kind of value must be given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetadataValue {
    /// Template of a string.
    #[serde(default, rename = "stringValue")]
    pub string_value: Option<String>,
}
