//! `BackendTLSPolicy` (gateway.networking.k8s.io/v1, GEP-1897): TLS between the Gateway and a backend.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::meta::{ObjectMeta, Unread};
use super::reference::LocalObjectReference;
use super::traffic_policy::TargetReference;

/// How the certificate of a Service is checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendTLSPolicy {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: BackendTLSPolicySpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `BackendTLSPolicySpec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendTLSPolicySpec {
    /// Services of the policy's namespace; a section is the name of a port.
    pub target_refs: Vec<TargetReference>,
    /// What must hold.
    pub validation: BackendTLSPolicyValidation,
    /// For implementations.
    pub options: BTreeMap<String, String>,
}

/// `BackendTLSPolicyValidation`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendTLSPolicyValidation {
    /// Authorities, in ConfigMaps (key `ca.crt`) or ClusterTrustBundles.
    #[serde(rename = "caCertificateRefs")]
    pub ca_certificate_refs: Vec<LocalObjectReference>,
    /// `System` for those of the proxy's operating system.
    #[serde(rename = "wellKnownCACertificates")]
    pub well_known_ca_certificates: Option<String>,
    /// SNI, and what the certificate must be for unless `subjectAltNames` says otherwise.
    pub hostname: String,
    /// Any of these must be in the certificate.
    #[serde(rename = "subjectAltNames")]
    pub subject_alt_names: Vec<SubjectAltName>,
}

/// `SubjectAltName`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubjectAltName {
    /// `Hostname` or `URI`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For `Hostname`.
    pub hostname: Option<String>,
    /// For `URI`.
    pub uri: Option<String>,
}
