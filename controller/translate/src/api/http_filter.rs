//! Filters of `HTTPRoute` (gateway.networking.k8s.io/v1) that are read in full so that mistakes in them are told, though
//! not all are served.

use serde::{Deserialize, Serialize};

use super::reference::{BackendObjectReference, LocalObjectReference, UsualObjectReference};

/// `HTTPRequestMirrorFilter`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HTTPRequestMirrorFilter {
    /// Who gets the copy.
    pub backend_ref: BackendObjectReference,
    /// Share of requests in percent.
    #[serde(default)]
    pub percent: Option<i32>,
    /// Share of requests.
    #[serde(default)]
    pub fraction: Option<Fraction>,
}

/// `Fraction`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fraction {
    /// Above the line.
    pub numerator: i32,
    /// Below the line; 100 by default.
    #[serde(default)]
    pub denominator: Option<i32>,
}

/// `HTTPCORSFilter`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPCORSFilter {
    /// Origins, `*` for all.
    pub allow_origins: Vec<String>,
    /// Whether credentials may be sent.
    pub allow_credentials: Option<bool>,
    /// Methods, `*` for all.
    pub allow_methods: Vec<String>,
    /// Header fields, `*` for all.
    pub allow_headers: Vec<String>,
    /// Header fields that scripts may read.
    pub expose_headers: Vec<String>,
    /// How long browsers may remember, seconds.
    pub max_age: Option<i32>,
}

/// `HTTPExternalAuthFilter`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPExternalAuthFilter {
    /// `GRPC` or `HTTP`.
    pub protocol: String,
    /// Who is asked.
    pub backend_ref: BackendObjectReference,
    /// For `GRPC`.
    pub grpc: Option<GRPCAuthConfig>,
    /// For `HTTP`.
    pub http: Option<HTTPAuthConfig>,
    /// How much of the body is sent along.
    pub forward_body: Option<ForwardBodyConfig>,
}

/// `GRPCAuthConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GRPCAuthConfig {
    /// Header fields that are sent.
    pub allowed_headers: Vec<String>,
}

/// `HTTPAuthConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPAuthConfig {
    /// Prefix of the path.
    pub path: String,
    /// Header fields that are sent.
    pub allowed_headers: Vec<String>,
    /// Header fields that come back.
    pub allowed_response_headers: Vec<String>,
}

/// `ForwardBodyConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ForwardBodyConfig {
    /// Bytes.
    pub max_size: i32,
}

/// `SessionPersistence`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionPersistence {
    /// Longest life of a session, a GEP-2257 duration.
    pub absolute_timeout: Option<String>,
    /// `Cookie` (default) or `Header`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// For `Cookie`.
    pub cookie: Option<CookieConfig>,
    /// For `Header`.
    pub header: Option<HeaderConfig>,
}

/// `CookieConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CookieConfig {
    /// Name.
    pub name: Option<String>,
    /// Path.
    pub path: Option<String>,
    /// `Session` (default) or `Permanent`.
    pub lifetime_type: Option<String>,
}

/// `HeaderConfig`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderConfig {
    /// Name.
    pub name: String,
}

/// `ListenerFilters`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListenerFilters {
    /// Run before routing, in this order.
    pub requests: Vec<ListenerFilter>,
}

/// `ListenerFilter`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerFilter {
    /// `ExternalAuth` or `ExtensionRef`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A service that is asked first.
    pub external_auth: Option<HTTPExternalAuthFilter>,
    /// An object of another kind.
    pub extension_ref: Option<LocalObjectReference>,
}

/// `ListenerTLSConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerTLSConfig {
    /// `Terminate` (default) or `Passthrough`.
    pub mode: Option<String>,
    /// Certificates.
    pub certificate_refs: Vec<UsualObjectReference>,
    /// For implementations.
    pub options: std::collections::BTreeMap<String, String>,
}
