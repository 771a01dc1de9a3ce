//! Parameters of one proxy -> Envoy's bootstrap: everything else comes from the controller over delta ADS.
//!
//! The limits follow Envoy's "best practices for edge proxies".

use serde_json::{Map, Value, json};

use crate::xds::{self, XDS_CLUSTER, XdsTls};
use crate::{Address, Readiness, StatsServer, ports, yaml};

/// What one proxy has of its own.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// `node.id`: names this proxy to the controller; where it is empty, Envoy's `--service-node` does.
    pub node_id: String,
    /// `node.cluster`: the gateway that this proxy is part of.
    pub node_cluster: String,
    /// `node.metadata`, what else the controller should know.
    pub node_metadata: Map<String, Value>,
    /// Where the controller serves delta ADS.
    pub ads: Address,
    /// TLS towards the controller; gRPC over plain HTTP/2 without it.
    pub tls: Option<XdsTls>,
    /// Where Envoy's admin interface listens. It has no access control: loopback or a socket only.
    pub admin: Address,
    /// Downstream connections that Envoy holds at most; further ones are closed at once.
    pub max_downstream_connections: u64,
    /// Heap in bytes at which Envoy sheds load; `None` where nothing bounds this process.
    pub max_heap_bytes: Option<u64>,
    /// The port for readiness probes.
    pub readiness: Option<Readiness>,
    /// The port for statistics.
    pub stats: Option<StatsServer>,
    /// `envoy.config.metrics.v3.StatsMatcher` in the place of ours.
    pub stats_matcher: Option<Value>,
    /// `envoy.config.bootstrap.v3.Bootstrap.ApplicationLogConfig.LogFormat`.
    pub log_format: Option<Value>,
    /// Queries that one UDP socket is used for when names are looked up; Envoy's default where it is `None`.
    pub udp_max_queries: Option<u32>,
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
            tls: None,
            admin,
            max_downstream_connections: 50_000,
            max_heap_bytes: None,
            readiness: None,
            stats: None,
            stats_matcher: None,
            log_format: None,
            udp_max_queries: None,
        }
    }

    /// The bootstrap as YAML.
    pub fn to_yaml(&self) -> String {
        yaml::write(&self.to_json())
    }

    /// The bootstrap as JSON.
    pub fn to_json(&self) -> Value {
        let mut bootstrap = json!({
            "node": self.node(),
            "admin": {"address": self.admin.to_envoy()},
            "dynamic_resources": dynamic_resources(),
            "static_resources": self.static_resources(),
            // Of thousands of clusters most workers use few.
            "cluster_manager": {"enable_deferred_cluster_creation": true},
            "overload_manager": self.overload_manager(),
            "memory_allocator_manager": memory_allocator_manager(),
            "layered_runtime": layered_runtime(),
            "stats_config": {"stats_matcher": self.stats_matcher.clone().unwrap_or_else(stats_matcher)},
            "deferred_stat_options": {"enable_deferred_creation_stats": true},
            // Merging the histograms of thousands of clusters every few seconds would hold up changes, asked for or not.
            "stats_flush_on_admin": true,
        });
        if let Some(format) = &self.log_format {
            bootstrap["application_log_config"] = json!({"log_format": format});
        }
        if let Some(queries) = self.udp_max_queries {
            bootstrap["typed_dns_resolver_config"] = dns_resolver(queries);
        }
        bootstrap
    }

    fn node(&self) -> Value {
        let mut node = json!({"cluster": self.node_cluster, "metadata": self.node_metadata});
        if !self.node_id.is_empty() {
            node["id"] = self.node_id.as_str().into();
        }
        node
    }

    fn static_resources(&self) -> Value {
        let readiness = self.readiness.as_ref().map(Readiness::listener);
        let stats = self.stats.as_ref().map(StatsServer::listener);
        let listeners: Vec<Value> = [readiness, stats].into_iter().flatten().collect();
        let mut clusters = vec![xds::cluster(&self.ads, self.tls.as_ref())];
        if listeners.is_empty() {
            return json!({"clusters": clusters});
        }
        clusters.push(ports::cluster(&self.admin));
        json!({"listeners": listeners, "clusters": clusters})
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

/// An Envoy that gave up waiting for the controller would be ready without serving anything.
fn dynamic_resources() -> Value {
    let over_ads = json!({"resource_api_version": "V3", "ads": {}, "initial_fetch_timeout": "0s"});
    json!({
        "ads_config": {
            "api_type": "DELTA_GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": true,
            "grpc_services": [{"envoy_grpc": {"cluster_name": XDS_CLUSTER}}],
        },
        "cds_config": over_ads,
        "lds_config": over_ads,
    })
}

fn dns_resolver(udp_max_queries: u32) -> Value {
    json!({
        "name": "envoy.network.dns_resolver.cares",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
            "udp_max_queries": udp_max_queries,
        },
    })
}

/// Statistics of each cluster that no dashboard of a gateway shows. Thousands of clusters would pay for them in memory.
const UNASKED: &str = concat!(
    r"cluster\..+\.(external\..+|http[123]\..+|circuit_breakers\.high\..+|default\.total_match_count|bind_errors",
    r"|original_dst_host_invalid|max_host_weight|warming_state|init_fetch_timeout|version(_text)?|update_.+|assignment_.+",
    r"|membership_(excluded|degraded)|lb_(subsets|zone|recalculate|local)_.+",
    r"|upstream_(flow_control_.+|internal_redirect_.+|http3_broken|queue_overloaded)",
    r"|upstream_cx_([rt]x_bytes_buffered|preconnect_skipped|max_.+|destroy_.+|.+_0_rtt|connect_attempts_exceeded|close_notify)",
    r"|upstream_cx_(http[123]_total|pool_overflow)",
    r"|upstream_rq_(0rtt|per_.+|max_.+|maintenance_mode|pending_failure_eject|active_overflow|rx_reset_no_error)",
    r"|upstream_rq_retry_(backoff_.+|limit_exceeded))",
);

/// Leaves out what multiplies by worker, by histogram bucket, by cluster or by route table, and that no dashboard of a gateway
/// shows.
fn stats_matcher() -> Value {
    json!({"exclusion_list": {"patterns": [
        {"prefix": "listener_manager.worker_"},
        {"prefix": "server.worker_"},
        {"prefix": "dispatcher."},
        {"contains": ".worker_"},
        {"contains": ".tracing."},
        {"contains": ".rds."},
        {"safe_regex": {"regex": UNASKED}},
    ]}})
}

/// Gives memory back that a burst of configuration has left free: 32 MiB a second.
fn memory_allocator_manager() -> Value {
    json!({"bytes_to_release": 32 << 20, "memory_release_interval": "1s"})
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
