//! The transformation filter in an Envoy whose one upstream is played by the test itself.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::rig::{self, PATIENCE, Rig, listener_manager};

/// A host of the filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Host {
    Native,
    Wasm,
}

pub(crate) const HOSTS: [Host; 2] = [Host::Native, Host::Wasm];

/// What Envoy speaks with the upstream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Upstream {
    Http1,
    Http2,
}

impl Host {
    /// The filter with this configuration on all routes.
    pub(crate) fn filter(self, config: &Value) -> Value {
        match self {
            Self::Native => native(config),
            Self::Wasm => wasm(config),
        }
    }
}

fn native(config: &Value) -> Value {
    let module = rig::modules().join("libferrule.so");
    assert!(module.is_file(), "{} is missing; build it by `just native`", module.display());
    json!({"name": "transformation", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
        "dynamic_module_config": {"name": "ferrule"},
        "filter_name": "transformation",
        "filter_config": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": config},
    }})
}

fn wasm(config: &Value) -> Value {
    let built = envoy_harness::envoy::Built::here().unwrap();
    let module = built.target().join("wasm/transformation.wasm");
    assert!(module.is_file(), "{} is missing; build it by `just wasm`", module.display());
    json!({"name": "transformation", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "transformation",
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}},
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": json!({"default": config}).to_string(),
            },
            "allow_on_headers_stop_iteration": true,
        },
    }})
}

/// Edits header sections both ways, and neither reads nor writes a body.
pub(crate) fn edits_headers() -> Value {
    let edits = json!({
        "set": [{"name": "x-set", "value": "{{ header('x-in') }}!"}],
        "add": [{"name": "x-added", "value": "more"}],
        "remove": ["x-gone"],
    });
    json!({"request": edits, "response": edits})
}

/// The filter before the router; requests, CONNECT and upgrades among them, go to `upstream` on the loopback interface.
pub(crate) fn envoy(host: Host, config: &Value, upstream: &TcpListener, protocol: Upstream) -> Rig {
    edited(host, config, upstream, protocol, |_, _| {})
}

/// The same, with changes to the bootstrap and to the listener.
pub(crate) fn edited(
    host: Host,
    config: &Value,
    upstream: &TcpListener,
    protocol: Upstream,
    edit: impl FnOnce(&mut Value, &mut Value),
) -> Rig {
    let port = upstream.local_addr().unwrap().port();
    let routes = [
        json!({"match": {"connect_matcher": {}}, "route": {"cluster": "upstream"}}),
        rig::to_upstream("/", &json!({})),
    ];
    Rig::edited(PATIENCE, &host.filter(config), &routes, |bootstrap, listener| {
        bootstrap["static_resources"]["clusters"] = json!([cluster(port, protocol)]);
        let manager = listener_manager(listener);
        manager["upgrade_configs"] = json!([{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}]);
        manager["http_protocol_options"] = json!({"enable_trailers": true});
        manager["http2_protocol_options"] = json!({"allow_connect": true});
        edit(bootstrap, listener);
    })
}

fn cluster(port: u16, protocol: Upstream) -> Value {
    let mut cluster = rig::cluster("upstream", port);
    let protocol = match protocol {
        Upstream::Http1 => json!({"http_protocol_options": {"enable_trailers": true}}),
        Upstream::Http2 => json!({"http2_protocol_options": {"allow_connect": true}}),
    };
    cluster["typed_extension_protocol_options"] = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": protocol,
    }});
    cluster
}
