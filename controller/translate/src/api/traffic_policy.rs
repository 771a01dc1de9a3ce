//! `TrafficPolicy` (gateway.kgateway.dev/v1alpha1): what happens to the requests of its targets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::meta::{Condition, ObjectMeta, Unread};
use super::route::ParentReference;

/// A policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficPolicy {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: TrafficPolicySpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `TrafficPolicySpec`. Fields that are not implemented are kept so that they can be refused by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct TrafficPolicySpec {
    /// Objects of this namespace.
    pub target_refs: Vec<TargetReference>,
    /// Objects of this namespace by label.
    pub target_selectors: Vec<TargetSelector>,
    /// Configuration of the transformation filter, which checks it.
    pub transformation: Option<serde_json::Value>,
    /// Configuration of the cache filter, which checks it. Stands in a `CachePolicy`.
    #[serde(skip)]
    pub cache: Option<serde_json::Value>,
    pub ext_proc: Option<serde_json::Value>,
    pub ext_auth: Option<serde_json::Value>,
    pub rate_limit: Option<serde_json::Value>,
    pub cors: Option<serde_json::Value>,
    pub csrf: Option<serde_json::Value>,
    pub header_modifiers: Option<serde_json::Value>,
    pub request_mirror: Option<serde_json::Value>,
    pub auto_host_rewrite: Option<serde_json::Value>,
    pub buffer: Option<serde_json::Value>,
    pub timeouts: Option<serde_json::Value>,
    pub retry: Option<serde_json::Value>,
    pub internal_redirect: Option<serde_json::Value>,
    pub rbac: Option<serde_json::Value>,
    pub jwt_auth: Option<serde_json::Value>,
    pub url_rewrite: Option<serde_json::Value>,
    pub compression: Option<serde_json::Value>,
    pub basic_auth: Option<serde_json::Value>,
    pub api_key_auth: Option<serde_json::Value>,
    pub oauth2: Option<serde_json::Value>,
    pub tracing: Option<serde_json::Value>,
    pub fault_injection: Option<serde_json::Value>,
    pub acl: Option<serde_json::Value>,
    pub stat_prefix: Option<serde_json::Value>,
}

impl TrafficPolicySpec {
    /// Names of the fields that are set and that Ferrule does not implement.
    pub fn unsupported(&self) -> Vec<&'static str> {
        let fields = [
            ("extProc", &self.ext_proc),
            ("extAuth", &self.ext_auth),
            ("rateLimit", &self.rate_limit),
            ("cors", &self.cors),
            ("csrf", &self.csrf),
            ("headerModifiers", &self.header_modifiers),
            ("requestMirror", &self.request_mirror),
            ("autoHostRewrite", &self.auto_host_rewrite),
            ("buffer", &self.buffer),
            ("timeouts", &self.timeouts),
            ("retry", &self.retry),
            ("internalRedirect", &self.internal_redirect),
            ("rbac", &self.rbac),
            ("jwtAuth", &self.jwt_auth),
            ("urlRewrite", &self.url_rewrite),
            ("compression", &self.compression),
            ("basicAuth", &self.basic_auth),
            ("apiKeyAuth", &self.api_key_auth),
            ("oauth2", &self.oauth2),
            ("tracing", &self.tracing),
            ("faultInjection", &self.fault_injection),
            ("acl", &self.acl),
            ("statPrefix", &self.stat_prefix),
        ];
        fields.into_iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name).collect()
    }
}

/// `LocalPolicyTargetReferenceWithSectionName`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetReference {
    /// API group.
    #[serde(default)]
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Listener of a Gateway, or rule of a route.
    #[serde(default)]
    pub section_name: Option<String>,
}

/// `LocalPolicyTargetSelectorWithSectionName`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetSelector {
    /// API group.
    #[serde(default)]
    pub group: String,
    /// Kind.
    pub kind: String,
    /// All of these labels.
    #[serde(default)]
    pub match_labels: BTreeMap<String, String>,
    /// Listener of a Gateway, or rule of a route.
    #[serde(default)]
    pub section_name: Option<String>,
}

/// `PolicyStatus`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// By target.
    pub ancestors: Vec<PolicyAncestorStatus>,
}

/// `PolicyAncestorStatus`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAncestorStatus {
    /// The target.
    pub ancestor_ref: ParentReference,
    /// Whose entry this is.
    pub controller_name: String,
    /// `Accepted`, `Attached`.
    pub conditions: Vec<Condition>,
}
