//! `AWSSigningPolicy` (ferrule.dev/v1alpha1): requests are signed for a service of AWS on their way to it.

use serde::{Deserialize, Serialize};

use super::backend::AwsAuth;
use super::meta::{ObjectMeta, Unread};
use super::traffic_policy::TargetReference;

/// A policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AWSSigningPolicy {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: AWSSigningPolicySpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `AWSSigningPolicySpec`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AWSSigningPolicySpec {
    /// HTTPRoutes or rules of them, Services or ports of them, and Backends, of this namespace.
    #[serde(default)]
    pub target_refs: Vec<TargetReference>,
    /// Region that the service is in.
    pub region: String,
    /// The service's name in signatures, such as `s3`, `execute-api` or `es`.
    pub service: String,
    /// Authority that takes the place of the request's; by default that of a Backend with one host, else the request's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `System`: Backends are spoken to by TLS, and the operating system's authorities vouch for their host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// `Buffered`, which is the default, or `Unsigned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Bytes of a body that are held to be signed, 10 MiB by default; a larger one is a 413.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_limit: Option<u64>,
    /// Fields that are signed where a request has them, besides `host` and all `x-amz-*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed_headers: Vec<String>,
    /// Who signs; where it is left out, whoever the controller is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AwsAuth>,
}
