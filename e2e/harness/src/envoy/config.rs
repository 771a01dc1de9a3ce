//! Sites -> Envoy's configuration: a listener, a virtual host and a cluster for each.
//!
//! Listeners come from a file by LDS, so that one that Envoy refuses costs the others nothing and is told by name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::placement::{Placement, Site};
use crate::case::{Answer, Protocol, Route, RouteMatch};

/// Envoy's patience with an upstream that is silent by intent.
const SILENCE: &str = "0.3s";

/// The bootstrap of an Envoy that reads its listeners from the file `listeners`.
pub(super) fn bootstrap(listeners: &Path, clusters: &[Value], secrets: &BTreeMap<&str, &str>) -> Value {
    let secret = |(name, text)| json!({"name": name, "generic_secret": {"secret": {"inline_string": text}}});
    let secrets: Vec<Value> = secrets.iter().map(secret).collect();
    json!({
        "node": {"id": "envoy-harness", "cluster": "envoy-harness"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "static_resources": {"clusters": clusters, "secrets": secrets},
        "dynamic_resources": {"lds_config": {
            "resource_api_version": "V3",
            "path_config_source": {"path": listeners},
        }},
    })
}

/// The file for LDS.
pub(super) fn listeners_file(listeners: Vec<Value>) -> Value {
    let typed = listeners.into_iter().map(|mut listener| {
        listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
        listener
    });
    json!({"version_info": "1", "resources": typed.collect::<Vec<_>>()})
}

/// A cluster of one host.
pub(super) fn cluster(
    name: &str,
    address: SocketAddr,
    protocol: Protocol,
    buffer_limit: Option<u32>,
) -> Value {
    let protocol = match protocol {
        Protocol::Http1 => {
            json!({"http_protocol_options": {"enable_trailers": true, "allow_custom_methods": true}})
        }
        Protocol::Http2 => json!({"http2_protocol_options": {}}),
    };
    let mut cluster = json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
            "socket_address": {"address": address.ip().to_string(), "port_value": address.port()}}}}]}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": protocol,
        }},
    });
    if let Some(limit) = buffer_limit {
        cluster["per_connection_buffer_limit_bytes"] = limit.into();
    }
    cluster
}

/// The listener of a site, on a port that Envoy chooses.
pub(super) fn listener(site: &Site<'_>, placement: &dyn Placement, access_log: &Path) -> Value {
    let mut listener = json!({
        "name": site.id,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": connection_manager(site, placement, access_log),
        }]}],
    });
    if let Some(limit) = site.case.buffer_limit {
        listener["per_connection_buffer_limit_bytes"] = limit.into();
    }
    listener
}

fn connection_manager(site: &Site<'_>, placement: &dyn Placement, access_log: &Path) -> Value {
    let filter = placement.filter(site);
    let name = filter["name"].as_str().unwrap_or_default();
    let routes: Vec<Value> =
        site.case.routes.iter().map(|given| route(site, given, name, placement)).collect();
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "site",
        "codec_type": "AUTO",
        "http_protocol_options": {"enable_trailers": true, "allow_custom_methods": true},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        // A client sees a reset over HTTP/1.1 only after this time.
        "delayed_close_timeout": "0.05s",
        // What Envoy adds by itself would differ from run to run.
        "generate_request_id": false,
        "server_header_transformation": "PASS_THROUGH",
        "access_log": [access_log_entry(site, access_log)],
        "route_config": {"name": site.id, "virtual_hosts": [{
            "name": site.id, "domains": ["*"], "routes": routes}]},
        "http_filters": [filter, {"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        }}],
    })
}

fn route(site: &Site<'_>, route: &Route, filter: &str, placement: &dyn Placement) -> Value {
    let matches = match &route.matches {
        RouteMatch::Prefix(prefix) => json!({"prefix": prefix}),
        RouteMatch::Path(path) => json!({"path": path}),
    };
    let mut entry = json!({"name": route.name, "match": matches});
    match &route.direct_response {
        Some(answer) => entry["direct_response"] = direct_response(answer),
        None => entry["route"] = json!({"cluster": site.id, "timeout": timeout(site)}),
    }
    if let Some(config) = route.config.as_ref().and_then(|config| placement.per_route(config)) {
        entry["typed_per_filter_config"] = json!({filter: config});
    }
    entry
}

fn direct_response(answer: &Answer) -> Value {
    let body = answer.body.as_ref().map(|body| String::from_utf8_lossy(&body.bytes()).into_owned());
    json!({"status": answer.status, "body": {"inline_string": body.unwrap_or_default()}})
}

fn timeout(site: &Site<'_>) -> &'static str {
    let silent = site.case.exchanges().iter().any(|exchange| exchange.upstream.silent);
    if silent { SILENCE } else { "0s" }
}

/// A line for each stream that is over: whose it was and what only Envoy knows of it.
fn access_log_entry(site: &Site<'_>, file: &Path) -> Value {
    let mut line = json!({"site": site.id, "details": "%RESPONSE_CODE_DETAILS%"});
    let expectations = site.case.exchanges().iter().map(|exchange| &exchange.expect);
    let namespaces: BTreeSet<&String> = expectations.flat_map(|expect| expect.metadata.keys()).collect();
    let metadata: Map<String, Value> = namespaces
        .into_iter()
        .map(|namespace| (namespace.clone(), format!("%DYNAMIC_METADATA({namespace})%").into()))
        .collect();
    if !metadata.is_empty() {
        line["metadata"] = metadata.into();
    }
    json!({"name": "envoy.access_loggers.file", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": file,
        "log_format": {"json_format": line},
    }})
}
