//! Virtual hosts and route configurations, put together from parts that are encoded already.
//!
//! A protobuf message is the concatenation of its fields, so a change to one route copies the bytes of the others and
//! encodes nothing twice. Field numbers are those of `envoy/config/route/v3`.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::route::v3::{RouteConfiguration, VirtualHost};
use envoy_types::pb::google::protobuf::{Any, BoolValue};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, string};

const ROUTE_NAME: u32 = 14;
const VIRTUAL_HOST_ROUTES: u32 = 3;
const ROUTE_CONFIGURATION_VIRTUAL_HOSTS: u32 = 2;

/// Collects the routes of a virtual host.
pub(crate) struct VirtualHostBuilder(Vec<u8>);

impl VirtualHostBuilder {
    /// A virtual host for one domain; an empty one stands for every host.
    pub(crate) fn new(domain: &str, per_filter: HashMap<String, Any>) -> Self {
        let domain = if domain.is_empty() { "*" } else { domain };
        let head = VirtualHost {
            name: domain.to_owned(),
            domains: vec![domain.to_owned()],
            typed_per_filter_config: per_filter,
            ..VirtualHost::default()
        };
        Self(head.encode_to_vec())
    }

    /// Appends a route: encoded without its name, and the name.
    pub(crate) fn route(&mut self, body: &[u8], name: &str) {
        let length = body.len() + string::encoded_len(ROUTE_NAME, &name.to_owned());
        encode_key(VIRTUAL_HOST_ROUTES, WireType::LengthDelimited, &mut self.0);
        encode_varint(length as u64, &mut self.0);
        self.0.extend_from_slice(body);
        string::encode(ROUTE_NAME, &name.to_owned(), &mut self.0);
    }
}

/// Collects the virtual hosts of a port.
pub(crate) struct RouteConfigurationBuilder(Vec<u8>);

impl RouteConfigurationBuilder {
    pub(crate) fn new(name: &str, per_filter: HashMap<String, Any>) -> Self {
        let head = RouteConfiguration {
            name: name.to_owned(),
            validate_clusters: Some(BoolValue { value: false }),
            ignore_port_in_host_matching: true,
            typed_per_filter_config: per_filter,
            ..RouteConfiguration::default()
        };
        Self(head.encode_to_vec())
    }

    pub(crate) fn virtual_host(&mut self, host: &VirtualHostBuilder) {
        encode_key(ROUTE_CONFIGURATION_VIRTUAL_HOSTS, WireType::LengthDelimited, &mut self.0);
        encode_varint(host.0.len() as u64, &mut self.0);
        self.0.extend_from_slice(&host.0);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}
