//! Chains of filters to compare: each is a listener of the same Envoy that answers by itself.

use std::path::Path;

use serde_json::{Value, json};

/// Filters in each chain: enough that their cost stands out from that of the request itself.
pub(crate) const CHAIN: usize = 10;

/// A chain of [`CHAIN`] equal filters, or none.
pub(crate) struct Variant {
    /// What the figures call it.
    pub(crate) name: &'static str,
    /// The filter, placed [`CHAIN`] times; `None` for the bare chain.
    pub(crate) filter: Option<Value>,
}

impl Variant {
    /// A listener on `port` of the loopback address.
    pub(crate) fn listener(&self, port: u16) -> Value {
        let mut filters: Vec<Value> = match &self.filter {
            Some(config) => (0..CHAIN).map(|place| placed(self.name, place, config)).collect(),
            None => Vec::new(),
        };
        filters.push(json!({"name": "router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}));
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": self.name,
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{
                "name": "all", "match": {"prefix": "/"},
                "direct_response": {"status": 200, "body": {"inline_string": "x".repeat(1024)}}}]}]},
            "http_filters": filters,
        });
        json!({"name": self.name, "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}]})
    }
}

fn placed(name: &str, place: usize, config: &Value) -> Value {
    json!({"name": format!("{name}-{place}"), "typed_config": config})
}

/// A filter of the module `module`, with its listener-level configuration.
pub(crate) fn native(module: &Path, filter: &str, config: &Value) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
        "dynamic_module_config": {"module": {"local": {"filename": module}}},
        "filter_name": filter,
        "filter_config": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": config},
    })
}

/// The same filter from a `.wasm` file.
pub(crate) fn wasm(file: &Path, config: &Value) -> Value {
    let plugin = json!({"default": config}).to_string();
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": file}}},
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": plugin},
            "allow_on_headers_stop_iteration": true,
        },
    })
}

/// Envoy's own filter that sets one request header from another.
pub(crate) fn header_mutation() -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": [{"append": {
            "header": {"key": "x-out", "value": "%REQ(x-in)%-suffix"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}]},
    })
}
