//! Whether an object is what Kubernetes calls by its kind: parameters hold parts of objects that nobody else reads.
//!
//! Fields that are not known here are left to the API server, which may be newer.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is wrong with an object: its field, and why.
pub(crate) fn fault(object: &Value) -> Option<(String, String)> {
    let read = match object["kind"].as_str().unwrap_or_default() {
        "Deployment" => read::<Deployment>,
        "Service" => read::<Service>,
        "ServiceAccount" => read::<ServiceAccount>,
        "PodDisruptionBudget" => read::<PodDisruptionBudget>,
        "HorizontalPodAutoscaler" => read::<HorizontalPodAutoscaler>,
        _ => return None,
    };
    read(object)
}

fn read<T: DeserializeOwned>(object: &Value) -> Option<(String, String)> {
    let error = serde_path_to_error::deserialize::<_, T>(object).err()?;
    Some((error.path().to_string(), error.inner().to_string()))
}
