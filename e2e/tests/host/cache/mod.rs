//! The cache on real Envoy, where streams meet: requests that wait for each other, clients that go away, what is refreshed behind a
//! client's back, and stores that are full.

mod collapsing;
mod observing;
mod origin;
mod pressure;
mod redis;
mod refreshing;
mod validating;

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::rig::{self, PATIENCE, Rig, listener_manager, to_upstream};

/// The filter of the native module with its listener's configuration.
fn native(config: &Value) -> Value {
    let module = rig::modules().join("libferrule.so");
    assert!(module.is_file(), "{} is missing; build it by `just native`", module.display());
    json!({"name": "cache", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
        "dynamic_module_config": {"name": "ferrule"},
        "filter_name": "cache",
        "filter_config": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": config},
    }})
}

/// Envoy with the cache before an origin that the test plays.
fn before(listener: &TcpListener, config: &Value) -> Rig {
    edited(listener, config, |_| {})
}

/// The same, with changes to the route.
fn edited(listener: &TcpListener, config: &Value, edit: impl FnOnce(&mut Value)) -> Rig {
    let port = listener.local_addr().unwrap().port();
    let mut route = to_upstream("/", &json!({}));
    edit(&mut route);
    Rig::edited(PATIENCE, &native(config), &[route], |bootstrap, listener| {
        let mut cluster = rig::cluster("upstream", port);
        let takes_purge = json!({"allow_custom_methods": true});
        cluster["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": takes_purge},
            },
        });
        bootstrap["static_resources"]["clusters"] = json!([cluster]);
        listener_manager(listener)["http_protocol_options"] = takes_purge;
    })
}

/// An origin's listening end.
fn origin() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")
}

/// The head of a response that may be stored, with further lines.
fn ok(length: usize, lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\ncache-control: max-age=60\r\n{lines}\r\n")
}

/// What the cache counted.
fn counted(rig: &Rig, name: &str) -> u64 {
    rig.stat(&format!("dynamicmodulescustom.cache.{name}"))
}

fn wait_for(rig: &Rig, name: &str, count: u64) {
    rig.wait_for_stat(&format!("dynamicmodulescustom.cache.{name}"), count);
}
