//! A listener that takes no connections and has the proxy subscribe to secrets.
//!
//! Envoy 1.40 begins a subscription to a secret while whatever asked for it warms. A filter's configuration that comes by
//! ECDS to a listener that is serving warms nothing, so what it asks for would never come. Envoy has one subscription a
//! secret, though, whoever asks: this listener asks as well, and as it has no connections, it can change with the set of
//! secrets and drain none.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType;
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener};
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter,
};
use envoy_types::pb::google::protobuf::BoolValue;

use super::any;
use super::chain::router;
use super::cluster::address;

/// An address that is nobody's (RFC 5737); the listener is not bound to it.
const NOWHERE: &str = "192.0.2.1";

/// The listener of that name, with filters that ask for secrets.
pub(crate) fn lower(name: &str, filters: Vec<TypedExtensionConfig>) -> Listener {
    let filters = filters.into_iter().map(|filter| HttpFilter {
        name: filter.name,
        disabled: true,
        config_type: filter.typed_config.map(http_filter::ConfigType::TypedConfig),
        ..HttpFilter::default()
    });
    let manager = HttpConnectionManager {
        stat_prefix: "secrets".to_owned(),
        route_specifier: Some(RouteSpecifier::RouteConfig(RouteConfiguration::default())),
        http_filters: filters.chain([router()]).collect(),
        ..HttpConnectionManager::default()
    };
    let manager = Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&manager))),
    };
    Listener {
        name: name.to_owned(),
        address: Some(address(NOWHERE, 1)),
        bind_to_port: Some(BoolValue { value: false }),
        filter_chains: vec![FilterChain { filters: vec![manager], ..FilterChain::default() }],
        ..Listener::default()
    }
}
