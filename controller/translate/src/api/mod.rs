//! The resources that the translator reads, a file a kind, with the names of their Go API types.
//!
//! Unknown fields are not errors here: an API server may be newer than we are. [`crate::Object::parse`] lists them.

pub mod aws_signing_policy;
pub mod backend;
pub mod backend_tls_policy;
pub mod cache_policy;
pub mod cluster_trust_bundle;
pub mod config_map;
pub mod endpoint_slice;
pub mod gateway;
pub mod gateway_class;
pub mod gateway_parameters;
pub mod grpc_route;
pub mod http_filter;
pub mod http_route;
pub mod lambda_policy;
pub mod listener_set;
pub mod meta;
pub mod namespace;
pub mod reference;
pub mod reference_grant;
pub mod route;
pub mod secret;
pub mod service;
pub mod stream_route;
pub mod traffic_policy;
