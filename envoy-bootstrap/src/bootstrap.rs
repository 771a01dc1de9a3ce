//! Parameters of one proxy -> Envoy's bootstrap: everything else comes from the controller over delta ADS.
//!
//! The limits follow Envoy's "best practices for edge proxies".

use serde_json::{Map, Value, json};

use crate::{Address, yaml};

/// Name of the cluster that leads to the controller.
const XDS_CLUSTER: &str = "xds_cluster";

/// What one proxy has of its own.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// `node.id`: names this proxy to the controller.
    pub node_id: String,
    /// `node.cluster`: the gateway that this proxy is part of.
    pub node_cluster: String,
    /// `node.metadata`, what else the controller should know.
    pub node_metadata: Map<String, Value>,
    /// Where the controller serves delta ADS (gRPC over plain HTTP/2).
    pub ads: Address,
    /// Where Envoy's admin interface listens. It has no access control: loopback or a socket only.
    pub admin: Address,
    /// Downstream connections that Envoy holds at most; further ones are closed at once.
    pub max_downstream_connections: u64,
    /// Heap in bytes at which Envoy sheds load; `None` where nothing bounds this process.
    pub max_heap_bytes: Option<u64>,
}

impl Bootstrap {
    /// A proxy with the usual limits.
    pub fn new(
        node_id: impl Into<String>,
        node_cluster: impl Into<String>,
        ads: Address,
        admin: Address,
    ) -> Self {
        Self {
            node_id: node_id.into(),
            node_cluster: node_cluster.into(),
            node_metadata: Map::new(),
            ads,
            admin,
            max_downstream_connections: 50_000,
            max_heap_bytes: None,
        }
    }

    /// The bootstrap as YAML.
    pub fn to_yaml(&self) -> String {
        yaml::write(&self.to_json())
    }

    /// The bootstrap as JSON.
    pub fn to_json(&self) -> Value {
        let over_ads = json!({"resource_api_version": "V3", "ads": {}});
        json!({
            "node": {"id": self.node_id, "cluster": self.node_cluster, "metadata": self.node_metadata},
            "admin": {"address": self.admin.to_envoy()},
            "dynamic_resources": {
                "ads_config": {
                    "api_type": "DELTA_GRPC",
                    "transport_api_version": "V3",
                    "set_node_on_first_message_only": true,
                    "grpc_services": [{"envoy_grpc": {"cluster_name": XDS_CLUSTER}}],
                },
                "cds_config": over_ads,
                "lds_config": over_ads,
            },
            "static_resources": {"clusters": [self.xds_cluster()]},
            "overload_manager": self.overload_manager(),
            "layered_runtime": layered_runtime(),
            "stats_config": stats_config(),
            "deferred_stat_options": {"enable_deferred_creation_stats": true},
        })
    }

    fn xds_cluster(&self) -> Value {
        json!({
            "name": XDS_CLUSTER,
            "type": if self.ads.is_name() { "STRICT_DNS" } else { "STATIC" },
            "connect_timeout": "5s",
            "load_assignment": {
                "cluster_name": XDS_CLUSTER,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": self.ads.to_envoy()}}]}],
            },
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    // A controller that vanished without a FIN is noticed by this alone.
                    "explicit_http_config": {"http2_protocol_options": {
                        "connection_keepalive": {"interval": "30s", "timeout": "5s"}}},
                },
            },
        })
    }

    fn overload_manager(&self) -> Value {
        let mut monitors = vec![json!({
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                "max_active_downstream_connections": self.max_downstream_connections,
            },
        })];
        let Some(bytes) = self.max_heap_bytes else {
            return json!({"refresh_interval": "0.25s", "resource_monitors": monitors});
        };
        monitors.push(json!({
            "name": HEAP,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                "max_heap_size_bytes": bytes,
            },
        }));
        let actions = [
            heap_action("envoy.overload_actions.shrink_heap", 0.9),
            heap_action("envoy.overload_actions.stop_accepting_requests", 0.95),
        ];
        json!({"refresh_interval": "0.25s", "resource_monitors": monitors, "actions": actions})
    }
}

const HEAP: &str = "envoy.resource_monitors.fixed_heap";

fn heap_action(name: &str, share: f64) -> Value {
    json!({"name": name, "triggers": [{"name": HEAP, "threshold": {"value": share}}]})
}

fn layered_runtime() -> Value {
    json!({"layers": [{"name": "admin", "admin_layer": {}}]})
}

/// Leaves out what multiplies by worker or by histogram bucket and that no dashboard of a gateway shows.
fn stats_config() -> Value {
    json!({"stats_matcher": {"exclusion_list": {"patterns": [
        {"prefix": "listener_manager.worker_"},
        {"prefix": "server.worker_"},
        {"prefix": "dispatcher."},
        {"contains": ".worker_"},
        {"contains": ".tracing."},
    ]}}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_by_name_is_looked_up_again_and_again() {
        let cluster_type = |ads: &str| {
            let ads = ads.parse().unwrap();
            Bootstrap::new("a", "b", ads, Address::loopback(0)).to_json()["static_resources"]["clusters"][0]["type"]
                .clone()
        };
        assert_eq!(cluster_type("controller.ferrule:18000"), "STRICT_DNS");
        assert_eq!(cluster_type("[::1]:18000"), "STATIC");
        assert_eq!(cluster_type("unix:/run/xds.sock"), "STATIC");
    }
}
