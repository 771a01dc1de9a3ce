//! A port of a Gateway -> `envoy.config.listener.v3.Listener`.

use envoy_types::pb::envoy::config::core::v3::{Http2ProtocolOptions, HttpProtocolOptions};
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType;
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    RouteSpecifier, UpgradeConfig,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter, Rds,
};
use envoy_types::pb::google::protobuf::{BoolValue, Duration, UInt32Value};

use super::any;
use super::cluster::{address, ads};

/// The most that is held of one message when a filter needs all of it, bytes; Envoy's own default, made explicit.
const BUFFER_LIMIT: u32 = 1024 * 1024;

/// The listener of a port; its routes come by RDS under the same name.
pub(crate) fn lower(name: &str, port: u16, filters: Vec<HttpFilter>) -> Listener {
    let manager = Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&manager(name, filters)))),
    };
    Listener {
        name: name.to_owned(),
        address: Some(address("0.0.0.0", port)),
        filter_chains: vec![FilterChain { filters: vec![manager], ..FilterChain::default() }],
        per_connection_buffer_limit_bytes: Some(UInt32Value { value: BUFFER_LIMIT }),
        ..Listener::default()
    }
}

/// As Envoy's guide for edge proxies says, as far as Gateway API leaves it open.
fn manager(name: &str, http_filters: Vec<HttpFilter>) -> HttpConnectionManager {
    let rds = Rds { config_source: Some(ads()), route_config_name: name.to_owned() };
    let yes = || Some(BoolValue { value: true });
    HttpConnectionManager {
        stat_prefix: "http".to_owned(),
        route_specifier: Some(RouteSpecifier::Rds(rds)),
        http_filters,
        use_remote_address: yes(),
        normalize_path: yes(),
        merge_slashes: true,
        request_headers_timeout: Some(Duration { seconds: 10, nanos: 0 }),
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: Some(Duration { seconds: 3600, nanos: 0 }),
            ..HttpProtocolOptions::default()
        }),
        http2_protocol_options: Some(Http2ProtocolOptions {
            max_concurrent_streams: Some(UInt32Value { value: 100 }),
            initial_stream_window_size: Some(UInt32Value { value: 64 * 1024 }),
            initial_connection_window_size: Some(UInt32Value { value: 1024 * 1024 }),
            ..Http2ProtocolOptions::default()
        }),
        upgrade_configs: vec![UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            ..UpgradeConfig::default()
        }],
        ..HttpConnectionManager::default()
    }
}
