//! Labels, annotations and owner of what is provisioned.
//!
//! Of a label that several set, ours wins, then the Gateway's `spec.infrastructure`, then the parameters.

use std::collections::BTreeMap;

use ferrule_translate::api::gateway::Gateway;
use ferrule_translate::api::meta::GATEWAY_GROUP;
use serde_json::{Map, Value, json};

use crate::{Input, names};

/// Label with the name of the Gateway (GEP-1762).
pub const GATEWAY_LABEL: &str = "gateway.networking.k8s.io/gateway-name";
/// Label with the name of its class (GEP-1762).
pub const GATEWAY_CLASS_LABEL: &str = "gateway.networking.k8s.io/gateway-class-name";
/// Label that says who made an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Its value.
pub const MANAGED_BY: &str = "ferrule";

pub(crate) type Texts = BTreeMap<String, String>;

/// What all objects of a Gateway share.
pub(crate) struct Identity {
    pub(crate) namespace: String,
    pub(crate) gateway: String,
    pub(crate) name: String,
    labels: Texts,
    infrastructure_labels: Texts,
    infrastructure_annotations: Texts,
    owner: Option<Value>,
}

impl Identity {
    pub(crate) fn of(input: &Input<'_>) -> Self {
        let metadata = &input.gateway.metadata;
        let infrastructure = input.gateway.spec.infrastructure.clone().unwrap_or_default();
        let name = names::object_name(&metadata.name);
        let mut labels = selector(&metadata.name);
        let class = names::label_value(&input.class.metadata.name);
        labels.extend([
            (GATEWAY_CLASS_LABEL.to_owned(), class),
            (MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned()),
            ("app.kubernetes.io/instance".to_owned(), name.clone()),
        ]);
        Self {
            namespace: metadata.namespace.clone(),
            gateway: metadata.name.clone(),
            name,
            labels,
            infrastructure_labels: not_reserved(infrastructure.labels),
            infrastructure_annotations: not_reserved(infrastructure.annotations),
            owner: owner(input.gateway),
        }
    }

    /// `metadata` of the object `name`, over what parameters say.
    pub(crate) fn metadata(&self, name: &str, labels: Option<&Texts>, annotations: Option<&Texts>) -> Value {
        let mut metadata = self.pod_metadata(labels, annotations);
        metadata["name"] = name.into();
        metadata["namespace"] = self.namespace.as_str().into();
        if let Some(owner) = &self.owner {
            metadata["ownerReferences"] = json!([owner]);
        }
        metadata
    }

    /// `metadata` of pods, over what parameters say.
    pub(crate) fn pod_metadata(&self, labels: Option<&Texts>, annotations: Option<&Texts>) -> Value {
        let mut all = labels.cloned().unwrap_or_default();
        all.extend(self.infrastructure_labels.clone());
        all.extend(self.labels.clone());
        let mut metadata = json!({"labels": all});
        let mut annotations = annotations.cloned().unwrap_or_default();
        annotations.extend(self.infrastructure_annotations.clone());
        if !annotations.is_empty() {
            metadata["annotations"] = json!(annotations);
        }
        metadata
    }

    /// A label selector of the pods.
    pub(crate) fn selector(&self) -> Value {
        json!(selector(&self.gateway))
    }
}

/// Labels that select the pods of a Gateway in its namespace, now and for ever: a Deployment's selector cannot change.
#[must_use]
pub fn selector(gateway: &str) -> BTreeMap<String, String> {
    [(GATEWAY_LABEL, names::label_value(gateway)), ("app.kubernetes.io/name", "ferrule-proxy".to_owned())]
        .map(|(label, value)| (label.to_owned(), value))
        .into()
}

/// Whether an object of the Gateway's namespace was made here, for that Gateway. Any other object of its name is
/// somebody's own, and must not be overwritten.
#[must_use]
pub fn belongs_to(gateway: &str, object: &Value) -> bool {
    let label = |name: &str| object["metadata"]["labels"][name].as_str();
    label(MANAGED_BY_LABEL) == Some(MANAGED_BY) && label(GATEWAY_LABEL) == Some(&names::label_value(gateway))
}

/// Gateway API's own prefix is for what it and we say.
fn not_reserved(texts: BTreeMap<String, String>) -> Texts {
    texts.into_iter().filter(|(key, _)| !key.starts_with("gateway.networking.k8s.io/")).collect()
}

fn owner(gateway: &Gateway) -> Option<Value> {
    let uid = gateway.metadata.uid.as_ref()?;
    Some(json!({
        "apiVersion": format!("{GATEWAY_GROUP}/v1"),
        "kind": "Gateway",
        "name": gateway.metadata.name,
        "uid": uid,
        "controller": true,
    }))
}

/// Adds annotations to a metadata, but not over what it has.
pub(crate) fn annotate(metadata: &mut Value, annotations: &[(&str, String)]) {
    let Some(metadata) = metadata.as_object_mut() else { return };
    let all = metadata.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
    for (name, value) in annotations {
        if all.get(*name).is_none() {
            all[*name] = value.as_str().into();
        }
    }
}
