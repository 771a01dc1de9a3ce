//! `ClusterTrustBundle` (certificates.k8s.io): authorities that a whole cluster trusts.

use serde::{Deserialize, Serialize};

use super::meta::ObjectMeta;

/// A set of trust anchors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterTrustBundle {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is trusted.
    pub spec: ClusterTrustBundleSpec,
}

/// `ClusterTrustBundleSpec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterTrustBundleSpec {
    /// Who may change it.
    #[serde(default)]
    pub signer_name: Option<String>,
    /// PEM certificates.
    pub trust_bundle: String,
}
