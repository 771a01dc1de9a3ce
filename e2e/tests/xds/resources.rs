//! The resources of a small gateway, as a controller would build them.

use std::net::SocketAddr;

use envoy_types::pb::envoy::config::{
    cluster::v3 as cluster, core::v3 as core, endpoint::v3 as endpoint, listener::v3 as listener,
    route::v3 as route,
};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::google::protobuf::Any;
use ferrule_xds::{Kind, Resource};
use prost::{Message, Name};

pub(crate) type Item = (Kind, Resource);

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: format!("type.googleapis.com/{}", M::full_name()), value: message.encode_to_vec() }
}

fn address(address: SocketAddr) -> core::Address {
    let socket = core::SocketAddress {
        address: address.ip().to_string(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(address.port().into())),
        ..Default::default()
    };
    core::Address { address: Some(core::address::Address::SocketAddress(socket)) }
}

fn over_ads() -> Option<core::ConfigSource> {
    use core::config_source::ConfigSourceSpecifier::Ads;
    Some(core::ConfigSource {
        config_source_specifier: Some(Ads(core::AggregatedConfigSource {})),
        resource_api_version: core::ApiVersion::V3.into(),
        ..Default::default()
    })
}

/// An EDS cluster; another `connect_timeout` (in seconds) makes another version of it.
pub(crate) fn eds_cluster(name: &str, connect_timeout: i64) -> Item {
    let discovery = cluster::cluster::DiscoveryType::Eds.into();
    let timeout = envoy_types::pb::google::protobuf::Duration { seconds: connect_timeout, nanos: 0 };
    let cluster = cluster::Cluster {
        name: name.into(),
        cluster_discovery_type: Some(cluster::cluster::ClusterDiscoveryType::Type(discovery)),
        eds_cluster_config: Some(cluster::cluster::EdsClusterConfig {
            eds_config: over_ads(),
            ..Default::default()
        }),
        connect_timeout: Some(timeout),
        ..Default::default()
    };
    (Kind::Cluster, Resource::encode(name, &cluster))
}

/// A cluster that Envoy refuses: EDS without a place to get endpoints from.
pub(crate) fn bad_cluster(name: &str) -> Item {
    let discovery = cluster::cluster::DiscoveryType::Eds.into();
    let cluster = cluster::Cluster {
        name: name.into(),
        cluster_discovery_type: Some(cluster::cluster::ClusterDiscoveryType::Type(discovery)),
        ..Default::default()
    };
    (Kind::Cluster, Resource::encode(name, &cluster))
}

pub(crate) fn endpoints(cluster: &str, upstream: SocketAddr) -> Item {
    let host = endpoint::Endpoint { address: Some(address(upstream)), ..Default::default() };
    let host = endpoint::LbEndpoint {
        host_identifier: Some(endpoint::lb_endpoint::HostIdentifier::Endpoint(host)),
        ..Default::default()
    };
    let locality = endpoint::LocalityLbEndpoints { lb_endpoints: vec![host], ..Default::default() };
    let assignment = endpoint::ClusterLoadAssignment {
        cluster_name: cluster.into(),
        endpoints: vec![locality],
        ..Default::default()
    };
    (Kind::Endpoints, Resource::encode(cluster, &assignment))
}

/// A listener that takes the routes of its own name.
pub(crate) fn listener(name: &str, at: SocketAddr) -> Item {
    let rds = hcm::Rds { config_source: over_ads(), route_config_name: name.into() };
    let router = hcm::HttpFilter {
        name: "envoy.filters.http.router".into(),
        config_type: Some(hcm::http_filter::ConfigType::TypedConfig(any(&Router::default()))),
        ..Default::default()
    };
    let manager = hcm::HttpConnectionManager {
        stat_prefix: name.into(),
        route_specifier: Some(hcm::http_connection_manager::RouteSpecifier::Rds(rds)),
        http_filters: vec![router],
        ..Default::default()
    };
    let filter = listener::Filter {
        name: "envoy.filters.network.http_connection_manager".into(),
        config_type: Some(listener::filter::ConfigType::TypedConfig(any(&manager))),
    };
    let listener = listener::Listener {
        name: name.into(),
        address: Some(address(at)),
        filter_chains: vec![listener::FilterChain { filters: vec![filter], ..Default::default() }],
        ..Default::default()
    };
    (Kind::Listener, Resource::encode(name, &listener))
}

/// Routes everything to one cluster.
pub(crate) fn routes(name: &str, cluster: &str) -> Item {
    virtual_hosts(name, &["*"], cluster)
}

/// Routes that Envoy refuses: two virtual hosts of the same domain.
pub(crate) fn bad_routes(name: &str, cluster: &str) -> Item {
    virtual_hosts(name, &["twice.example", "twice.example"], cluster)
}

fn virtual_hosts(name: &str, domains: &[&str], cluster: &str) -> Item {
    let action = route::RouteAction {
        cluster_specifier: Some(route::route_action::ClusterSpecifier::Cluster(cluster.into())),
        ..Default::default()
    };
    let path = route::route_match::PathSpecifier::Prefix("/".into());
    let to_cluster = route::Route {
        r#match: Some(route::RouteMatch { path_specifier: Some(path), ..Default::default() }),
        action: Some(route::route::Action::Route(action)),
        ..Default::default()
    };
    let host = |(i, domain): (usize, &&str)| route::VirtualHost {
        name: format!("host-{i}"),
        domains: vec![(*domain).into()],
        routes: vec![to_cluster.clone()],
        ..Default::default()
    };
    let virtual_hosts = domains.iter().enumerate().map(host).collect();
    let routes = route::RouteConfiguration { name: name.into(), virtual_hosts, ..Default::default() };
    (Kind::Routes, Resource::encode(name, &routes))
}
