//! `EndpointSlice` (discovery.k8s.io/v1): the addresses behind a Service.

use serde::{Deserialize, Serialize};

use super::meta::{ObjectMeta, null_as_empty};

/// Label that names the Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Some endpoints of a Service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSlice {
    /// Metadata; the label [`SERVICE_NAME`] says whose endpoints these are.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// `IPv4`, `IPv6` or `FQDN`.
    pub address_type: String,
    /// Endpoints.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub endpoints: Vec<Endpoint>,
    /// Ports that all of them have.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub ports: Vec<EndpointPort>,
}

/// `Endpoint`, the part that matters here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Addresses; all mean the same endpoint.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub addresses: Vec<String>,
    /// Whether it serves.
    #[serde(default)]
    pub conditions: EndpointConditions,
}

/// `EndpointConditions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointConditions {
    /// Takes new connections; unknown means yes.
    pub ready: Option<bool>,
    /// Could serve if nothing is ready.
    pub serving: Option<bool>,
    /// On its way out.
    pub terminating: Option<bool>,
}

/// `EndpointPort`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointPort {
    /// Name of the Service's port.
    #[serde(default)]
    pub name: Option<String>,
    /// Port.
    #[serde(default)]
    pub port: Option<u16>,
    /// Transport protocol.
    #[serde(default)]
    pub protocol: Option<String>,
    /// Application protocol.
    #[serde(default)]
    pub app_protocol: Option<String>,
}
