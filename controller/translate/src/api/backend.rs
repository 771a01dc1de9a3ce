//! `Backend` (gateway.kgateway.dev/v1alpha1): a destination that is no Service.

use serde::{Deserialize, Serialize};

use super::meta::{Condition, ObjectMeta, Unread};

/// A destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: BackendSpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `BackendSpec`: exactly one of the destinations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendSpec {
    /// `AWS`, `Static`, `DynamicForwardProxy`, `GCP` or `PriorityGroups`; must agree with the field that is set.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// AWS.
    pub aws: Option<serde_json::Value>,
    /// Fixed hosts.
    #[serde(rename = "static")]
    pub fixed: Option<StaticBackend>,
    /// The host that the request names.
    pub dynamic_forward_proxy: Option<serde_json::Value>,
    /// Google Cloud.
    pub gcp: Option<serde_json::Value>,
    /// Other Backends by priority.
    pub priority_groups: Option<serde_json::Value>,
}

/// `StaticBackend`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaticBackend {
    /// At least one.
    pub hosts: Vec<Host>,
    /// `http2`, `grpc`, `grpc-web`, `kubernetes.io/h2c` or `kubernetes.io/ws`.
    #[serde(default)]
    pub app_protocol: Option<String>,
}

/// `Host`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// IP address or DNS name.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// `BackendStatus`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// `Accepted`.
    pub conditions: Vec<Condition>,
}
