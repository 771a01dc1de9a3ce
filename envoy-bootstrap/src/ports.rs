//! Ports of a proxy that are not its gateway's: readiness, for a kubelet's probes, and statistics, for Prometheus.
//!
//! Each shows a few paths of the admin interface, which itself must not be reached from elsewhere, and by GET alone.

use serde_json::{Value, json};

use crate::Address;

/// Name of the cluster that leads to the admin interface.
const ADMIN_CLUSTER: &str = "admin";

/// The port that says at `/ready` whether this proxy serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// TCP port, on all interfaces.
    pub port: u16,
    /// Whether connections may begin with the PROXY protocol.
    pub proxy_protocol: bool,
}

/// The port that shows statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsServer {
    /// TCP port, on all interfaces.
    pub port: u16,
    /// What `/metrics` shows, such as `/stats/prometheus`.
    pub metrics: String,
    /// What `/stats` shows, if it is there.
    pub stats: Option<String>,
}

impl Readiness {
    pub(crate) fn listener(&self) -> Value {
        let ready = route(json!({"path": "/ready"}), None);
        let mut listener = listener("readiness", self.port, &[ready]);
        if self.proxy_protocol {
            listener["listener_filters"] = json!([{
                "name": "envoy.filters.listener.proxy_protocol",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
                    "allow_requests_without_proxy_protocol": true,
                },
            }]);
        }
        listener
    }
}

impl StatsServer {
    pub(crate) fn listener(&self) -> Value {
        let metrics = route(json!({"path": "/metrics"}), Some(&self.metrics));
        let stats = self.stats.as_ref().map(|path| route(json!({"prefix": "/stats"}), Some(path)));
        let routes: Vec<Value> = [Some(metrics), stats].into_iter().flatten().collect();
        listener("stats", self.port, &routes)
    }
}

fn route(mut matcher: Value, rewrite: Option<&String>) -> Value {
    matcher["headers"] = json!([{"name": ":method", "string_match": {"exact": "GET"}}]);
    let mut action = json!({"cluster": ADMIN_CLUSTER});
    if let Some(rewrite) = rewrite {
        action["prefix_rewrite"] = rewrite.as_str().into();
    }
    json!({"match": matcher, "route": action})
}

fn listener(name: &str, port: u16, routes: &[Value]) -> Value {
    json!({
        "name": name,
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},
        // What is probed is not the gateway's traffic: it must neither be shed nor hold up the end of this process.
        "bypass_overload_manager": true,
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
                "http_filters": [{
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
                }],
            },
        }]}],
    })
}

/// The cluster that leads to the admin interface at `admin`.
pub(crate) fn cluster(admin: &Address) -> Value {
    json!({
        "name": ADMIN_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": ADMIN_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": admin.to_envoy()}}]}],
        },
    })
}
