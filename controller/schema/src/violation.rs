//! What is wrong with an object.

use std::fmt;

use crate::path::Path;

/// A field and why an API server would refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, as `spec.rules[0].name`; empty for the object as a whole.
    pub path: String,
    /// For people.
    pub message: String,
    /// What sort of thing it is.
    pub cause: Cause,
}

/// The sorts of `field.Error` in `k8s.io/apimachinery`, and unknown fields, which strict field validation refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Cause {
    UnknownField,
    Required,
    Type,
    NotSupported,
    TooLong,
    TooMany,
    Duplicate,
    Forbidden,
    Invalid,
}

impl Cause {
    /// Whether CEL rules are not run because of it (`hasBlockingErr` of the API server).
    pub(crate) fn blocks_rules(self) -> bool {
        matches!(self, Self::Required | Self::Type | Self::NotSupported | Self::TooLong | Self::TooMany)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Collects violations.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Violation>);

impl Findings {
    pub(crate) fn add(&mut self, path: Path<'_>, cause: Cause, message: impl Into<String>) {
        self.push(path.to_string(), cause, message);
    }

    pub(crate) fn push(&mut self, path: String, cause: Cause, message: impl Into<String>) {
        self.0.push(Violation { path, message: message.into(), cause });
    }

    pub(crate) fn block_rules(&self) -> bool {
        self.0.iter().any(|violation| violation.cause.blocks_rules())
    }

    pub(crate) fn into_vec(self) -> Vec<Violation> {
        self.0
    }
}
