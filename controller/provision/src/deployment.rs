//! The Deployment of proxies, and the ServiceAccount that they run as.

use ferrule_translate::api::gateway_parameters::{
    EnvoyBootstrap, EnvoyContainer, GracefulShutdownSpec, Image, Pod,
};
use serde_json::{Map, Value, json};

use crate::config::{ADMIN_PORT, BOOTSTRAP, CONFIG_FOLDER, CREDENTIALS_FOLDER, ConfigMap};
use crate::defaults::{READINESS_PORT, STATS_PORT};
use crate::metadata::{Identity, annotate};
use crate::parameters::Effective;
use crate::{Input, names};

/// Name of the container that runs Envoy.
const CONTAINER: &str = "ferrule-proxy";
/// The program in the image.
const PROGRAM: &str = "envoy-bootstrap";
/// Annotation of pods that changes with their ConfigMap, so that a change of it replaces them.
const CONFIG_HASH: &str = "ferrule.dev/config-hash";

/// The ServiceAccount. Proxies ask nothing of the API server, so no token is mounted.
pub(crate) fn service_account(effective: &Effective, identity: &Identity) -> Value {
    let given = effective.kube.service_account.clone().unwrap_or_default();
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": identity.metadata(&identity.name, given.extra_labels.as_ref(), given.extra_annotations.as_ref()),
        "automountServiceAccountToken": false,
    })
}

/// The Deployment. Its pods name no port of a listener, so that they outlive any change of listeners.
pub(crate) fn deployment(
    input: &Input<'_>,
    effective: &Effective,
    identity: &Identity,
    config: &ConfigMap,
) -> Value {
    let given = effective.kube.deployment.clone().unwrap_or_default();
    let mut spec = json!({
        "selector": {"matchLabels": identity.selector()},
        "template": template(input, effective, identity, config),
    });
    set(&mut spec, "replicas", given.replicas.map(Value::from));
    set(&mut spec, "strategy", given.strategy);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": identity.metadata(&identity.name, None, None),
        "spec": spec,
    })
}

fn template(input: &Input<'_>, effective: &Effective, identity: &Identity, config: &ConfigMap) -> Value {
    let pod = effective.kube.pod_template.clone().unwrap_or_default();
    let mut metadata = identity.pod_metadata(pod.extra_labels.as_ref(), pod.extra_annotations.as_ref());
    annotate(&mut metadata, &[(CONFIG_HASH, config.hash.clone())]);
    if serves_stats(effective) {
        annotate(
            &mut metadata,
            &[
                ("prometheus.io/scrape", "true".to_owned()),
                ("prometheus.io/port", STATS_PORT.to_string()),
                ("prometheus.io/path", "/metrics".to_owned()),
            ],
        );
    }
    json!({"metadata": metadata, "spec": pod_spec(input, effective, identity, &pod)})
}

fn serves_stats(effective: &Effective) -> bool {
    effective.kube.stats.as_ref().is_some_and(|stats| stats.enabled == Some(true))
}

fn pod_spec(input: &Input<'_>, effective: &Effective, identity: &Identity, pod: &Pod) -> Value {
    let mut secret = json!({"secretName": names::credentials_name(&input.gateway.metadata.name)});
    // Without a group of their own, files that only root's group may read could not be read.
    let grouped = pod.security_context.as_ref().is_some_and(|context| context["fsGroup"].is_number());
    set(&mut secret, "defaultMode", grouped.then(|| 0o440.into()));
    let mut volumes = vec![
        json!({"name": "config", "configMap": {"name": identity.name}}),
        json!({"name": "credentials", "secret": secret}),
    ];
    volumes.extend(pod.extra_volumes.clone().unwrap_or_default());
    let mut spec = json!({
        "serviceAccountName": identity.name,
        "automountServiceAccountToken": false,
        "containers": [container(effective, pod)],
        "volumes": volumes,
    });
    set(&mut spec, "securityContext", pod.security_context.clone());
    set(&mut spec, "imagePullSecrets", pod.image_pull_secrets.clone().map(Value::from));
    set(&mut spec, "nodeSelector", pod.node_selector.as_ref().map(|labels| json!(labels)));
    set(&mut spec, "affinity", pod.affinity.clone());
    set(&mut spec, "tolerations", pod.tolerations.clone().map(Value::from));
    set(&mut spec, "topologySpreadConstraints", pod.topology_spread_constraints.clone().map(Value::from));
    set(&mut spec, "priorityClassName", pod.priority_class_name.clone().map(Value::from));
    set(&mut spec, "terminationGracePeriodSeconds", pod.termination_grace_period_seconds.map(Value::from));
    spec
}

fn container(effective: &Effective, pod: &Pod) -> Value {
    let given = effective.kube.envoy_container.clone().unwrap_or_default();
    let image = given.image.clone().unwrap_or_default();
    let mut mounts = vec![
        json!({"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": true}),
        json!({"name": "credentials", "mountPath": CREDENTIALS_FOLDER, "readOnly": true}),
    ];
    mounts.extend(given.extra_volume_mounts.clone().unwrap_or_default());
    let mut container = json!({
        "name": CONTAINER,
        "image": reference(&image),
        "args": arguments(&given),
        "env": environment(&given),
        "ports": ports(effective),
        "volumeMounts": mounts,
    });
    set(&mut container, "imagePullPolicy", image.pull_policy.map(Value::from));
    set(&mut container, "securityContext", given.security_context);
    set(&mut container, "resources", given.resources);
    set(&mut container, "startupProbe", pod.startup_probe.clone());
    set(&mut container, "readinessProbe", pod.readiness_probe.clone());
    set(&mut container, "livenessProbe", pod.liveness_probe.clone());
    set(&mut container, "lifecycle", pod.graceful_shutdown.as_ref().and_then(lifecycle));
    container
}

/// Such as `registry/name:tag@digest`.
fn reference(image: &Image) -> String {
    let part = |before: &str, part: &Option<String>, after: &str| {
        part.as_deref()
            .filter(|part| !part.is_empty())
            .map(|part| format!("{before}{part}{after}"))
            .unwrap_or_default()
    };
    let registry = part("", &image.registry, "/");
    let name = part("", &image.repository, "");
    format!("{registry}{name}{}{}", part(":", &image.tag, ""), part("@", &image.digest, ""))
}

fn arguments(given: &EnvoyContainer) -> Vec<String> {
    let mut arguments: Vec<String> = ["run", "--config"].map(ToOwned::to_owned).into();
    arguments.push(format!("{CONFIG_FOLDER}/{BOOTSTRAP}"));
    arguments.push("--".to_owned());
    let bootstrap = given.bootstrap.clone().unwrap_or_default();
    arguments.extend(log_arguments(&bootstrap));
    arguments.extend(given.extra_args.clone().unwrap_or_default());
    arguments
}

fn log_arguments(bootstrap: &EnvoyBootstrap) -> Vec<String> {
    let mut arguments = Vec::new();
    if let Some(level) = &bootstrap.log_level {
        arguments.extend(["--log-level".to_owned(), level.clone()]);
    }
    let components = bootstrap.component_log_levels.iter().flatten();
    let components: Vec<String> =
        components.map(|(component, level)| format!("{component}:{level}")).collect();
    if !components.is_empty() {
        arguments.extend(["--component-log-level".to_owned(), components.join(",")]);
    }
    arguments
}

/// What `envoy-bootstrap run` tells Envoy of the pod, and what parameters say over it.
fn environment(given: &EnvoyContainer) -> Vec<Value> {
    let field =
        |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let mut environment = vec![
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("NODE_NAME", "spec.nodeName"),
        field("ZONE", "metadata.labels['topology.kubernetes.io/zone']"),
    ];
    for variable in given.env.iter().flatten() {
        match environment.iter_mut().find(|ours| ours["name"] == variable["name"]) {
            Some(ours) => *ours = variable.clone(),
            None => environment.push(variable.clone()),
        }
    }
    environment
}

fn ports(effective: &Effective) -> Vec<Value> {
    let port = |name: &str, port: u16| json!({"name": name, "containerPort": port, "protocol": "TCP"});
    let stats = serves_stats(effective).then(|| port("stats", STATS_PORT));
    std::iter::once(port("readiness", READINESS_PORT)).chain(stats).collect()
}

/// Before Envoy is told to end: its health check fails, so that traffic goes elsewhere, and connections are drained.
fn lifecycle(shutdown: &GracefulShutdownSpec) -> Option<Value> {
    if shutdown.enabled != Some(true) {
        return None;
    }
    let seconds = shutdown.sleep_time_seconds.unwrap_or_default().to_string();
    let admin = format!("127.0.0.1:{ADMIN_PORT}");
    let command = [PROGRAM, "drain", "--admin", &admin, "--seconds", &seconds];
    Some(json!({"preStop": {"exec": {"command": command}}}))
}

/// Sets a field that has a value.
pub(crate) fn set(object: &mut Value, field: &str, value: Option<Value>) {
    if let (Some(value), Some(fields)) = (value, object.as_object_mut()) {
        let fields: &mut Map<String, Value> = fields;
        fields.insert(field.to_owned(), value);
    }
}
