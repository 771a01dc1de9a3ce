//! `CachePolicy` (ferrule.dev/v1alpha1): how responses of its targets are cached.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::{ObjectMeta, Unread};
use super::traffic_policy::{TargetReference, TargetSelector};

/// A policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CachePolicy {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: CachePolicySpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `CachePolicySpec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CachePolicySpec {
    /// Objects of this namespace.
    #[serde(default)]
    pub target_refs: Vec<TargetReference>,
    /// Objects of this namespace by label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_selectors: Vec<TargetSelector>,
    /// Fields of the cache filter's configuration, which checks them.
    #[serde(flatten)]
    pub cache: Map<String, Value>,
}
