//! `TLSRoute`, `TCPRoute` and `UDPRoute` (gateway.networking.k8s.io/v1): routes below HTTP, of one shape.

use serde::{Deserialize, Serialize};

use super::meta::{ObjectMeta, Unread};
use super::route::ParentReference;

/// Which connections, by the host name that the client asks for (SNI), go where.
pub type TLSRoute = StreamRoute<0>;
/// Where connections go.
pub type TCPRoute = StreamRoute<1>;
/// Where datagrams go.
pub type UDPRoute = StreamRoute<2>;

/// A route below HTTP. The number tells the kinds apart, which have the same fields but for `hostnames`, which only a
/// [`TLSRoute`] has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamRoute<const KIND: u8> {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: StreamRouteSpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `TLSRouteSpec`, `TCPRouteSpec` and `UDPRouteSpec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StreamRouteSpec {
    /// Gateways, ListenerSets and listeners to attach to.
    pub parent_refs: Vec<ParentReference>,
    /// Whether default Gateways are meant too.
    pub use_default_gateways: Option<String>,
    /// Names that clients ask for by SNI.
    pub hostnames: Vec<String>,
    /// One rule.
    pub rules: Vec<StreamRouteRule>,
}

/// `TLSRouteRule`, `TCPRouteRule` and `UDPRouteRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StreamRouteRule {
    /// Section name, for policies.
    pub name: Option<String>,
    /// Where to.
    pub backend_refs: Vec<BackendRef>,
}

/// `BackendRef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendRef {
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
    /// Share of connections; 1 by default, 0 for none.
    pub weight: Option<u32>,
}
