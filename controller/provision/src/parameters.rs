//! Which parameters hold for a Gateway: those of its class, and over them its own.
//!
//! Fields of both are merged first; then come the class's overlays, then the Gateway's.

use std::sync::Arc;

use ferrule_translate::api::gateway_class::GatewayClass;
use ferrule_translate::api::gateway_parameters::{GatewayParameters, KubernetesProxyConfig};
use ferrule_translate::api::meta::{GATEWAY_GROUP, KGATEWAY_GROUP};
use ferrule_translate::{ObjectRef, Problem, Reason, Store};
use serde_json::Value;

use crate::{Input, check, defaults, key, merge};

/// The parameters that hold.
pub(crate) struct Effective {
    /// All fields but the overlays.
    pub(crate) kube: KubernetesProxyConfig,
    /// Those who have overlays, in the order of their application.
    pub(crate) layers: Vec<Layer>,
    gateway: ObjectRef,
}

/// Parameters of one object, and who refers to them by which field.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) parameters: Arc<GatewayParameters>,
    field: &'static str,
    prefix: String,
}

impl Layer {
    /// Something is wrong with a field of these parameters; the Gateway says so.
    pub(crate) fn problem(&self, gateway: &ObjectRef, path: &str, detail: &str) -> Problem {
        let metadata = &self.parameters.metadata;
        let object = format!("GatewayParameters {}/{}", metadata.namespace, metadata.name);
        let detail = format!("{}{object}: {path}: {detail}", self.prefix);
        Problem::new(gateway, self.field, Reason::InvalidParameters, detail)
    }
}

impl Effective {
    /// Something is wrong with a field of a layer.
    pub(crate) fn problem(&self, layer: &Layer, path: &str, detail: &str) -> Problem {
        layer.problem(&self.gateway, path, detail)
    }

    /// What was made of all layers is no object of its kind.
    pub(crate) fn unfit(&self, object: &Value, path: &str, detail: &str) -> Problem {
        let kind = object["kind"].as_str().unwrap_or_default();
        let detail = format!("the {kind} that is made of it: {path}: {detail}");
        let field = self.layers.last().map_or(OF_GATEWAY, |layer| layer.field);
        Problem::new(&self.gateway, field, Reason::InvalidParameters, detail)
    }
}

/// The parameters of a Gateway; `None` where somebody else runs its proxies.
pub(crate) fn resolve(input: &Input<'_>) -> Result<Option<Effective>, Vec<Problem>> {
    let gateway = ObjectRef::new(GATEWAY_GROUP, "Gateway", &key(input.gateway).0, &key(input.gateway).1);
    let layers = layers(input, &gateway)?;
    if layers.last().is_some_and(|layer| layer.parameters.spec.self_managed.is_some()) {
        return Ok(None);
    }
    let kubes = layers.iter().filter_map(|layer| layer.parameters.spec.kube.as_ref());
    let omits = kubes.clone().filter_map(|kube| kube.omit_default_security_context).next_back();
    let mut merged = defaults::kube(input.settings, omits != Some(true));
    kubes.for_each(|kube| merge::merge(&mut merged, &serde_json::to_value(kube).unwrap_or(Value::Null)));
    let kube = serde_json::from_value(merged).map_err(|error| {
        let detail = format!("the parameters do not fit together: {error}");
        vec![Problem::new(&gateway, OF_GATEWAY, Reason::InvalidParameters, detail)]
    })?;
    Ok(Some(Effective { kube, layers, gateway }))
}

fn layers(input: &Input<'_>, gateway: &ObjectRef) -> Result<Vec<Layer>, Vec<Problem>> {
    let (mut layers, mut problems) = (Vec::new(), Vec::new());
    for layer in [of_class(input, gateway), of_gateway(input, gateway)] {
        match layer {
            Ok(layer) => layers.extend(layer),
            Err(problem) => problems.push(problem),
        }
    }
    for layer in &layers {
        let faults = check::faults(&layer.parameters.spec);
        problems.extend(faults.iter().map(|(path, detail)| layer.problem(gateway, path, detail)));
    }
    if problems.is_empty() { Ok(layers) } else { Err(problems) }
}

const OF_CLASS: &str = "spec.gatewayClassName";
const OF_GATEWAY: &str = "spec.infrastructure.parametersRef";

fn of_class(input: &Input<'_>, gateway: &ObjectRef) -> Result<Option<Layer>, Problem> {
    let prefix = format!("GatewayClass {}: spec.parametersRef: ", input.class.metadata.name);
    let refused = |detail: String| {
        Problem::new(gateway, OF_CLASS, Reason::InvalidParameters, format!("{prefix}{detail}"))
    };
    let parameters = referenced_by_class(input.class, input.parameters).map_err(refused)?;
    Ok(parameters.map(|parameters| Layer { parameters, field: OF_CLASS, prefix }))
}

fn of_gateway(input: &Input<'_>, gateway: &ObjectRef) -> Result<Option<Layer>, Problem> {
    let infrastructure = input.gateway.spec.infrastructure.as_ref();
    let Some(reference) = infrastructure.and_then(|infra| infra.parameters_ref.as_ref()) else {
        return Ok(None);
    };
    let namespace = &input.gateway.metadata.namespace;
    let found = find(input.parameters, &reference.group, &reference.kind, namespace, &reference.name);
    let refused = |detail| Problem::new(gateway, OF_GATEWAY, Reason::InvalidParameters, detail);
    let parameters = found.map_err(refused)?;
    Ok(Some(Layer { parameters, field: OF_GATEWAY, prefix: String::new() }))
}

/// What is wrong with the parameters of a class, whether or not it has Gateways.
#[must_use]
pub fn class_problems(class: &GatewayClass, parameters: &Store<GatewayParameters>) -> Vec<Problem> {
    let on = ObjectRef::new(GATEWAY_GROUP, "GatewayClass", "", &class.metadata.name);
    let problem = |detail| Problem::new(&on, "spec.parametersRef", Reason::InvalidParameters, detail);
    match referenced_by_class(class, parameters) {
        Err(detail) => vec![problem(detail)],
        Ok(None) => Vec::new(),
        Ok(Some(parameters)) => {
            let layer = Layer { parameters, field: "spec.parametersRef", prefix: String::new() };
            let faults = check::faults(&layer.parameters.spec);
            faults.iter().map(|(path, detail)| layer.problem(&on, path, detail)).collect()
        }
    }
}

fn referenced_by_class(
    class: &GatewayClass,
    parameters: &Store<GatewayParameters>,
) -> Result<Option<Arc<GatewayParameters>>, String> {
    let Some(reference) = &class.spec.parameters_ref else { return Ok(None) };
    let namespace = reference.namespace.as_deref().unwrap_or_default();
    if namespace.is_empty() {
        return Err("namespace: is missing; GatewayParameters have one".to_owned());
    }
    find(parameters, &reference.group, &reference.kind, namespace, &reference.name).map(Some)
}

fn find(
    parameters: &Store<GatewayParameters>,
    group: &str,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Result<Arc<GatewayParameters>, String> {
    if (group, kind) != (KGATEWAY_GROUP, "GatewayParameters") {
        return Err(format!(
            "{group}/{kind} is not supported; supported: {KGATEWAY_GROUP}/GatewayParameters"
        ));
    }
    let found = parameters.get(&(namespace.into(), name.into()));
    found.cloned().ok_or_else(|| format!("GatewayParameters {namespace}/{name} does not exist"))
}
