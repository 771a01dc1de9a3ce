//! `Gateway` (gateway.networking.k8s.io/v1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::http_filter::{ListenerFilters, ListenerTLSConfig};
use super::meta::{Condition, LabelSelector, ObjectMeta, Unread};
use super::reference::{LocalObjectReference, ObjectReference, UsualObjectReference};

/// A point where traffic enters, with its listeners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: GatewaySpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `GatewaySpec`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySpec {
    /// Name of the GatewayClass.
    pub gateway_class_name: String,
    /// At least one.
    #[serde(default)]
    pub listeners: Vec<Listener>,
    /// Wanted addresses.
    #[serde(default)]
    pub addresses: Vec<GatewaySpecAddress>,
    /// Labels and annotations of what is provisioned.
    #[serde(default)]
    pub infrastructure: Option<GatewayInfrastructure>,
    /// Which ListenerSets may attach.
    #[serde(default)]
    pub allowed_listeners: Option<AllowedListeners>,
    /// Certificates that are the Gateway's own.
    #[serde(default)]
    pub tls: Option<GatewayTLSConfig>,
    /// Whether this Gateway is the default one.
    #[serde(default)]
    pub default_scope: Option<String>,
}

/// `Listener`: a port, and the host names served on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Section name, unique in the Gateway.
    pub name: String,
    /// Host name, `*.` wildcards allowed; none for all.
    #[serde(default)]
    pub hostname: Option<String>,
    /// 1 to 65535.
    pub port: u16,
    /// `HTTP`, `HTTPS`, `TLS`, `TCP`, `UDP` or a domain-prefixed one.
    pub protocol: String,
    /// TLS settings.
    #[serde(default)]
    pub tls: Option<ListenerTLSConfig>,
    /// Which routes may attach.
    #[serde(default)]
    pub allowed_routes: Option<AllowedRoutes>,
    /// Filters that run before routing.
    #[serde(default)]
    pub filters: Option<ListenerFilters>,
}

/// `AllowedRoutes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllowedRoutes {
    /// From which namespaces; the Gateway's own by default.
    pub namespaces: Option<RouteNamespaces>,
    /// Which kinds; what the protocol can carry by default.
    pub kinds: Vec<RouteGroupKind>,
}

/// `AllowedListeners`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllowedListeners {
    /// From which namespaces; none by default.
    pub namespaces: Option<RouteNamespaces>,
}

/// `GatewaySpecAddress`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewaySpecAddress {
    /// `IPAddress` (default), `Hostname` or a domain-prefixed type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The address; empty for any.
    pub value: String,
    /// From where it can be reached.
    pub routability: Option<String>,
}

/// `GatewayInfrastructure`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayInfrastructure {
    /// Put on what is provisioned.
    pub labels: BTreeMap<String, String>,
    /// Put on what is provisioned.
    pub annotations: BTreeMap<String, String>,
    /// Where parameters are.
    pub parameters_ref: Option<LocalObjectReference>,
}

/// `GatewayTLSConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayTLSConfig {
    /// Towards backends.
    pub backend: Option<GatewayBackendTLS>,
    /// Towards clients.
    pub frontend: Option<FrontendTLSConfig>,
}

/// `GatewayBackendTLS`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayBackendTLS {
    /// The Gateway's own certificate.
    pub client_certificate_ref: Option<UsualObjectReference>,
}

/// `FrontendTLSConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FrontendTLSConfig {
    /// For all ports that have none of their own.
    pub default: TLSConfig,
    /// For some ports.
    pub per_port: Vec<TLSPortConfig>,
}

/// `TLSPortConfig`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TLSPortConfig {
    /// Port.
    pub port: u16,
    /// Its settings.
    pub tls: TLSConfig,
}

/// `TLSConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TLSConfig {
    /// How clients' certificates are checked.
    pub validation: Option<FrontendTLSValidation>,
}

/// `FrontendTLSValidation`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FrontendTLSValidation {
    /// Authorities.
    pub ca_certificate_refs: Vec<ObjectReference>,
    /// `AllowValidOnly` (default) or `AllowInsecureFallback`.
    pub mode: Option<String>,
}

/// `RouteNamespaces` and `ListenerNamespaces`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteNamespaces {
    /// `All`, `Same`, `Selector` or `None`.
    pub from: Option<String>,
    /// For `Selector`.
    pub selector: Option<LabelSelector>,
}

/// `RouteGroupKind`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteGroupKind {
    /// API group; Gateway API's own by default.
    #[serde(default = "gateway_group")]
    pub group: String,
    /// Kind.
    pub kind: String,
}

fn gateway_group() -> String {
    super::meta::GATEWAY_GROUP.to_owned()
}

/// `GatewayStatus`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// `Accepted`, `Programmed`.
    pub conditions: Vec<Condition>,
    /// ListenerSets accepted on it.
    #[serde(default)]
    pub attached_listener_sets: i32,
    /// By listener.
    pub listeners: Vec<ListenerStatus>,
    /// Where its proxies can be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewayStatusAddress>,
}

/// `GatewayStatusAddress`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayStatusAddress {
    /// `IPAddress` or `Hostname`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The address.
    pub value: String,
    /// From where it can be reached; empty where nothing is said about that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub routability: String,
}

/// `ListenerStatus`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    /// Section name.
    pub name: String,
    /// Kinds of route that it takes.
    pub supported_kinds: Vec<RouteGroupKind>,
    /// Routes accepted on it.
    pub attached_routes: i32,
    /// `Accepted`, `Programmed`, `ResolvedRefs`, `Conflicted`.
    pub conditions: Vec<Condition>,
}
