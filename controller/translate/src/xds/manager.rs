//! Connections that speak HTTP -> Envoy's `HttpConnectionManager`.

use envoy_types::pb::envoy::config::core::v3::{
    Http2ProtocolOptions, HttpProtocolOptions, TypedExtensionConfig,
};
use envoy_types::pb::envoy::config::listener::v3::Filter;
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    RouteSpecifier, UpgradeConfig,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter, Rds,
};
use envoy_types::pb::google::protobuf::{BoolValue, Duration, UInt32Value};

use super::any;
use super::config_source::ads;

/// The network filter. `early` runs before a request is routed.
pub(crate) fn lower(
    routes: RouteSpecifier,
    filters: Vec<HttpFilter>,
    early: Vec<TypedExtensionConfig>,
) -> Filter {
    Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&manager(routes, filters, early)))),
    }
}

/// Routes that come all together, by RDS under that name.
pub(crate) fn rds(name: &str) -> RouteSpecifier {
    RouteSpecifier::Rds(Rds { config_source: Some(ads()), route_config_name: name.to_owned() })
}

/// As Envoy's guide for edge proxies says, as far as Gateway API leaves it open.
fn manager(
    routes: RouteSpecifier,
    http_filters: Vec<HttpFilter>,
    early: Vec<TypedExtensionConfig>,
) -> HttpConnectionManager {
    let yes = || Some(BoolValue { value: true });
    HttpConnectionManager {
        stat_prefix: "http".to_owned(),
        route_specifier: Some(routes),
        http_filters,
        early_header_mutation_extensions: early,
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
