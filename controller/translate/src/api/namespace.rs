//! `Namespace` (v1): its labels select whose routes may attach.

use serde::{Deserialize, Serialize};

use super::meta::{ObjectMeta, Unread};

/// A namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub spec: Unread,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}
