//! `GatewayParameters`: how the proxies of a Gateway are provisioned.
//!
//! Parts that are Kubernetes' own kinds are taken as they are: the API server checks them when they are applied.

use super::shape::{
    Field, Shape, anything, boolean, integer, list, map, object, open, optional, port, required, text,
};
use super::{KGATEWAY, Kind, UNSERVED, columns};

/// Seconds of a year.
const YEAR: i64 = 31_536_000;

pub(super) fn kind() -> Kind {
    let spec = object([
        optional("kube", kube().about("Proxies run on Kubernetes, provisioned by the controller.")),
        optional("selfManaged", open().about("Somebody else runs the proxies; nothing is provisioned.")),
    ]);
    Kind {
        group: KGATEWAY,
        name: "GatewayParameters",
        plural: "gatewayparameters",
        short: "gwp",
        description: "How the proxies of a GatewayClass or of one Gateway are provisioned.",
        spec: spec.exactly_one(&["kube", "selfManaged"]),
        status: open(),
        columns: columns(&[]),
        is_policy: false,
    }
}

fn kube() -> Shape {
    let deployment = object([
        optional("replicas", integer().from(0).about("Pods; the autoscaler's business where it is not set.")),
        optional("strategy", open().about("DeploymentStrategy of apps/v1.")),
    ]);
    let account = object(extra());
    let fields = [
        optional("deployment", deployment.about("Replicas and their replacement.")),
        optional("envoyContainer", envoy_container().about("The container that runs Envoy.")),
        optional("sdsContainer", open().about(UNSERVED)),
        optional("podTemplate", pod().about("Pods.")),
        optional("service", service().about("The Service.")),
        optional("serviceAccount", account.about("The ServiceAccount.")),
        optional("istio", open().about(UNSERVED)),
        optional("stats", stats().about("Envoy's statistics.")),
        optional(
            "omitDefaultSecurityContext",
            boolean().about("Leaves security contexts to the platform; those that are asked for stay."),
        ),
    ];
    object(fields.into_iter().chain(overlays()))
}

fn overlays() -> [Field; 6] {
    [
        optional("deploymentOverlay", overlay().about("Changes the Deployment.")),
        optional("serviceOverlay", overlay().about("Changes the Service.")),
        optional("serviceAccountOverlay", overlay().about("Changes the ServiceAccount.")),
        optional("podDisruptionBudget", overlay().about("Asks for a PodDisruptionBudget.")),
        optional("horizontalPodAutoscaler", overlay().about("Asks for a HorizontalPodAutoscaler.")),
        optional("verticalPodAutoscaler", overlay().about("Asks for a VerticalPodAutoscaler.")),
    ]
}

/// A strategic merge patch; null takes a key away.
fn overlay() -> Shape {
    let metadata = object([
        optional("labels", map(text().nullable()).about("Labels; null takes one away.")),
        optional("annotations", map(text().nullable()).about("Annotations; null takes one away.")),
    ]);
    object([
        optional("metadata", metadata.about("Labels and annotations.")),
        optional("spec", anything().about("A strategic merge patch of the object's spec.")),
    ])
}

/// Labels and annotations of what is provisioned.
fn extra() -> [Field; 2] {
    [
        optional("extraLabels", map(text()).about("Labels; those of the Gateway's infrastructure win.")),
        optional(
            "extraAnnotations",
            map(text()).about("Annotations; those of the Gateway's infrastructure win."),
        ),
    ]
}

fn envoy_container() -> Shape {
    object([
        optional("bootstrap", bootstrap().about("What Envoy starts with.")),
        optional("image", image().about("Image.")),
        optional("securityContext", open().about("SecurityContext of v1.")),
        optional("resources", open().about("ResourceRequirements of v1.")),
        optional("extraArgs", list(text()).items(1, 32).about("Further arguments of Envoy.")),
        optional("env", list(open()).about("EnvVars of v1.")),
        optional("extraVolumeMounts", list(open()).about("VolumeMounts of v1.")),
    ])
}

fn bootstrap() -> Shape {
    let format = object([
        optional("json", open().about("Members of a JSON object.")),
        optional("text", text().about("A line.")),
    ]);
    let resolver = object([optional(
        "udpMaxQueries",
        integer().from(0).about("Queries by one UDP socket before another is used; 0 for any number."),
    )]);
    object([
        optional("logFormat", format.exactly_one(&["json", "text"]).about("Of Envoy's own log.")),
        optional("logLevel", text().about("trace to critical, or off; info by default.")),
        optional("componentLogLevels", map(text()).about("Levels by component.")),
        optional("dnsResolver", resolver.about("How names are looked up.")),
        optional(
            "enableReadinessProbeProxyProtocol",
            boolean().about(
                "The readiness port also takes the PROXY protocol, for probes through a load balancer.",
            ),
        ),
    ])
}

fn image() -> Shape {
    object([
        optional("registry", text().about("Registry.")),
        optional("repository", text().about("Name.")),
        optional("tag", text().about("Tag.")),
        optional("digest", text().about("Such as sha256:...")),
        optional("pullPolicy", text().about("Always, IfNotPresent or Never.")),
    ])
}

fn pod() -> Shape {
    let shutdown = object([
        optional(
            "enabled",
            boolean().about("Whether Envoy fails its health check and drains before it ends."),
        ),
        optional("sleepTimeSeconds", seconds().about("Seconds from there to the end.")),
    ]);
    let fields = [
        optional("securityContext", open().about("PodSecurityContext of v1.")),
        optional("imagePullSecrets", list(open()).about("LocalObjectReferences of v1.")),
        optional("nodeSelector", map(text()).about("Labels of nodes.")),
        optional("affinity", open().about("Affinity of v1.")),
        optional("tolerations", list(open()).about("Tolerations of v1.")),
        optional("gracefulShutdown", shutdown.about("What happens before Envoy is told to end.")),
        optional(
            "terminationGracePeriodSeconds",
            seconds().about("Seconds until a pod that does not end is killed."),
        ),
        optional("startupProbe", open().about("Probe of v1.")),
        optional("readinessProbe", open().about("Probe of v1.")),
        optional("livenessProbe", open().about("Probe of v1.")),
        optional("topologySpreadConstraints", list(open()).about("TopologySpreadConstraints of v1.")),
        optional("extraVolumes", list(open()).about("Volumes of v1.")),
        optional("priorityClassName", text().about("Name of a PriorityClass.")),
    ];
    object(extra().into_iter().chain(fields))
}

fn seconds() -> Shape {
    integer().format("int64").from(0).to(YEAR)
}

fn service() -> Shape {
    let ports = list(object([
        required("port", port().about("Port of a listener, or a further one.")),
        optional("nodePort", port().about("Port of the nodes.")),
    ]));
    let types = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"];
    let fields = [
        optional("type", text().one_of(&types).about("LoadBalancer by default.")),
        optional("clusterIP", text().about("A cluster IP of one's own choice.")),
        optional("ports", ports.about("Node ports, and TCP ports that no listener has.")),
        optional("externalTrafficPolicy", text().about("Cluster or Local.")),
        optional("loadBalancerClass", text().about("Which load balancer.")),
        optional("loadBalancerSourceRanges", list(text()).about("CIDRs that the load balancer lets in.")),
    ];
    object(fields.into_iter().chain(extra()))
}

fn stats() -> Shape {
    let matcher = object([
        optional("inclusionList", matchers().about("These and no others.")),
        optional("exclusionList", matchers().about("All but these.")),
    ]);
    object([
        optional("enabled", boolean().about("Whether there is a port for statistics; true by default.")),
        optional("routePrefixRewrite", text().about("Path of Envoy's admin interface that /metrics shows.")),
        optional("enableStatsRoute", boolean().about("Whether there is /stats, too; true by default.")),
        optional(
            "statsRoutePrefixRewrite",
            text().about("Path of Envoy's admin interface that /stats shows."),
        ),
        optional("matcher", matcher.entries(1, 1).about("Which statistics Envoy keeps.")),
    ])
}

fn matchers() -> Shape {
    let matcher = object([
        optional("exact", text().about("The whole.")),
        optional("prefix", text().about("The beginning.")),
        optional("suffix", text().about("The end.")),
        optional("contains", text().about("Any part.")),
        optional("safeRegex", text().about("The whole, as an RE2 expression.")),
        optional("ignoreCase", boolean().about("Whether case does not matter; not with safeRegex.")),
    ]);
    list(matcher.exactly_one(&["exact", "prefix", "suffix", "contains", "safeRegex"])).items(0, 16)
}
