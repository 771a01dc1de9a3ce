//! `Service` (v1): the ports that backends are reached by.

use serde::{Deserialize, Serialize};

use super::meta::{ObjectMeta, Unread};

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
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `ServiceSpec`, the part that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// `ClusterIP` (default), `NodePort`, `LoadBalancer` or `ExternalName`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Ports.
    pub ports: Vec<ServicePort>,
}

/// `ServicePort`, the part that matters here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// Name; may be left out where there is one port only.
    #[serde(default)]
    pub name: Option<String>,
    /// Port.
    pub port: u16,
    /// `TCP` (default), `UDP` or `SCTP`.
    #[serde(default)]
    pub protocol: Option<String>,
    /// Application protocol, such as `kubernetes.io/h2c`.
    #[serde(default)]
    pub app_protocol: Option<String>,
}
