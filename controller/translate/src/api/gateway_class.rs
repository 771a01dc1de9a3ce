//! `GatewayClass` (gateway.networking.k8s.io/v1).

use serde::{Deserialize, Serialize};

use super::meta::{Condition, ObjectMeta, Unread};
use super::reference::ObjectReference;

/// Names the controller that serves Gateways of this class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatewayClass {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: GatewayClassSpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `GatewayClassSpec`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClassSpec {
    /// Domain-prefixed path of the controller.
    pub controller_name: String,
    /// Where its parameters are.
    #[serde(default)]
    pub parameters_ref: Option<ObjectReference>,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
}

/// `GatewayClassStatus`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClassStatus {
    /// `Accepted`.
    pub conditions: Vec<Condition>,
    /// What Gateways of this class can do, ascending.
    #[serde(default)]
    pub supported_features: Vec<SupportedFeature>,
}

/// `SupportedFeature`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupportedFeature {
    /// Such as `HTTPRouteMethodMatching`.
    pub name: String,
}
