//! What routes of all kinds share (gateway.networking.k8s.io/v1): parents, backends, and the status by parent.

use serde::{Deserialize, Serialize};

use super::meta::Condition;

/// `ParentReference`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentReference {
    /// API group; Gateway API's own by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Kind; `Gateway` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Namespace; the route's own by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// One listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
    /// Listeners on this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// `HTTPBackendRef` and `GRPCBackendRef`, which differ in their filters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteBackendRef<Filter> {
    /// API group; empty, the default, for core.
    #[serde(default)]
    pub group: Option<String>,
    /// Kind; `Service` by default.
    #[serde(default)]
    pub kind: Option<String>,
    /// Name.
    pub name: String,
    /// Namespace; the route's own by default.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Port; required for a Service.
    #[serde(default)]
    pub port: Option<u16>,
    /// Share of requests; 1 by default, 0 for none.
    #[serde(default)]
    pub weight: Option<u32>,
    /// What is changed for this backend only.
    #[serde(default = "Vec::new")]
    pub filters: Vec<Filter>,
}

/// `RouteStatus`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// By parent.
    pub parents: Vec<RouteParentStatus>,
}

/// `RouteParentStatus`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteParentStatus {
    /// As the route wrote it.
    pub parent_ref: ParentReference,
    /// Whose entry this is.
    pub controller_name: String,
    /// `Accepted`, `ResolvedRefs`.
    pub conditions: Vec<Condition>,
}
