//! Envoy's decompressors, which give the filters before them in the chain the plain bytes of a response.

use envoy_types::pb::envoy::config::core::v3::{RuntimeFeatureFlag, TypedExtensionConfig};
use envoy_types::pb::envoy::config::route::v3::FilterConfig;
use envoy_types::pb::envoy::extensions::compression::brotli::decompressor::v3::Brotli;
use envoy_types::pb::envoy::extensions::compression::gzip::decompressor::v3::Gzip;
use envoy_types::pb::envoy::extensions::compression::zstd::decompressor::v3::Zstd;
use envoy_types::pb::envoy::extensions::filters::http::decompressor::v3::Decompressor;
use envoy_types::pb::envoy::extensions::filters::http::decompressor::v3::decompressor::{
    CommonDirectionConfig, RequestDirectionConfig, ResponseDirectionConfig,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use envoy_types::pb::google::protobuf::{Any, BoolValue};

use super::any;
use super::per_filter::PerFilter;

/// The content codings that stock Envoy undoes (RFC 9110 §8.4.1), each by a filter of its own.
const CODINGS: [&str; 3] = ["gzip", "brotli", "zstd"];

fn name(coding: &str) -> String {
    format!("ferrule.decompressor.{coding}")
}

/// The decompressors, disabled until a route asks for them.
pub(crate) fn filters() -> impl Iterator<Item = HttpFilter> {
    CODINGS.into_iter().map(|coding| HttpFilter {
        name: name(coding),
        disabled: true,
        config_type: Some(ConfigType::TypedConfig(any(&decompressor(coding)))),
        ..HttpFilter::default()
    })
}

/// Responses only: requests pass, and the upstream is not told that we could undo what the client cannot.
fn decompressor(coding: &str) -> Decompressor {
    let off = RuntimeFeatureFlag {
        default_value: Some(BoolValue { value: false }),
        runtime_key: format!("{}.requests", name(coding)),
    };
    let library = TypedExtensionConfig { name: coding.to_owned(), typed_config: Some(library(coding)) };
    Decompressor {
        decompressor_library: Some(library),
        request_direction_config: Some(RequestDirectionConfig {
            common_config: Some(CommonDirectionConfig { enabled: Some(off), ..Default::default() }),
            advertise_accept_encoding: Some(BoolValue { value: false }),
        }),
        // Who asked for the plain bytes is about to transform them, so `no-transform` decides nothing here.
        response_direction_config: Some(ResponseDirectionConfig {
            common_config: Some(CommonDirectionConfig {
                ignore_no_transform_header: true,
                ..Default::default()
            }),
        }),
    }
}

fn library(coding: &str) -> Any {
    match coding {
        "brotli" => any(&Brotli::default()),
        "zstd" => any(&Zstd::default()),
        _ => any(&Gzip::default()),
    }
}

/// Switches the decompressors for a part of the routes.
///
/// An empty `config` enables a filter that is disabled in the chain and has no configuration for routes of its own.
pub(crate) fn switch(on: bool) -> PerFilter {
    let config = if on {
        FilterConfig { config: Some(Any::default()), ..FilterConfig::default() }
    } else {
        FilterConfig { disabled: true, ..FilterConfig::default() }
    };
    CODINGS.into_iter().map(|coding| (name(coding), any(&config))).collect()
}
