//! Parameters that hold where nobody says otherwise.

use serde_json::{Value, json};

use crate::settings::Settings;

/// Port that says at `/ready` whether a proxy serves.
pub(crate) const READINESS_PORT: u16 = 8082;
/// Port with statistics, for Prometheus at `/metrics`.
pub(crate) const STATS_PORT: u16 = 9091;
/// User and group of a proxy, which the image knows as well.
const USER: u32 = 10101;

/// `spec.kube` of the parameters that all others are merged into.
///
/// Replicas are left open, so that an autoscaler can own them.
pub(crate) fn kube(settings: &Settings, security: bool) -> Value {
    let mut kube = json!({
        "envoyContainer": {
            "bootstrap": {"logLevel": "info"},
            "image": image(settings),
        },
        "podTemplate": {
            "gracefulShutdown": {"enabled": true, "sleepTimeSeconds": 10},
            "terminationGracePeriodSeconds": 30,
            "startupProbe": probe(1, 60),
            "readinessProbe": probe(5, 2),
        },
        "service": {"type": "LoadBalancer"},
        "stats": {
            "enabled": true,
            "routePrefixRewrite": "/stats/prometheus?usedonly",
            "enableStatsRoute": true,
            "statsRoutePrefixRewrite": "/stats",
        },
    });
    if security {
        kube["envoyContainer"]["securityContext"] = container_security();
        kube["podTemplate"]["securityContext"] = pod_security();
    }
    kube
}

fn image(settings: &Settings) -> Value {
    let image = &settings.image;
    let mut json = json!({"repository": image.repository, "tag": image.tag});
    if let Some(registry) = &image.registry {
        json["registry"] = registry.as_str().into();
    }
    if let Some(policy) = &image.pull_policy {
        json["pullPolicy"] = policy.as_str().into();
    }
    json
}

fn probe(period: u32, failures: u32) -> Value {
    json!({
        "httpGet": {"path": "/ready", "port": READINESS_PORT},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    })
}

fn container_security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    })
}

/// Envoy listens on the listeners' own ports: the sysctl, one of those that Kubernetes holds for safe, lets it do so
/// below 1024 without being root.
fn pod_security() -> Value {
    json!({
        "runAsNonRoot": true,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
        "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
    })
}
