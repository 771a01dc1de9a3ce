//! `HTTPRoute` (gateway.networking.k8s.io/v1).

use serde::{Deserialize, Serialize};

use super::http_filter::{
    HTTPCORSFilter, HTTPExternalAuthFilter, HTTPRequestMirrorFilter, SessionPersistence,
};
use super::meta::{ObjectMeta, Unread};
use super::reference::LocalObjectReference;
use super::route::{ParentReference, RouteBackendRef};

/// Which HTTP requests go where, and what is changed on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HTTPRoute {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: HTTPRouteSpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `HTTPRouteSpec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPRouteSpec {
    /// Gateways and listeners to attach to.
    pub parent_refs: Vec<ParentReference>,
    /// Whether default Gateways are meant too.
    pub use_default_gateways: Option<String>,
    /// Host names; none for all of the listener's.
    pub hostnames: Vec<String>,
    /// Rules; one that takes all where none is given.
    pub rules: Vec<HTTPRouteRule>,
}

/// `HTTPRouteRule`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPRouteRule {
    /// Section name, for policies.
    pub name: Option<String>,
    /// Any of these; all requests where none is given.
    pub matches: Vec<HTTPRouteMatch>,
    /// What is changed, in this order.
    pub filters: Vec<HTTPRouteFilter>,
    /// Where to.
    pub backend_refs: Vec<HTTPBackendRef>,
    /// Time-outs.
    pub timeouts: Option<HTTPRouteTimeouts>,
    /// Retries.
    pub retry: Option<HTTPRouteRetry>,
    /// Sticky sessions.
    pub session_persistence: Option<Box<SessionPersistence>>,
}

/// `HTTPRouteRetry` (GEP-1731).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HTTPRouteRetry {
    /// Status codes to retry on, a set.
    pub codes: Vec<u16>,
    /// Retries; 1 by default, 0 for none.
    pub attempts: Option<u32>,
    /// Base interval between tries, a GEP-2257 duration.
    pub backoff: Option<String>,
}

/// `HTTPRouteTimeouts`; GEP-2257 durations, `0s` for none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPRouteTimeouts {
    /// Of the whole exchange.
    pub request: Option<String>,
    /// Of one try.
    pub backend_request: Option<String>,
}

/// `HTTPRouteMatch`: all of it must match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPRouteMatch {
    /// Path; prefix `/` by default.
    pub path: Option<HTTPPathMatch>,
    /// Header fields.
    pub headers: Vec<HTTPHeaderMatch>,
    /// Query parameters.
    pub query_params: Vec<HTTPHeaderMatch>,
    /// Method.
    pub method: Option<String>,
}

/// `HTTPPathMatch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HTTPPathMatch {
    /// `Exact`, `PathPrefix` (default) or `RegularExpression`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `/` by default.
    pub value: Option<String>,
}

/// `HTTPHeaderMatch` and `HTTPQueryParamMatch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HTTPHeaderMatch {
    /// `Exact` (default) or `RegularExpression`.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// Name.
    pub name: String,
    /// Value or expression.
    pub value: String,
}

/// `HTTPRouteFilter`: a type, and the field of that type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPRouteFilter {
    /// `RequestHeaderModifier`, `ResponseHeaderModifier`, `RequestRedirect`, `URLRewrite`, `RequestMirror`, `CORS`,
    /// `ExternalAuth` or `ExtensionRef`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Edits of the request's header section.
    pub request_header_modifier: Option<HTTPHeaderFilter>,
    /// Edits of the response's header section.
    pub response_header_modifier: Option<HTTPHeaderFilter>,
    /// An answer that sends the client elsewhere.
    pub request_redirect: Option<Box<HTTPRequestRedirectFilter>>,
    /// Edits of host name and path.
    pub url_rewrite: Option<Box<HTTPURLRewriteFilter>>,
    /// A second backend that gets a copy.
    pub request_mirror: Option<Box<HTTPRequestMirrorFilter>>,
    /// Cross-origin sharing.
    pub cors: Option<Box<HTTPCORSFilter>>,
    /// A service that is asked first.
    pub external_auth: Option<Box<HTTPExternalAuthFilter>>,
    /// An object of another kind, such as a TrafficPolicy.
    pub extension_ref: Option<LocalObjectReference>,
}

/// `HTTPHeaderFilter`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HTTPHeaderFilter {
    /// Replaced.
    pub set: Vec<HTTPHeader>,
    /// Appended.
    pub add: Vec<HTTPHeader>,
    /// Removed.
    pub remove: Vec<String>,
}

/// `HTTPHeader`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HTTPHeader {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// `HTTPRequestRedirectFilter`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPRequestRedirectFilter {
    /// `http` or `https`; the request's own by default.
    pub scheme: Option<String>,
    /// Host name; the request's own by default.
    pub hostname: Option<String>,
    /// Path; the request's own by default.
    pub path: Option<HTTPPathModifier>,
    /// Port; see the API for its default.
    pub port: Option<u16>,
    /// 301, 302 (default), 303, 307 or 308.
    pub status_code: Option<u16>,
}

/// `HTTPURLRewriteFilter`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HTTPURLRewriteFilter {
    /// New host name.
    pub hostname: Option<String>,
    /// New path.
    pub path: Option<HTTPPathModifier>,
}

/// `HTTPPathModifier`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPPathModifier {
    /// `ReplaceFullPath` or `ReplacePrefixMatch`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For `ReplaceFullPath`.
    pub replace_full_path: Option<String>,
    /// For `ReplacePrefixMatch`.
    pub replace_prefix_match: Option<String>,
}

/// `HTTPBackendRef`: a backend with its share of requests, and what is changed for it only.
pub type HTTPBackendRef = RouteBackendRef<HTTPRouteFilter>;
