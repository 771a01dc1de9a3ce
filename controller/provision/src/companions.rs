//! Overlays of what was made, and what is made because an overlay asks for it: budgets and autoscalers.

use ferrule_translate::Problem;
use ferrule_translate::api::gateway_parameters::{KubernetesProxyConfig, KubernetesResourceOverlay};
use serde_json::{Value, json};

use crate::metadata::Identity;
use crate::overlay;
use crate::parameters::{Effective, Layer};

/// An overlay's field, what it is an overlay of, and how to get it.
struct Slot {
    field: &'static str,
    kind: &'static str,
    overlay: fn(&KubernetesProxyConfig) -> Option<&KubernetesResourceOverlay>,
    /// Makes the object where it is there only if somebody asks for it.
    make: Option<fn(&Identity) -> Value>,
}

const SLOTS: [Slot; 6] = [
    Slot {
        field: "deploymentOverlay",
        kind: "Deployment",
        overlay: |kube| kube.deployment_overlay.as_ref(),
        make: None,
    },
    Slot {
        field: "serviceOverlay",
        kind: "Service",
        overlay: |kube| kube.service_overlay.as_ref(),
        make: None,
    },
    Slot {
        field: "serviceAccountOverlay",
        kind: "ServiceAccount",
        overlay: |kube| kube.service_account_overlay.as_ref(),
        make: None,
    },
    Slot {
        field: "podDisruptionBudget",
        kind: "PodDisruptionBudget",
        overlay: |kube| kube.pod_disruption_budget.as_ref(),
        make: Some(|identity| {
            let spec = json!({"selector": {"matchLabels": identity.selector()}});
            object("policy/v1", "PodDisruptionBudget", identity, &spec)
        }),
    },
    Slot {
        field: "horizontalPodAutoscaler",
        kind: "HorizontalPodAutoscaler",
        overlay: |kube| kube.horizontal_pod_autoscaler.as_ref(),
        make: Some(|identity| {
            let spec = json!({"scaleTargetRef": target(identity)});
            object("autoscaling/v2", "HorizontalPodAutoscaler", identity, &spec)
        }),
    },
    Slot {
        field: "verticalPodAutoscaler",
        kind: "VerticalPodAutoscaler",
        overlay: |kube| kube.vertical_pod_autoscaler.as_ref(),
        make: Some(|identity| {
            let spec = json!({"targetRef": target(identity)});
            object("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", identity, &spec)
        }),
    },
];

fn object(api_version: &str, kind: &str, identity: &Identity, spec: &Value) -> Value {
    let metadata = identity.metadata(&identity.name, None, None);
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
}

fn target(identity: &Identity) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": identity.name})
}

/// Makes what overlays ask for, and applies all of them: the class's first, then the Gateway's.
pub(crate) fn overlay(
    effective: &Effective,
    identity: &Identity,
    objects: &mut Vec<Value>,
) -> Result<(), Problem> {
    for slot in &SLOTS {
        let layers = effective.layers.iter().filter_map(|layer| {
            let kube = layer.parameters.spec.kube.as_ref()?;
            Some((layer, (slot.overlay)(kube)?))
        });
        let layers: Vec<(&Layer, &KubernetesResourceOverlay)> = layers.collect();
        if let Some(make) = slot.make.filter(|_| !layers.is_empty()) {
            objects.push(make(identity));
        }
        for (layer, given) in layers {
            for object in objects.iter_mut().filter(|object| object["kind"] == slot.kind) {
                overlay::apply(object, given).map_err(|fault| {
                    let path = format!("spec.kube.{}{}", slot.field, fault.path);
                    effective.problem(layer, &path, &fault.detail)
                })?;
            }
        }
    }
    Ok(())
}
