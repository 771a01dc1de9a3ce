//! How the filter under test is put into Envoy's filter chain.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::case::{Case, Host};

/// A case on one host: its place in Envoy's configuration.
pub struct Site<'a> {
    /// Unique among all cases and hosts of a suite; the name of its listener, virtual host and cluster.
    pub id: &'a str,
    /// The case.
    pub case: &'a Case,
}

/// Puts a filter under test into Envoy's configuration. All parts are JSON as of Envoy's v3 API.
pub trait Placement: Send + Sync {
    /// The host that cases name by `only`; `None` for a filter to which that does not apply.
    fn host(&self) -> Option<Host>;

    /// The entry of `http_filters`, with the `name` that per-route configuration goes by.
    fn filter(&self, site: &Site<'_>) -> Value;

    /// The `typed_per_filter_config` of a route with this configuration; `None` if routes have none.
    fn per_route(&self, config: &Value) -> Option<Value>;

    /// The full name of Envoy's counter for the filter's counter `name`.
    fn counter(&self, name: &str) -> String;

    /// The file that the filter comes from; `None` for a filter that Envoy has built in.
    fn module(&self) -> Option<&Path> {
        None
    }
}

/// A filter of a dynamic module: once in the chain, disabled, and enabled by each route's own configuration.
#[derive(Clone, Debug)]
pub struct NativeModule {
    /// The module, such as `target/debug/libferrule.so`.
    pub module: PathBuf,
    /// The filter's name in the module, and the prefix of its counters.
    pub filter: String,
}

impl NativeModule {
    fn module_config(&self) -> Value {
        json!({"module": {"local": {"filename": self.module}}})
    }
}

impl Placement for NativeModule {
    fn host(&self) -> Option<Host> {
        Some(Host::Native)
    }

    fn filter(&self, site: &Site<'_>) -> Value {
        let mut filter = json!({"name": format!("test.{}", self.filter), "disabled": true, "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            "dynamic_module_config": self.module_config(),
            "filter_name": self.filter,
        }});
        // A listener follows the secrets that its own configuration names, and none that a route's does.
        let config = site.case.routes.iter().find_map(|route| route.config.as_ref());
        if let Some(config) = config.filter(|_| !site.case.secrets.is_empty()) {
            filter["typed_config"]["filter_config"] = string_value(config);
        }
        filter
    }

    fn per_route(&self, config: &Value) -> Option<Value> {
        Some(json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilterPerRoute",
            "dynamic_module_config": self.module_config(),
            "filter_name": self.filter,
            "filter_config": string_value(config),
        }))
    }

    fn counter(&self, name: &str) -> String {
        format!("dynamicmodulescustom.{}.{name}", self.filter)
    }

    fn module(&self) -> Option<&Path> {
        Some(&self.module)
    }
}

/// A filter of a proxy-wasm module that takes `{"configs": {id: config}, "routes": {route: id}}` as its configuration.
#[derive(Clone, Debug)]
pub struct WasmModule {
    /// The module, such as `target/wasm/transformation.wasm`.
    pub module: PathBuf,
    /// The filter's name, which is the prefix of its counters.
    pub filter: String,
}

impl WasmModule {
    fn configuration(&self, site: &Site<'_>) -> Value {
        let configured = || site.case.routes.iter().filter_map(|route| Some((route, route.config.as_ref()?)));
        let configs: serde_json::Map<_, _> =
            configured().map(|(route, config)| (route.name.clone(), config.clone())).collect();
        let routes: serde_json::Map<_, _> =
            configured().map(|(route, _)| (route.name.clone(), json!(route.name))).collect();
        let mut configuration = json!({"default": null, "configs": configs, "routes": routes});
        if let Some(limit) = site.case.buffer_limit {
            configuration["bufferLimit"] = limit.into();
        }
        configuration
    }
}

impl Placement for WasmModule {
    fn host(&self) -> Option<Host> {
        Some(Host::Wasm)
    }

    fn filter(&self, site: &Site<'_>) -> Value {
        // One machine serves all cases but those that may break it.
        let machine = if site.case.alone { site.id } else { &self.filter };
        let variables: Vec<&String> = site.case.environment.keys().collect();
        json!({"name": format!("test.{}", self.filter), "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": site.id,
                "vm_config": {
                    "vm_id": machine,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": self.module}},
                    "environment_variables": {"host_env_keys": variables},
                },
                "configuration": string_value(&self.configuration(site)),
                "allow_on_headers_stop_iteration": true,
                "failure_policy": "FAIL_RELOAD",
            },
        }})
    }

    fn per_route(&self, _: &Value) -> Option<Value> {
        None
    }

    fn counter(&self, name: &str) -> String {
        format!("wasmcustom.{}.{name}", self.filter)
    }

    fn module(&self) -> Option<&Path> {
        Some(&self.module)
    }
}

/// A filter that Envoy has built in, or any other whose configuration is one typed message at the route.
pub struct Builtin {
    /// The filter's name in the chain.
    pub name: String,
    /// Its `typed_config` in the chain.
    pub typed_config: Value,
    /// Makes a route's `typed_per_filter_config` of a case's configuration.
    pub per_route: fn(&Value) -> Value,
    /// What Envoy puts before the names of its counters.
    pub counter_prefix: String,
}

impl Placement for Builtin {
    fn host(&self) -> Option<Host> {
        None
    }

    fn filter(&self, _: &Site<'_>) -> Value {
        json!({"name": self.name, "typed_config": self.typed_config})
    }

    fn per_route(&self, config: &Value) -> Option<Value> {
        Some((self.per_route)(config))
    }

    fn counter(&self, name: &str) -> String {
        format!("{}{name}", self.counter_prefix)
    }
}

/// JSON text that reaches a module byte for byte; a `Struct` would lose the order of keys and the size of integers.
fn string_value(json: &Value) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": json.to_string()})
}
