//! `Gateway` (gateway.networking.k8s.io/v1).

use serde::{Deserialize, Serialize};

use super::meta::{Condition, LabelSelector, ObjectMeta};

/// A point where traffic enters, with its listeners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: GatewaySpec,
    /// What was seen last; not read.
    #[serde(default)]
    pub status: Option<serde_json::Value>,
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
    pub addresses: Vec<serde_json::Value>,
    /// Labels and annotations of what is provisioned.
    #[serde(default)]
    pub infrastructure: Option<serde_json::Value>,
    /// Which ListenerSets may attach.
    #[serde(default)]
    pub allowed_listeners: Option<serde_json::Value>,
    /// Client certificates of the Gateway's own.
    #[serde(default)]
    pub tls: Option<serde_json::Value>,
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
    pub tls: Option<serde_json::Value>,
    /// Which routes may attach.
    #[serde(default)]
    pub allowed_routes: Option<AllowedRoutes>,
    /// Filters that run before routing.
    #[serde(default)]
    pub filters: Option<serde_json::Value>,
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

/// `RouteNamespaces`.
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
    /// By listener.
    pub listeners: Vec<ListenerStatus>,
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
