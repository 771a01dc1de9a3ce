//! `Namespace` (v1): its labels select whose routes may attach.

use serde::{Deserialize, Serialize};

use super::meta::ObjectMeta;

/// A namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// Not read.
    #[serde(default)]
    pub spec: Option<serde_json::Value>,
    /// Not read.
    #[serde(default)]
    pub status: Option<serde_json::Value>,
}
