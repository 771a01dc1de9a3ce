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

/// `SecretObjectReference`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretObjectReference {
    /// API group; core by default.
    #[serde(default)]
    pub group: Option<String>,
    /// Kind; `Secret` by default.
    #[serde(default)]
    pub kind: Option<String>,
    /// Name.
    pub name: String,
    /// Namespace; that of who refers by default.
    #[serde(default)]
    pub namespace: Option<String>,
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
