//! Our filters as Envoy is configured to run them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::variant::Filter;

/// Built artefacts of the filter under measurement.
pub(crate) struct Ours {
    filter: &'static str,
    module: PathBuf,
    plugin: PathBuf,
}

impl Ours {
    /// The transformation filter, as cargo and wasm-build have put it into `artefacts`.
    pub(crate) fn of(artefacts: &Path) -> Self {
        Self::named(artefacts, "transformation")
    }

    /// The filter of that name.
    pub(crate) fn named(artefacts: &Path, filter: &'static str) -> Self {
        let module = artefacts.join("release/libferrule.so");
        Self { filter, module, plugin: artefacts.join(format!("wasm/{filter}.wasm")) }
    }

    /// The native filter with its listener's configuration.
    pub(crate) fn native(&self, config: &Value) -> Filter {
        Filter { listener: self.native_config("DynamicModuleFilter", config), route: None }
    }

    /// The native filter, configured by the route.
    pub(crate) fn native_per_route(&self, config: &Value) -> Filter {
        let route = Some(self.native_config("DynamicModuleFilterPerRoute", config));
        Filter { route, ..self.native(&json!({})) }
    }

    fn native_config(&self, kind: &str, config: &Value) -> Value {
        let name = if kind.ends_with("PerRoute") { "per_route_config_name" } else { "filter_name" };
        json!({
            "@type": format!("type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.{kind}"),
            "dynamic_module_config": {"module": {"local": {"filename": self.module}}},
            name: self.filter,
            "filter_config": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": config},
        })
    }

    /// The same filter from a `.wasm` file.
    pub(crate) fn wasm(&self, config: &Value) -> Filter {
        let plugin = json!({"default": config}).to_string();
        let listener = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": self.plugin}}},
                "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": plugin},
                "allow_on_headers_stop_iteration": true,
            },
        });
        Filter { listener, route: None }
    }
}
