//! `Backend` (gateway.kgateway.dev/v1alpha1): a destination that is no Service.

use serde::{Deserialize, Serialize};

use super::meta::{Condition, ObjectMeta, Unread};

/// A destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: BackendSpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `BackendSpec`: exactly one of the destinations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendSpec {
    /// `AWS`, `Static`, `DynamicForwardProxy`, `GCP` or `PriorityGroups`; must agree with the field that is set.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// AWS.
    pub aws: Option<AwsBackend>,
    /// Fixed hosts.
    #[serde(rename = "static")]
    pub fixed: Option<StaticBackend>,
    /// The host that the request names.
    pub dynamic_forward_proxy: Option<serde_json::Value>,
    /// Google Cloud.
    pub gcp: Option<serde_json::Value>,
    /// Other Backends by priority.
    pub priority_groups: Option<serde_json::Value>,
}

/// `AwsBackend`: exactly one of `lambda` and `ec2`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AwsBackend {
    /// A Lambda function.
    pub lambda: Option<AwsLambda>,
    /// Instances of EC2.
    pub ec2: Option<serde_json::Value>,
    /// Account, twelve digits; the function's own one wins.
    pub account_id: Option<String>,
    /// Who calls; where it is left out, whoever the controller is.
    pub auth: Option<AwsAuth>,
    /// Region; `us-east-1` by default.
    pub region: Option<String>,
}

/// `AwsLambda`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AwsLambda {
    /// Account of the function, twelve digits.
    pub account_id: Option<String>,
    /// URL of the Lambda API in the place of the region's own.
    #[serde(rename = "endpointURL")]
    pub endpoint_url: Option<String>,
    /// Name.
    pub function_name: String,
    /// `Sync`, which is the default, or `Async`.
    pub invocation_mode: Option<String>,
    /// Version or alias; `$LATEST` by default.
    pub qualifier: Option<String>,
    /// `Envoy`, which is the default, or `None`.
    pub payload_transform_mode: Option<String>,
}

/// `AwsAuth`: the field of its type and no other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsAuth {
    /// `Secret` or `AssumeRole`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A Secret of the same namespace with `accessKey`, `secretKey` and maybe `sessionToken`.
    #[serde(default)]
    pub secret_ref: Option<SecretReference>,
    /// A role that the controller takes on.
    #[serde(default)]
    pub assume_role: Option<AwsAssumeRole>,
}

/// `corev1.LocalObjectReference`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretReference {
    /// Name.
    #[serde(default)]
    pub name: String,
}

/// `AwsAssumeRole`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsAssumeRole {
    /// ARN of the role.
    pub role_arn: String,
}

/// `StaticBackend`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaticBackend {
    /// At least one.
    pub hosts: Vec<Host>,
    /// `http2`, `grpc`, `grpc-web`, `kubernetes.io/h2c` or `kubernetes.io/ws`.
    #[serde(default)]
    pub app_protocol: Option<String>,
}

/// `Host`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// IP address or DNS name.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// `BackendStatus`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// `Accepted`, and where calls are signed `CredentialsReady`.
    pub conditions: Vec<Condition>,
}
