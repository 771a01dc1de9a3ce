//! The CustomResourceDefinitions of the kinds of gateway.kgateway.dev that are served, and of this project's own.
//!
//! They are a table and not derived from the Rust types, because those keep as plain JSON what the filters read, and what
//! is not served; manifests in `tests`, sound ones and bad ones, hold the table. Limits are those of kgateway's kinds, so that
//! its manifests are taken unchanged. Fields of kgateway that are not served are taken as they are: status tells of them.

mod aws;
mod aws_signing_policy;
mod backend;
mod cache_policy;
mod gateway_parameters;
mod lambda_policy;
mod shape;
mod status;
mod traffic_policy;
mod transformation;

use serde_json::{Value, json};

use shape::{Shape, object, open, optional, required, text};

const KGATEWAY: &str = "gateway.kgateway.dev";
const FERRULE: &str = "ferrule.dev";

/// What there is to say of a kind besides its fields.
struct Kind {
    group: &'static str,
    name: &'static str,
    plural: &'static str,
    short: &'static str,
    description: &'static str,
    spec: Shape,
    status: Shape,
    columns: Value,
    /// Whether it is a policy that changes what it is attached to (GEP-713).
    is_policy: bool,
}

/// All definitions, as an API server takes them.
pub fn crds() -> Vec<Value> {
    let kinds = [
        aws_signing_policy::kind(),
        backend::kind(),
        cache_policy::kind(),
        gateway_parameters::kind(),
        lambda_policy::kind(),
        traffic_policy::kind(),
    ];
    kinds.into_iter().map(Kind::into_crd).collect()
}

impl Kind {
    fn into_crd(self) -> Value {
        let mut labels = json!({"app.kubernetes.io/name": "ferrule"});
        if self.is_policy {
            labels["gateway.networking.k8s.io/policy"] = "Direct".into();
        }
        let schema = object([
            optional("apiVersion", text().about(&format!("Group and version, as {}/v1alpha1.", self.group))),
            optional("kind", text().about("The kind.")),
            optional("metadata", object([])),
            required("spec", self.spec.about("What is wanted.")),
            optional("status", self.status.about("What became of it; written by the controller.")),
        ]);
        let categories =
            if self.group == KGATEWAY { json!(["ferrule", "kgateway"]) } else { json!(["ferrule"]) };
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{}.{}", self.plural, self.group), "labels": labels},
            "spec": {
                "group": self.group,
                "names": {
                    "kind": self.name,
                    "listKind": format!("{}List", self.name),
                    "plural": self.plural,
                    "singular": self.name.to_lowercase(),
                    "shortNames": [self.short],
                    "categories": categories,
                },
                "scope": "Namespaced",
                "versions": [{
                    "name": "v1alpha1",
                    "served": true,
                    "storage": true,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": self.columns,
                    "schema": {"openAPIV3Schema": schema.about(self.description).into_value()},
                }],
            },
        })
    }
}

/// Columns of `kubectl get`, besides the age: name and JSONPath.
fn columns(named: &[(&str, &str)]) -> Value {
    let column = |(name, path): &(&str, &str)| json!({"name": name, "type": "string", "jsonPath": path});
    let age = json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"});
    named.iter().map(column).chain([age]).collect()
}

const UNSERVED: &str = "Not served: it is kept, and the status tells that it does nothing.";

/// An object of kgateway that is not served.
fn unserved(name: &'static str) -> shape::Field {
    optional(name, open().about(UNSERVED))
}
