//! Backends -> clusters and endpoints.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use envoy_types::pb::envoy::config::cluster::v3::circuit_breakers::Thresholds;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, DiscoveryType, DnsLookupFamily, EdsClusterConfig,
};
use envoy_types::pb::envoy::config::cluster::v3::{CircuitBreakers, Cluster};
use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{
    Address, AggregatedConfigSource, ApiVersion, ConfigSource, Http2ProtocolOptions, SocketAddress,
};
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions,
};
use envoy_types::pb::google::protobuf::{Any, Duration, UInt32Value};

use super::{any, upstream_tls};
use crate::api::backend::Backend;
use crate::api::endpoint_slice::{EndpointConditions, EndpointPort, EndpointSlice};
use crate::api::service::ServicePort;
use crate::aws::AwsEndpoint;
use crate::backends::{Application, is_http2};

/// How long connecting may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration { seconds: 5, nanos: 0 };

/// The cluster of a `Backend` of type Static: its hosts stand in it, names are resolved by DNS.
pub(crate) fn of_backend(name: &str, backend: &Backend, application: Application) -> Cluster {
    let Some(fixed) = &backend.spec.fixed else { return Cluster::default() };
    let all_addresses = fixed.hosts.iter().all(|host| host.host.parse::<IpAddr>().is_ok());
    let discovery = if all_addresses { DiscoveryType::Static } else { DiscoveryType::StrictDns };
    let hosts = fixed.hosts.iter().map(|host| (host.host.as_str(), host.port));
    Cluster {
        name: name.to_owned(),
        connect_timeout: Some(CONNECT_TIMEOUT),
        circuit_breakers: Some(no_limits()),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(discovery.into())),
        dns_lookup_family: DnsLookupFamily::V4Preferred.into(),
        load_assignment: Some(assignment(name, hosts)),
        typed_extension_protocol_options: protocol(fixed.app_protocol.as_deref(), application),
        ..Cluster::default()
    }
}

/// The cluster of a function. Names of AWS' endpoints have ever other addresses, so one that is known stays in use.
pub(crate) fn of_function(name: &str, endpoint: &AwsEndpoint) -> Cluster {
    let is_address = endpoint.host.parse::<IpAddr>().is_ok();
    let discovery = if is_address { DiscoveryType::Static } else { DiscoveryType::LogicalDns };
    let hosts = std::iter::once((endpoint.host.as_str(), endpoint.port));
    Cluster {
        name: name.to_owned(),
        connect_timeout: Some(CONNECT_TIMEOUT),
        circuit_breakers: Some(no_limits()),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(discovery.into())),
        dns_lookup_family: DnsLookupFamily::V4Preferred.into(),
        load_assignment: Some(assignment(name, hosts)),
        transport_socket: endpoint.tls.then(|| upstream_tls::of_host(&endpoint.host)),
        ..Cluster::default()
    }
}

/// The cluster of a Service's port; its endpoints come by EDS.
pub(crate) fn of_service(name: &str, port: &ServicePort, application: Application) -> Cluster {
    let eds = EdsClusterConfig { eds_config: Some(ads()), ..EdsClusterConfig::default() };
    Cluster {
        name: name.to_owned(),
        connect_timeout: Some(CONNECT_TIMEOUT),
        circuit_breakers: Some(no_limits()),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        eds_cluster_config: Some(eds),
        typed_extension_protocol_options: protocol(port.app_protocol.as_deref(), application),
        ..Cluster::default()
    }
}

/// A cluster that leads nowhere.
pub(crate) fn closed(name: &str) -> Cluster {
    Cluster {
        name: name.to_owned(),
        connect_timeout: Some(CONNECT_TIMEOUT),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into())),
        load_assignment: Some(assignment(name, std::iter::empty())),
        ..Cluster::default()
    }
}

/// Endpoints of a Service's port.
pub(crate) fn endpoints<'a>(
    name: &str,
    port: &ServicePort,
    slices: impl Iterator<Item = &'a EndpointSlice>,
) -> ClusterLoadAssignment {
    assignment(name, hosts(port, slices).into_iter())
}

/// Addresses and ports of the endpoints of a Service's port, in order: those that are ready.
pub(crate) fn hosts<'a>(
    port: &ServicePort,
    slices: impl Iterator<Item = &'a EndpointSlice>,
) -> Vec<(&'a str, u16)> {
    let slices: Vec<&EndpointSlice> = slices.collect();
    let all = |takes: fn(&EndpointConditions) -> bool| {
        let hosts = slices.iter().flat_map(|slice| of_slice(slice, port, takes));
        hosts.collect::<BTreeSet<(&str, u16)>>()
    };
    let ready = all(|conditions| conditions.ready.unwrap_or(true));
    // Rather than none those that are leaving, as long as they still serve (KEP-1669).
    let hosts = if ready.is_empty() { all(is_leaving) } else { ready };
    hosts.into_iter().collect()
}

fn is_leaving(conditions: &EndpointConditions) -> bool {
    conditions.serving.unwrap_or(false) && conditions.terminating.unwrap_or(false)
}

/// The hosts of a slice that `takes` picks. All addresses of an endpoint mean the same one, so one is enough.
fn of_slice<'a>(
    slice: &'a EndpointSlice,
    port: &ServicePort,
    takes: fn(&EndpointConditions) -> bool,
) -> impl Iterator<Item = (&'a str, u16)> {
    let is_meant = |known: &&EndpointPort| {
        let transport = |protocol: &Option<String>| protocol.clone().unwrap_or_else(|| "TCP".to_owned());
        known.name.as_deref().unwrap_or_default() == port.name.as_deref().unwrap_or_default()
            && transport(&known.protocol) == transport(&port.protocol)
    };
    let port = slice.ports.iter().find(is_meant).and_then(|known| known.port);
    let picked = slice.endpoints.iter().filter(move |endpoint| takes(&endpoint.conditions));
    let addresses = picked.filter_map(|endpoint| endpoint.addresses.first());
    // Names, which slices of type FQDN have, cannot be told to Envoy this way.
    let addresses = addresses.filter(|address| address.parse::<IpAddr>().is_ok());
    addresses.filter_map(move |address| Some((address.as_str(), port?)))
}

/// Envoy's own limits, such as three retries at a time, are nobody's wish.
fn no_limits() -> CircuitBreakers {
    let most = Some(UInt32Value { value: u32::MAX });
    let thresholds = Thresholds {
        max_connections: most,
        max_pending_requests: most,
        max_requests: most,
        max_retries: most,
        ..Thresholds::default()
    };
    CircuitBreakers { thresholds: vec![thresholds], ..CircuitBreakers::default() }
}

fn assignment<'a>(name: &str, hosts: impl Iterator<Item = (&'a str, u16)>) -> ClusterLoadAssignment {
    let lb_endpoints = hosts.map(|(host, port)| lb_endpoint(host, port)).collect();
    let locality = LocalityLbEndpoints { lb_endpoints, ..LocalityLbEndpoints::default() };
    ClusterLoadAssignment { cluster_name: name.to_owned(), endpoints: vec![locality], ..Default::default() }
}

pub(crate) fn lb_endpoint(host: &str, port: u16) -> LbEndpoint {
    let endpoint = Endpoint { address: Some(address(host, port)), ..Endpoint::default() };
    LbEndpoint { host_identifier: Some(HostIdentifier::Endpoint(endpoint)), ..LbEndpoint::default() }
}

/// A TCP address.
pub(crate) fn address(host: &str, port: u16) -> Address {
    let socket = SocketAddress {
        address: host.to_owned(),
        port_specifier: Some(PortSpecifier::PortValue(port.into())),
        ..SocketAddress::default()
    };
    Address { address: Some(AddressKind::SocketAddress(socket)) }
}

/// Where all dynamic resources come from: the stream that brought this one.
pub(crate) fn ads() -> ConfigSource {
    ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        ..ConfigSource::default()
    }
}

fn protocol(app_protocol: Option<&str>, application: Application) -> HashMap<String, Any> {
    let is_http2 = match application {
        Application::Http => is_http2(app_protocol),
        Application::Grpc => true,
        Application::Tcp | Application::Tls | Application::Udp => false,
    };
    if !is_http2 {
        return HashMap::new();
    }
    let http2 = ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default());
    let explicit = ExplicitHttpConfig { protocol_config: Some(http2) };
    let options = HttpProtocolOptions {
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(explicit)),
        ..HttpProtocolOptions::default()
    };
    HashMap::from([("envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(), any(&options))])
}
