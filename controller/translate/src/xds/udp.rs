//! Datagrams -> Envoy's listener with a UDP proxy, and clusters that several backends share by weight.

use std::net::IpAddr;

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::common_lb_config::{
    LocalityConfigSpecifier, LocalityWeightedLbConfig,
};
use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, CommonLbConfig, DiscoveryType, EdsClusterConfig,
};
use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::socket_address::Protocol;
use envoy_types::pb::envoy::config::core::v3::{Address, Locality};
use envoy_types::pb::envoy::config::endpoint::v3::{ClusterLoadAssignment, LocalityLbEndpoints};
use envoy_types::pb::envoy::config::listener::v3::listener_filter::ConfigType;
use envoy_types::pb::envoy::config::listener::v3::{Listener, ListenerFilter, UdpListenerConfig};
use envoy_types::pb::envoy::extensions::filters::udp::udp_proxy::v3::udp_proxy_config::RouteSpecifier;
use envoy_types::pb::envoy::extensions::filters::udp::udp_proxy::v3::{Route, UdpProxyConfig};
use envoy_types::pb::google::protobuf::UInt32Value;
use envoy_types::pb::xds::core::v3::TypedExtensionConfig as XdsExtension;
use envoy_types::pb::xds::r#type::matcher::v3::Matcher;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::OnMatch;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::on_match::OnMatch as Then;

use super::any;
use super::cluster::{CONNECT_TIMEOUT, address, lb_endpoint};
use super::config_source::ads;

/// Where the share of a backend goes that has no endpoint: to the discard port of the proxy's own machine (RFC 863),
/// so that others do not get it.
const NOWHERE: (&str, u16) = ("127.0.0.1", 9);

/// A backend of a cluster that several share.
pub(crate) struct Part {
    pub(crate) weight: u32,
    pub(crate) hosts: Vec<Host>,
}

/// An endpoint.
pub(crate) struct Host {
    host: String,
    port: u16,
}

impl Host {
    /// An IP address or a DNS name, and a port.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port }
    }

    /// Whether it must be looked up.
    pub(crate) fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }
}

/// The listener of a port; its datagrams go to that cluster, those of one client to the same endpoint of it.
pub(crate) fn listener(name: &str, port: u16, cluster: &str) -> Listener {
    let route = any(&Route { cluster: cluster.to_owned() });
    let action = XdsExtension { name: "route".to_owned(), typed_config: Some(route) };
    let always = OnMatch { on_match: Some(Then::Action(action)), ..OnMatch::default() };
    let matcher = Matcher { on_no_match: Some(Box::new(always)), ..Matcher::default() };
    let proxy = UdpProxyConfig {
        stat_prefix: "udp".to_owned(),
        route_specifier: Some(RouteSpecifier::Matcher(matcher)),
        ..UdpProxyConfig::default()
    };
    Listener {
        name: name.to_owned(),
        address: Some(datagrams(address("0.0.0.0", port))),
        udp_listener_config: Some(UdpListenerConfig::default()),
        listener_filters: vec![ListenerFilter {
            name: "envoy.filters.udp_listener.udp_proxy".to_owned(),
            config_type: Some(ConfigType::TypedConfig(any(&proxy))),
            ..ListenerFilter::default()
        }],
        ..Listener::default()
    }
}

fn datagrams(mut address: Address) -> Address {
    if let Some(AddressKind::SocketAddress(socket)) = &mut address.address {
        socket.protocol = Protocol::Udp.into();
    }
    address
}

/// A cluster of several backends, each a locality with its weight, and its endpoints where they come by EDS.
pub(crate) fn joined(
    name: &str,
    parts: &[Part],
    needs_dns: bool,
) -> (Cluster, Option<ClusterLoadAssignment>) {
    let endpoints = parts.iter().enumerate().map(|(place, part)| locality(place, part)).collect();
    let assignment = ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints,
        ..ClusterLoadAssignment::default()
    };
    let by_locality = LocalityConfigSpecifier::LocalityWeightedLbConfig(LocalityWeightedLbConfig::default());
    let mut cluster = Cluster {
        name: name.to_owned(),
        connect_timeout: Some(CONNECT_TIMEOUT),
        common_lb_config: Some(CommonLbConfig {
            locality_config_specifier: Some(by_locality),
            ..CommonLbConfig::default()
        }),
        ..Cluster::default()
    };
    if needs_dns {
        cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(DiscoveryType::StrictDns.into()));
        cluster.load_assignment = Some(assignment);
        return (cluster, None);
    }
    cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into()));
    cluster.eds_cluster_config =
        Some(EdsClusterConfig { eds_config: Some(ads()), ..EdsClusterConfig::default() });
    (cluster, Some(assignment))
}

fn locality(place: usize, part: &Part) -> LocalityLbEndpoints {
    let hosts = part.hosts.iter().map(|host| lb_endpoint(&host.host, host.port));
    let mut lb_endpoints: Vec<_> = hosts.collect();
    if lb_endpoints.is_empty() {
        lb_endpoints.push(lb_endpoint(NOWHERE.0, NOWHERE.1));
    }
    LocalityLbEndpoints {
        locality: Some(Locality { sub_zone: format!("backend-{place}"), ..Locality::default() }),
        lb_endpoints,
        load_balancing_weight: Some(UInt32Value { value: part.weight }),
        ..LocalityLbEndpoints::default()
    }
}
