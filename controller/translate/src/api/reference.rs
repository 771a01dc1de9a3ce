//! How objects name each other (gateway.networking.k8s.io/v1).

use serde::{Deserialize, Serialize};

/// `LocalObjectReference`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalObjectReference {
    /// API group.
    #[serde(default)]
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// `ObjectReference` and `ParametersReference`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectReference {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; that of who refers by default.
    #[serde(default)]
    pub namespace: Option<String>,
}

/// `SecretObjectReference` and `ParentGatewayReference`: group and kind are what the field is for unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsualObjectReference {
    /// API group.
    #[serde(default)]
    pub group: Option<String>,
    /// Kind.
    #[serde(default)]
    pub kind: Option<String>,
    /// Name.
    pub name: String,
    /// Namespace; that of who refers by default.
    #[serde(default)]
    pub namespace: Option<String>,
}

impl UsualObjectReference {
    /// Group and kind, where the field is for these.
    pub fn kind_or<'a>(&'a self, group: &'a str, kind: &'a str) -> (&'a str, &'a str) {
        (self.group.as_deref().unwrap_or(group), self.kind.as_deref().unwrap_or(kind))
    }
}

/// `BackendObjectReference`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendObjectReference {
    /// API group; empty, the default, for core.
    pub group: Option<String>,
    /// Kind; `Service` by default.
    pub kind: Option<String>,
    /// Name.
    pub name: String,
    /// Namespace; the route's own by default.
    pub namespace: Option<String>,
    /// Port; required for a Service.
    pub port: Option<u16>,
}
