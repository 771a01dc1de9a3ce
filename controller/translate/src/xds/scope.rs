//! A route table for each host: Envoy's scoped routes, with a key that a native extension of ours computes.
//!
//! Envoy's work for a change of one host is the same however many there are, which it is not where all hosts of a port
//! share a `RouteConfiguration`.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::route::v3::scoped_route_configuration::key::Fragment;
use envoy_types::pb::envoy::config::route::v3::scoped_route_configuration::key::fragment::Type as KeyType;
use envoy_types::pb::envoy::config::route::v3::scoped_route_configuration::Key;
use envoy_types::pb::envoy::config::route::v3::{FilterConfig, ScopedRouteConfiguration};
use envoy_types::pb::envoy::extensions::filters::http::dynamic_modules::v3::{
    DynamicModuleFilter, DynamicModuleFilterPerRoute,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::scoped_routes::scope_key_builder::FragmentBuilder;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::scoped_routes::scope_key_builder::fragment_builder::header_value_extractor::ExtractType;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::scoped_routes::scope_key_builder::fragment_builder::{
    HeaderValueExtractor, Type as KeySource,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::scoped_routes::{
    ConfigSpecifier, ScopeKeyBuilder,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, ScopedRds, ScopedRoutes,
};
use envoy_types::pb::envoy::extensions::http::early_header_mutation::dynamic_modules::v3::DynamicModuleEarlyHeaderMutation;
use ferrule_kit::{Early, Filter};
use ferrule_scope::{HEADER, Scope, ScopeKey};
use serde_json::json;

use super::any;
use super::config_source::ads;
use super::filter::{configuration, module_config};
use super::per_filter::PerFilter;

/// Carries the key of a request's table between Envoy's codec and its router.
pub(crate) const KEY: &str = HEADER;

/// Name of the filter in the chain. Tables disable it: it is for requests that have none.
const IN_CHAIN: &str = "ferrule.scope";
/// Under this name, which no filter of the chain has, tables say that they are there.
const IN_TABLE: &str = "ferrule.table";

/// How a port finds a request's table. All ports say it in the same words, so that Envoy keeps the scopes once.
pub(crate) fn specifier() -> RouteSpecifier {
    let key = HeaderValueExtractor {
        name: HEADER.to_owned(),
        extract_type: Some(ExtractType::Index(0)),
        ..HeaderValueExtractor::default()
    };
    let fragment = FragmentBuilder { r#type: Some(KeySource::HeaderValueExtractor(key)) };
    let scopes = ScopedRds { scoped_rds_config_source: Some(ads()), ..ScopedRds::default() };
    RouteSpecifier::ScopedRoutes(ScopedRoutes {
        name: "hosts".to_owned(),
        scope_key_builder: Some(ScopeKeyBuilder { fragments: vec![fragment] }),
        rds_config_source: Some(ads()),
        config_specifier: Some(ConfigSpecifier::ScopedRds(scopes)),
    })
}

/// Computes the key of each request before it is routed.
pub(crate) fn key_of_requests(module: &str, port: u16) -> TypedExtensionConfig {
    let config = json!({"prefix": port.to_string()});
    let mutation = DynamicModuleEarlyHeaderMutation {
        dynamic_module_config: Some(module_config(module)),
        early_header_mutation_name: ScopeKey::NAME.to_owned(),
        early_header_mutation_config: Some(configuration(config.to_string())),
    };
    TypedExtensionConfig { name: IN_CHAIN.to_owned(), typed_config: Some(any(&mutation)) }
}

/// The filter that stands first in the chain.
pub(crate) fn filter(module: &str) -> HttpFilter {
    let filter = DynamicModuleFilter {
        dynamic_module_config: Some(module_config(module)),
        filter_name: Scope::NAME.to_owned(),
        ..DynamicModuleFilter::default()
    };
    HttpFilter {
        name: IN_CHAIN.to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&filter))),
        ..HttpFilter::default()
    }
}

/// The key of a host's table on a port; an empty domain stands for every host.
pub(crate) fn key(port: u16, domain: &str) -> String {
    format!("{port}/{}", if domain.is_empty() { "*" } else { domain })
}

/// The scope that leads to the table of the same name.
pub(crate) fn lower(name: &str, key: &str) -> ScopedRouteConfiguration {
    let fragment = Fragment { r#type: Some(KeyType::StringKey(key.to_owned())) };
    ScopedRouteConfiguration {
        name: name.to_owned(),
        route_configuration_name: name.to_owned(),
        key: Some(Key { fragments: vec![fragment] }),
        ..ScopedRouteConfiguration::default()
    }
}

/// What a table says of itself. `needs_filters`: its routes use filters that others go without.
pub(crate) fn of_table(module: &str, key: &str, needs_filters: bool) -> PerFilter {
    let config = json!({"key": key, "filters": needs_filters});
    let marker = DynamicModuleFilterPerRoute {
        dynamic_module_config: Some(module_config(module)),
        filter_name: Scope::NAME.to_owned(),
        filter_config: Some(configuration(config.to_string())),
        ..DynamicModuleFilterPerRoute::default()
    };
    let disabled = FilterConfig { disabled: true, ..FilterConfig::default() };
    [(IN_CHAIN.to_owned(), any(&disabled)), (IN_TABLE.to_owned(), any(&marker))].into()
}
