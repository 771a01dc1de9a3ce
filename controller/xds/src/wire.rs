//! The protobuf messages of delta ADS, reduced to the fields that are used.
//!
//! Wire-compatible with `envoy.service.discovery.v3` (a test holds them against `envoy-types`), but bodies are
//! [`Bytes`], so a response shares them instead of copying, and what a node says about itself beyond its name is
//! skipped while decoding, not stored.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use crate::subscription::{Request, Response};
use crate::{Kind, Resource};

/// `DeltaDiscoveryRequest`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeltaDiscoveryRequest {
    #[prost(message, optional, tag = "1")]
    pub(crate) node: Option<Node>,
    #[prost(string, tag = "2")]
    pub(crate) type_url: String,
    #[prost(string, repeated, tag = "3")]
    pub(crate) resource_names_subscribe: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    pub(crate) resource_names_unsubscribe: Vec<String>,
    #[prost(map = "string, string", tag = "5")]
    pub(crate) initial_resource_versions: HashMap<String, String>,
    #[prost(string, tag = "6")]
    pub(crate) response_nonce: String,
    #[prost(message, optional, tag = "7")]
    pub(crate) error_detail: Option<ErrorDetail>,
}

/// `envoy.config.core.v3.Node`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Node {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) cluster: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ErrorDetail {
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}

/// `DeltaDiscoveryResponse`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeltaDiscoveryResponse {
    #[prost(message, repeated, tag = "2")]
    pub(crate) resources: Vec<WireResource>,
    #[prost(string, tag = "4")]
    pub(crate) type_url: String,
    #[prost(string, tag = "5")]
    pub(crate) nonce: String,
    #[prost(string, repeated, tag = "6")]
    pub(crate) removed_resources: Vec<String>,
}

/// `Resource`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct WireResource {
    #[prost(string, tag = "1")]
    pub(crate) version: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) resource: Option<Any>,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
}

/// `google.protobuf.Any`. The type URL is a string on the wire, which is encoded as bytes are.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) type_url: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) value: Bytes,
}

impl DeltaDiscoveryRequest {
    /// The request in the state machine's terms; `None` if its type is not served.
    pub(crate) fn into_request(self) -> Option<Request> {
        let kind = Kind::from_type_url(&self.type_url)?;
        Some(Request {
            kind,
            subscribe: names(self.resource_names_subscribe),
            unsubscribe: names(self.resource_names_unsubscribe),
            initial_versions: self.initial_resource_versions.into_iter().map(parse_version).collect(),
            // Our nonces are numbers from 1 on: anything else is none of ours.
            nonce: (!self.response_nonce.is_empty()).then(|| self.response_nonce.parse().unwrap_or(0)),
            error: self.error_detail.map(|detail| detail.message),
        })
    }
}

fn names(names: Vec<String>) -> Vec<Arc<str>> {
    names.into_iter().map(Arc::from).collect()
}

fn parse_version((name, version): (String, String)) -> (Arc<str>, Option<u64>) {
    let parsed = u64::from_str_radix(&version, 16).ok().filter(|number| print_version(*number) == version);
    (name.into(), parsed)
}

fn print_version(version: u64) -> String {
    format!("{version:016x}")
}

impl From<Response> for DeltaDiscoveryResponse {
    fn from(response: Response) -> Self {
        let kind = response.kind;
        Self {
            resources: response.resources.into_iter().map(|resource| wire_resource(kind, resource)).collect(),
            type_url: kind.type_url().to_owned(),
            nonce: response.nonce.to_string(),
            removed_resources: response.removed.iter().map(ToString::to_string).collect(),
        }
    }
}

fn wire_resource(kind: Kind, resource: Resource) -> WireResource {
    let any = Any { type_url: Bytes::from_static(kind.type_url().as_bytes()), value: resource.body };
    WireResource {
        version: print_version(resource.version),
        resource: Some(any),
        name: resource.name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3 as core;
    use envoy_types::pb::envoy::service::discovery::v3 as pb;
    use envoy_types::pb::google::rpc::Status;

    use super::*;

    #[test]
    fn responses_read_as_envoy_reads_them() {
        let resource = Resource { name: "store".into(), version: 0xab, body: Bytes::from_static(b"body") };
        let response = Response {
            kind: Kind::Cluster,
            nonce: 7,
            resources: vec![resource],
            removed: vec!["old".into()],
        };
        let bytes = DeltaDiscoveryResponse::from(response).encode_to_vec();
        let read = pb::DeltaDiscoveryResponse::decode(&*bytes).unwrap();
        assert_eq!(read.type_url, Kind::Cluster.type_url());
        assert_eq!(read.nonce, "7");
        assert_eq!(read.removed_resources, ["old"]);
        assert_eq!(read.resources[0].name, "store");
        assert_eq!(read.resources[0].version, "00000000000000ab");
        let any = read.resources[0].resource.as_ref().unwrap();
        assert_eq!((any.type_url.as_str(), any.value.as_slice()), (Kind::Cluster.type_url(), &b"body"[..]));
        assert_eq!(read.encode_to_vec(), bytes);
    }

    #[test]
    fn requests_are_read_as_envoy_writes_them() {
        let initial = [("a", "00000000000000ab"), ("b", "7"), ("c", "ünversion")];
        let request = pb::DeltaDiscoveryRequest {
            node: Some(core::Node { id: "id".into(), cluster: "ns/gw".into(), ..Default::default() }),
            type_url: Kind::Routes.type_url().into(),
            resource_names_subscribe: vec!["a".into()],
            resource_names_unsubscribe: vec!["z".into()],
            initial_resource_versions: initial.map(|(n, v)| (n.into(), v.into())).into(),
            response_nonce: "12".into(),
            error_detail: Some(Status { code: 13, message: "no".into(), details: Vec::new() }),
            ..Default::default()
        };
        let wire = DeltaDiscoveryRequest::decode(&*request.encode_to_vec()).unwrap();
        assert_eq!(wire.node, Some(Node { id: "id".into(), cluster: "ns/gw".into() }));
        let mut read = wire.into_request().unwrap();
        read.initial_versions.sort();
        assert_eq!(read.kind, Kind::Routes);
        assert_eq!((read.subscribe, read.unsubscribe), (vec!["a".into()], vec!["z".into()]));
        assert_eq!(read.initial_versions, [("a".into(), Some(0xab)), ("b".into(), None), ("c".into(), None)]);
        assert_eq!((read.nonce, read.error.as_deref()), (Some(12), Some("no")));
    }

    #[test]
    fn a_nonce_that_is_not_ours_is_stale_and_no_nonce_is_none() {
        let request = |nonce: &str| DeltaDiscoveryRequest {
            type_url: Kind::Cluster.type_url().into(),
            response_nonce: nonce.into(),
            ..Default::default()
        };
        assert_eq!(request("").into_request().unwrap().nonce, None);
        assert_eq!(request("garbage").into_request().unwrap().nonce, Some(0));
    }

    #[test]
    fn a_body_is_shared_not_copied() {
        let body = Bytes::from(vec![1; 1024]);
        let resource = Resource { name: "r".into(), version: 1, body: body.clone() };
        let wire = wire_resource(Kind::Routes, resource);
        assert_eq!(wire.resource.unwrap().value.as_ptr(), body.as_ptr());
    }
}
