//! `GatewayParameters` (gateway.kgateway.dev/v1alpha1): how the proxies of a Gateway are provisioned.
//!
//! Parts that are Kubernetes' own kinds are kept as they are: the API server checks them, and so does what makes
//! objects of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::{ObjectMeta, Unread};

/// Parameters of a GatewayClass or of one Gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatewayParameters {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: GatewayParametersSpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `GatewayParametersSpec`: exactly one of both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayParametersSpec {
    /// Proxies run on Kubernetes, provisioned by the controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube: Option<KubernetesProxyConfig>,
    /// Somebody else runs the proxies; nothing is provisioned. Has no fields of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_managed: Option<Map<String, Value>>,
}

/// `KubernetesProxyConfig`. Overlays come after all other fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubernetesProxyConfig {
    /// Replicas and their replacement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<ProxyDeployment>,
    /// The container that runs Envoy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_container: Option<EnvoyContainer>,
    /// A sidecar that serves secrets of files; not provisioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sds_container: Option<Value>,
    /// Pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<Pod>,
    /// The Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// The ServiceAccount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccount>,
    /// Istio's sidecar; not provisioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub istio: Option<Value>,
    /// Envoy's statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<StatsConfig>,
    /// Leaves security contexts to the platform; those that are asked for stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omit_default_security_context: Option<bool>,
    /// Changes the Deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_overlay: Option<KubernetesResourceOverlay>,
    /// Changes the Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_overlay: Option<KubernetesResourceOverlay>,
    /// Changes the ServiceAccount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_overlay: Option<KubernetesResourceOverlay>,
    /// Asks for a PodDisruptionBudget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_disruption_budget: Option<KubernetesResourceOverlay>,
    /// Asks for a HorizontalPodAutoscaler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizontal_pod_autoscaler: Option<KubernetesResourceOverlay>,
    /// Asks for a VerticalPodAutoscaler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vertical_pod_autoscaler: Option<KubernetesResourceOverlay>,
}

/// `ProxyDeployment`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProxyDeployment {
    /// Pods; Kubernetes' default, or the autoscaler's business, where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// `apps/v1` `DeploymentStrategy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Value>,
}

/// `EnvoyContainer`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvoyContainer {
    /// What Envoy starts with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<EnvoyBootstrap>,
    /// Image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// `v1` `SecurityContext`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Value>,
    /// `v1` `ResourceRequirements`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Value>,
    /// Further arguments of Envoy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_args: Option<Vec<String>>,
    /// `v1` `EnvVar`s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<Value>>,
    /// `v1` `VolumeMount`s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_volume_mounts: Option<Vec<Value>>,
}

/// `EnvoyBootstrap`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvoyBootstrap {
    /// Of Envoy's own log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
    /// `trace` to `critical`, or `off`; `info` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
    /// Levels by component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_log_levels: Option<BTreeMap<String, String>>,
    /// How names are looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_resolver: Option<DnsResolver>,
    /// The readiness port also takes the PROXY protocol, for probes that come through a load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_readiness_probe_proxy_protocol: Option<bool>,
}

/// `LogFormat`: exactly one of both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogFormat {
    /// Members of a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Map<String, Value>>,
    /// A line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// `DnsResolver`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DnsResolver {
    /// Queries by one UDP socket before another is used; 0 for any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_max_queries: Option<u32>,
}

/// `Image`. A tag without a digest replaces an inherited digest, and the other way round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Image {
    /// Registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Such as `sha256:...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// `Always`, `IfNotPresent` or `Never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<String>,
}

/// `Pod`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    /// Labels; those of the Gateway's infrastructure win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_labels: Option<BTreeMap<String, String>>,
    /// Annotations; those of the Gateway's infrastructure win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_annotations: Option<BTreeMap<String, String>>,
    /// `v1` `PodSecurityContext`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Value>,
    /// `v1` `LocalObjectReference`s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<Vec<Value>>,
    /// Labels of nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// `v1` `Affinity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Value>,
    /// `v1` `Toleration`s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Vec<Value>>,
    /// What happens before Envoy is told to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graceful_shutdown: Option<GracefulShutdownSpec>,
    /// Seconds until a pod that does not end is killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_grace_period_seconds: Option<u32>,
    /// `v1` `Probe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Value>,
    /// `v1` `Probe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Value>,
    /// `v1` `Probe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Value>,
    /// `v1` `TopologySpreadConstraint`s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topology_spread_constraints: Option<Vec<Value>>,
    /// `v1` `Volume`s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_volumes: Option<Vec<Value>>,
    /// Name of a PriorityClass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
}

/// `GracefulShutdownSpec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GracefulShutdownSpec {
    /// Whether Envoy fails its health check and drains before it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Seconds from there to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sleep_time_seconds: Option<u32>,
}

/// `Service`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    /// `ClusterIP`, `NodePort` or `LoadBalancer`, the default. (`ExternalName` is in the schema, and refused.)
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A cluster IP of one's own choice.
    #[serde(rename = "clusterIP", skip_serializing_if = "Option::is_none")]
    pub cluster_ip: Option<String>,
    /// Labels; those of the Gateway's infrastructure win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_labels: Option<BTreeMap<String, String>>,
    /// Annotations; those of the Gateway's infrastructure win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_annotations: Option<BTreeMap<String, String>>,
    /// Node ports, and TCP ports that no listener has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<Port>>,
    /// `Cluster` or `Local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<String>,
    /// Which load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_class: Option<String>,
    /// CIDRs that the load balancer lets in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_source_ranges: Option<Vec<String>>,
}

/// `Port`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Port of a listener, or a further one.
    pub port: u16,
    /// Port of the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_port: Option<u16>,
}

/// `ServiceAccount`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceAccount {
    /// Labels; those of the Gateway's infrastructure win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_labels: Option<BTreeMap<String, String>>,
    /// Annotations; those of the Gateway's infrastructure win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_annotations: Option<BTreeMap<String, String>>,
}

/// `StatsConfig`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatsConfig {
    /// Whether there is a port for statistics; true by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Path of Envoy's admin interface that `/metrics` shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_prefix_rewrite: Option<String>,
    /// Whether there is `/stats`, too; true by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_stats_route: Option<bool>,
    /// Path of Envoy's admin interface that `/stats` shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats_route_prefix_rewrite: Option<String>,
    /// Which statistics Envoy keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matcher: Option<StatsMatcher>,
}

/// `StatsMatcher`: exactly one of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatsMatcher {
    /// These and no others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inclusion_list: Option<Vec<StringMatcher>>,
    /// All but these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusion_list: Option<Vec<StringMatcher>>,
}

/// `StringMatcher`: exactly one of the first five.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StringMatcher {
    /// The whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// The beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// Any part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// The whole, as an RE2 expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safe_regex: Option<String>,
    /// Whether case does not matter; not with `safeRegex`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_case: Option<bool>,
}

/// `KubernetesResourceOverlay`: a strategic merge patch for an object that was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubernetesResourceOverlay {
    /// Labels and annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<OverlayMetadata>,
    /// A part of the object's `spec`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<Value>,
}

/// `ObjectMetadata` of an overlay; null takes a key away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OverlayMetadata {
    /// Labels.
    pub labels: BTreeMap<String, Option<String>>,
    /// Annotations.
    pub annotations: BTreeMap<String, Option<String>>,
}
