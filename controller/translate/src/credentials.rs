//! Who signs requests to AWS, and what is known of those whose credentials are fetched elsewhere.
//!
//! Invariant: nothing here shows a secret, and nothing fetches one.

use std::fmt;
use std::sync::Arc;

use ferrule_shared_map::SharedMap;
use zeroize::Zeroizing;

use crate::object::Key;

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// Whoever a Secret says; it is read here.
    Secret(Key),
    /// Whoever the controller is: environment, profile, web identity, container or instance.
    Own,
    /// A role that the controller takes on.
    Role {
        /// Its ARN.
        arn: Arc<str>,
        /// Region whose STS is asked.
        region: Arc<str>,
    },
}

impl fmt::Display for Identity {
    /// Its name in the secret discovery service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret((namespace, name)) => write!(f, "aws/secret/{namespace}/{name}"),
            Self::Own => f.write_str("aws/own"),
            Self::Role { arn, region } => write!(f, "aws/role/{region}/{arn}"),
        }
    }
}

/// What came of fetching someone's credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issue {
    /// Credentials of use, as the filters read them; those of an earlier fetch while a later one fails.
    pub credentials: Option<SecretText>,
    /// When they end (RFC 3339), if they do.
    pub expires: Option<String>,
    /// What provides them, such as `web identity`.
    pub source: String,
    /// Why the last fetch failed; nothing of a secret.
    pub error: Option<String>,
}

/// What is known of those whose credentials are fetched elsewhere.
pub type Issues = SharedMap<Identity, Arc<Issue>>;

/// A text that is wiped when it goes, and that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Arc<Zeroizing<Vec<u8>>>);

impl SecretText {
    /// Takes a text over.
    pub fn new(text: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The text.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
