//! Virtual hosts and route configurations, put together from parts that are encoded already.
//!
//! A protobuf message is the concatenation of its fields, so a change to one route copies the bytes of the others and
//! encodes nothing twice. Field numbers are those of `envoy/config/route/v3`.

use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::google::protobuf::BoolValue;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::per_filter::{self, OF_ROUTE, OF_ROUTE_CONFIGURATION, OF_VIRTUAL_HOST, PerFilter, bytes as put};

const ROUTE_NAME: u32 = 14;
const VIRTUAL_HOST_NAME: u32 = 1;
const VIRTUAL_HOST_DOMAINS: u32 = 2;
const VIRTUAL_HOST_ROUTES: u32 = 3;
const ROUTE_CONFIGURATION_VIRTUAL_HOSTS: u32 = 2;

/// Bytes that a virtual host with one route fits into, as a rule.
const ROOM: usize = 256;

/// Collects the routes of a virtual host.
pub(crate) struct VirtualHostBuilder(Vec<u8>);

impl VirtualHostBuilder {
    /// A virtual host of that name for one domain; `*` stands for every host.
    pub(crate) fn new(name: &str, domain: &str, filters: &PerFilter) -> Self {
        let mut encoded = Vec::with_capacity(ROOM);
        put(VIRTUAL_HOST_NAME, name.as_bytes(), &mut encoded);
        put(VIRTUAL_HOST_DOMAINS, domain.as_bytes(), &mut encoded);
        per_filter::put(OF_VIRTUAL_HOST, filters, &mut encoded);
        Self(encoded)
    }

    /// Appends a route: encoded without its name, the name, and configuration of filters besides that in the route.
    pub(crate) fn route(&mut self, body: &[u8], name: &str, filters: &PerFilter) {
        let mut more = Vec::new();
        per_filter::put(OF_ROUTE, filters, &mut more);
        let name_length = key_len(ROUTE_NAME) + encoded_len_varint(name.len() as u64) + name.len();
        head(VIRTUAL_HOST_ROUTES, body.len() + more.len() + name_length, &mut self.0);
        self.0.extend_from_slice(body);
        self.0.extend_from_slice(&more);
        put(ROUTE_NAME, name.as_bytes(), &mut self.0);
    }
}

/// Opens a field of that length.
fn head(field: u32, length: usize, into: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, into);
    encode_varint(length as u64, into);
}

/// Collects the virtual hosts of a port, or the one of a table.
pub(crate) struct RouteConfigurationBuilder(Vec<u8>);

impl RouteConfigurationBuilder {
    /// A route configuration of that name. `hidden` are header fields that upstreams do not see.
    pub(crate) fn new(name: &str, filters: &PerFilter, hidden: &[&str]) -> Self {
        let head = RouteConfiguration {
            name: name.to_owned(),
            validate_clusters: Some(BoolValue { value: false }),
            ignore_port_in_host_matching: true,
            request_headers_to_remove: hidden.iter().map(|name| (*name).to_owned()).collect(),
            ..RouteConfiguration::default()
        };
        let mut encoded = head.encode_to_vec();
        per_filter::put(OF_ROUTE_CONFIGURATION, filters, &mut encoded);
        Self(encoded)
    }

    pub(crate) fn virtual_host(&mut self, host: &VirtualHostBuilder) {
        put(ROUTE_CONFIGURATION_VIRTUAL_HOSTS, &host.0, &mut self.0);
    }

    /// The encoded configuration, in no more room than it takes: there are thousands.
    pub(crate) fn finish(self) -> Box<[u8]> {
        self.0.into_boxed_slice()
    }
}
