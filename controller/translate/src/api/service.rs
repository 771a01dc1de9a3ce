//! `Service` (v1): the ports that backends are reached by.

use serde::{Deserialize, Serialize};

use super::meta::ObjectMeta;

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: ServiceSpec,
    /// Not read.
    #[serde(default)]
    pub status: Option<serde_json::Value>,
}

/// `ServiceSpec`: the ports; other fields concern Kubernetes alone and are kept unread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Ports.
    #[serde(default)]
    pub ports: Vec<ServicePort>,
    /// What else is there.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// `ServicePort`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// Name; may be left out where there is one port only.
    #[serde(default)]
    pub name: Option<String>,
    /// Port.
    pub port: u16,
    /// Application protocol, such as `kubernetes.io/h2c`.
    #[serde(default)]
    pub app_protocol: Option<String>,
    /// What else is there.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}
