//! `LambdaPolicy` (ferrule.dev/v1alpha1): how the function of a Backend is called, beyond what kgateway's `Backend` can say.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::{ObjectMeta, Unread};
use super::traffic_policy::TargetReference;

/// A policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LambdaPolicy {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: LambdaPolicySpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `LambdaPolicySpec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LambdaPolicySpec {
    /// Backends of type AWS, of this namespace.
    #[serde(default)]
    pub target_refs: Vec<TargetReference>,
    /// Invoke URL of the function (`https://ID.lambda-url.REGION.on.aws`): requests go there as they are, signed, instead of being
    /// turned into calls.
    #[serde(default, rename = "functionURL", skip_serializing_if = "Option::is_none")]
    pub function_url: Option<String>,
    /// Fields of the lambda filter's configuration, which checks them; they take the place of the Backend's.
    #[serde(flatten)]
    pub call: Map<String, Value>,
}
