//! Configuration as written; the reference of its JSON.
//!
//! Invariant: strict, so an unknown field is an error.

use ferrule_aws::{CredentialsConfig, SecretConfig};
use serde::Deserialize;

/// For whom requests are signed, and what of them. A configuration without region, service and credentials signs nothing, as that of a
/// listener whose routes have their own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Region that the service is in.
    #[serde(default)]
    pub region: String,
    /// The service's name in signatures: `s3`, `execute-api`, `es`, `lambda`…
    #[serde(default)]
    pub service: String,
    /// Authority of the service, which takes the place of the request's. Where the route or cluster rewrites the host, what it
    /// rewrites to: a signature holds for the host that is sent.
    #[serde(default)]
    pub host: Option<String>,
    /// What is signed of the body.
    #[serde(default)]
    pub payload: PayloadConfig,
    /// Names of header fields that are signed where a request has them, besides `host` and all `x-amz-*`.
    #[serde(default, rename = "signedHeaders")]
    pub signed_headers: Vec<String>,
    /// Secrets to follow besides that of `credentials`: those of the listener's routes, which cannot follow their own.
    #[serde(default)]
    pub secrets: Vec<SecretConfig>,
    /// Who signs.
    #[serde(default)]
    pub credentials: CredentialsConfig,
}

impl Config {
    pub(crate) fn signs_nothing(&self) -> bool {
        self.region.is_empty() && self.service.is_empty() && self.credentials.is_empty()
    }
}

/// What is signed of a body.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum PayloadConfig {
    /// Its digest, for which the whole of it is held.
    #[default]
    Hash,
    /// Nothing (`UNSIGNED-PAYLOAD`): it flows while it comes. S3 takes that, over TLS only.
    Unsigned,
}
