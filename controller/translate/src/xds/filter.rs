//! Our HTTP filters and their configuration, on either host.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::core::v3::async_data_source::Specifier as CodeSpecifier;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::{
    AsyncDataSource, DataSource, ExtensionConfigSource, TypedExtensionConfig,
};
use envoy_types::pb::envoy::extensions::dynamic_modules::v3::DynamicModuleConfig;
use envoy_types::pb::envoy::extensions::filters::http::dynamic_modules::v3::{
    DynamicModuleFilter, DynamicModuleFilterPerRoute,
};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use envoy_types::pb::envoy::extensions::wasm::v3::plugin_config::Vm;
use envoy_types::pb::envoy::extensions::wasm::v3::{FailurePolicy, PluginConfig, VmConfig};
use envoy_types::pb::google::protobuf::{Any, BoolValue, StringValue};
use prost::Name;
use serde_json::{Value as Json, json};

use super::any;
use super::cluster::ads;
use super::per_filter::PerFilter;
use crate::policies::{Applied, POLICIES};
use crate::settings::FilterHost;

/// Name of a filter in the chain.
fn chain_name(filter: &str) -> String {
    format!("ferrule.{filter}")
}

/// Name of a filter whose configuration comes by ECDS: one for each port, because each port has its routes.
pub(crate) fn discovered_name(filter: &str, port: u16) -> String {
    format!("ferrule.{filter}.{port}")
}

/// A filter of ours in the chain. Its configuration comes by ECDS, so that a change of it leaves the listener, and with
/// it the connections, as they are.
pub(crate) fn placed(host: &FilterHost, filter: &str, port: u16) -> HttpFilter {
    match host {
        // Disabled until a route has a configuration: a route without one costs nothing.
        FilterHost::Native { .. } => discovered(&chain_name(filter), DynamicModuleFilter::type_url()),
        FilterHost::Wasm { .. } => {
            HttpFilter { disabled: false, ..discovered(&discovered_name(filter, port), Wasm::type_url()) }
        }
    }
}

/// A filter whose configuration comes by ECDS under its name; it is off but where routes switch it on.
pub(crate) fn discovered(name: &str, type_url: String) -> HttpFilter {
    let type_urls = vec![type_url];
    let source = ExtensionConfigSource { config_source: Some(ads()), type_urls, ..Default::default() };
    HttpFilter {
        name: name.to_owned(),
        disabled: true,
        config_type: Some(ConfigType::ConfigDiscovery(source)),
        ..HttpFilter::default()
    }
}

/// A place for a filter of ours, which is off but where routes switch it on.
pub(crate) fn place(host: &FilterHost, name: &str) -> HttpFilter {
    match host {
        FilterHost::Native { .. } => discovered(name, DynamicModuleFilter::type_url()),
        FilterHost::Wasm { .. } => discovered(name, Wasm::type_url()),
    }
}

/// A filter in the place of that name, with one configuration for all that it sees.
pub(crate) fn for_all(host: &FilterHost, name: &str, filter: &str, config: &Json) -> TypedExtensionConfig {
    let filter = match host {
        FilterHost::Native { module } => native(module, filter, config),
        FilterHost::Wasm { directory } => {
            let configuration = json!({"default": config}).to_string();
            let wasm = Wasm { config: Some(plugin(directory, filter, configuration)) };
            TypedExtensionConfig { name: String::new(), typed_config: Some(any(&wasm)) }
        }
    };
    TypedExtensionConfig { name: name.to_owned(), ..filter }
}

/// The name in the chain of a filter that routes switch on; a plugin finds its routes by itself.
pub(crate) fn switchable(host: &FilterHost, filter: &str) -> Option<String> {
    matches!(host, FilterHost::Native { .. }).then(|| chain_name(filter))
}

/// A native filter as the listeners of a proxy run it, with the configuration that is not any route's.
pub(crate) fn native(module: &str, filter: &str, config: &Json) -> TypedExtensionConfig {
    let typed_config = any(&DynamicModuleFilter {
        dynamic_module_config: Some(module_config(module)),
        filter_name: filter.to_owned(),
        filter_config: Some(configuration(config.to_string())),
        ..DynamicModuleFilter::default()
    });
    TypedExtensionConfig { name: chain_name(filter), typed_config: Some(typed_config) }
}

pub(crate) fn module_config(module: &str) -> DynamicModuleConfig {
    DynamicModuleConfig { name: module.to_owned(), ..DynamicModuleConfig::default() }
}

/// Per-route configuration. Only native modules have it.
pub(crate) fn per_route(host: &FilterHost, applied: &Applied) -> PerFilter {
    let FilterHost::Native { module } = host else { return PerFilter::new() };
    let configs = POLICIES.iter().zip(applied.configs());
    let set = configs.filter_map(|(policy, config)| Some((policy.filter(), config?)));
    let typed = set.map(|(filter, config)| {
        let per_route = DynamicModuleFilterPerRoute {
            dynamic_module_config: Some(module_config(module)),
            filter_name: filter.to_owned(),
            filter_config: Some(configuration(config.json.to_string())),
            ..DynamicModuleFilterPerRoute::default()
        };
        (chain_name(filter), any(&per_route))
    });
    typed.collect()
}

/// JSON as text: a `Struct` is a map, which protobuf encodes in any order, and its numbers are doubles.
pub(crate) fn configuration(json: String) -> Any {
    any(&StringValue { value: json })
}

/// Configurations of one filter on one port, for a host that has no per-route configuration.
#[derive(Default)]
pub(crate) struct PluginRoutes {
    configs: BTreeMap<String, Json>,
    routes: BTreeMap<String, String>,
}

impl PluginRoutes {
    /// The Envoy route of that name runs `config`.
    pub(crate) fn add(&mut self, route: &str, config: &crate::policies::FilterConfig) {
        self.configs.entry(config.id.clone()).or_insert_with(|| config.json.clone());
        self.routes.insert(route.to_owned(), config.id.clone());
    }

    /// The plugin of `filter` with these routes.
    pub(crate) fn plugin(&self, directory: &str, filter: &str, port: u16) -> TypedExtensionConfig {
        let configuration =
            json!({"default": null, "configs": self.configs, "routes": self.routes}).to_string();
        let wasm = Wasm { config: Some(plugin(directory, filter, configuration)) };
        TypedExtensionConfig { name: discovered_name(filter, port), typed_config: Some(any(&wasm)) }
    }
}

fn plugin(directory: &str, filter: &str, configuration: String) -> PluginConfig {
    let file = DataSource {
        specifier: Some(Specifier::Filename(format!("{directory}/{filter}.wasm"))),
        ..Default::default()
    };
    let vm = VmConfig {
        vm_id: filter.to_owned(),
        runtime: "envoy.wasm.runtime.v8".to_owned(),
        code: Some(AsyncDataSource { specifier: Some(CodeSpecifier::Local(file)) }),
        ..VmConfig::default()
    };
    PluginConfig {
        name: filter.to_owned(),
        root_id: filter.to_owned(),
        vm: Some(Vm::VmConfig(vm)),
        configuration: Some(self::configuration(configuration)),
        failure_policy: FailurePolicy::FailReload.into(),
        allow_on_headers_stop_iteration: Some(BoolValue { value: true }),
        ..PluginConfig::default()
    }
}
