//! `GRPCRoute` (gateway.networking.k8s.io/v1).

use serde::{Deserialize, Serialize};

use super::http_filter::{HTTPRequestMirrorFilter, SessionPersistence};
use super::http_route::{HTTPHeaderFilter, HTTPHeaderMatch};
use super::meta::{ObjectMeta, Unread};
use super::reference::LocalObjectReference;
use super::route::{ParentReference, RouteBackendRef};

/// Which gRPC calls go where, and what is changed on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GRPCRoute {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: GRPCRouteSpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `GRPCRouteSpec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GRPCRouteSpec {
    /// Gateways, ListenerSets and listeners to attach to.
    pub parent_refs: Vec<ParentReference>,
    /// Whether default Gateways are meant too.
    pub use_default_gateways: Option<String>,
    /// Host names; none for all of the listener's.
    pub hostnames: Vec<String>,
    /// Rules.
    pub rules: Vec<GRPCRouteRule>,
}

/// `GRPCRouteRule`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GRPCRouteRule {
    /// Section name, for policies.
    pub name: Option<String>,
    /// Any of these; all calls where none is given.
    pub matches: Vec<GRPCRouteMatch>,
    /// What is changed, in this order.
    pub filters: Vec<GRPCRouteFilter>,
    /// Where to.
    pub backend_refs: Vec<GRPCBackendRef>,
    /// Sticky sessions.
    pub session_persistence: Option<Box<SessionPersistence>>,
}

/// `GRPCRouteMatch`: all of it must match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GRPCRouteMatch {
    /// Service and method.
    pub method: Option<GRPCMethodMatch>,
    /// Header fields.
    pub headers: Vec<HTTPHeaderMatch>,
}

/// `GRPCMethodMatch`: at least one of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GRPCMethodMatch {
    /// `Exact` (default) or `RegularExpression`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Service, with its package; none for all.
    pub service: Option<String>,
    /// Method; none for all.
    pub method: Option<String>,
}

/// `GRPCRouteFilter`: a type, and the field of that type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GRPCRouteFilter {
    /// `RequestHeaderModifier`, `ResponseHeaderModifier`, `RequestMirror` or `ExtensionRef`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Edits of the request's header section.
    pub request_header_modifier: Option<HTTPHeaderFilter>,
    /// Edits of the response's header section.
    pub response_header_modifier: Option<HTTPHeaderFilter>,
    /// A second backend that gets a copy.
    pub request_mirror: Option<Box<HTTPRequestMirrorFilter>>,
    /// An object of another kind, such as a TrafficPolicy.
    pub extension_ref: Option<LocalObjectReference>,
}

/// `GRPCBackendRef`: a backend with its share of calls, and what is changed for it only.
pub type GRPCBackendRef = RouteBackendRef<GRPCRouteFilter>;
