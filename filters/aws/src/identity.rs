//! Where credentials come from: written in the configuration, or a secret that may change at any time.
//!
//! Invariant: a secret is parsed once for each text that it has, not once a request.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{Credentials, CredentialsError};

/// Exactly one source must be given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialsConfig {
    /// Credentials in the configuration itself; the only source on hosts that show no secrets.
    #[serde(default, rename = "static")]
    pub fixed: Option<StaticConfig>,
    /// A generic secret of Envoy's secret discovery service (SDS), whose text is as of [`Credentials::parse`].
    #[serde(default)]
    pub secret: Option<SecretConfig>,
}

impl CredentialsConfig {
    /// Whether there is no source.
    pub fn is_empty(&self) -> bool {
        self.fixed.is_none() && self.secret.is_none()
    }
}

impl SecretConfig {
    /// Name and JSON of the source.
    pub fn into_source(self) -> (String, Option<String>) {
        (self.sds_name, self.sds_config.map(|source| source.to_string()))
    }
}

/// Credentials in the configuration itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticConfig {
    /// Access key's id.
    #[serde(rename = "accessKey")]
    pub access_key: String,
    /// Secret access key.
    #[serde(rename = "secretKey")]
    pub secret_key: SecretText,
    /// Session token of temporary credentials.
    #[serde(default, rename = "sessionToken")]
    pub session_token: Option<SecretText>,
}

/// A text that is wiped when it goes, and that `Debug` does not show.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct SecretText(Zeroizing<String>);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A secret by its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretConfig {
    /// Its name in the secret discovery service, or among the static secrets of the bootstrap.
    #[serde(rename = "sdsName")]
    pub sds_name: String,
    /// An `envoy.config.core.v3.ConfigSource`; none for a static secret of the bootstrap. Read in a listener's configuration only.
    #[serde(default, rename = "sdsConfig")]
    pub sds_config: Option<serde_json::Value>,
}

/// What is wrong with a configuration, and where; tells no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct WrittenWrong {
    /// Path of the field, below that of the [`CredentialsConfig`].
    pub field: &'static str,
    /// Why.
    pub reason: String,
}

/// Why there is no one to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The secret has not come, or does not exist.
    #[error("the secret with the credentials has not come")]
    Missing,
    /// The secret is of another form.
    #[error("the secret {0}")]
    Malformed(CredentialsError),
    /// The credentials' time is over.
    #[error("the credentials have expired")]
    Expired,
}

impl IdentityError {
    /// A word for response-code details.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed(_) => "malformed",
            Self::Expired => "expired",
        }
    }
}

/// Who signs, as of now.
#[derive(Debug)]
pub struct Identity(Source);

#[derive(Debug)]
enum Source {
    Fixed(Arc<Credentials>),
    Secret { name: String, config_source: Option<String>, last: RwLock<Option<Reading>> },
}

/// A secret's text and what it was read as.
#[derive(Clone)]
struct Reading {
    text: Arc<Zeroizing<Vec<u8>>>,
    outcome: Result<Arc<Credentials>, CredentialsError>,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome.fmt(f)
    }
}

impl Identity {
    /// Takes what was written.
    ///
    /// # Errors
    /// Names the field, and tells no secret.
    pub fn new(config: CredentialsConfig) -> Result<Self, WrittenWrong> {
        let wrong = |field, reason: String| WrittenWrong { field, reason };
        match (config.fixed, config.secret) {
            (Some(fixed), None) => {
                let token = fixed.session_token.as_ref().map(|token| token.0.as_str());
                let credentials = Credentials::new(&fixed.access_key, &fixed.secret_key.0, token);
                let credentials = credentials.map_err(|error| wrong("static", error.to_string()))?;
                Ok(Self(Source::Fixed(Arc::new(credentials))))
            }
            (None, Some(secret)) if secret.sds_name.is_empty() => {
                Err(wrong("secret.sdsName", "is empty".to_owned()))
            }
            (None, Some(secret)) => {
                let (name, config_source) = secret.into_source();
                Ok(Self(Source::Secret { name, config_source, last: RwLock::default() }))
            }
            _ => Err(wrong("", "needs either `static` or `secret`".to_owned())),
        }
    }

    /// Name and JSON of the source of the secret that must be followed, if it is one.
    pub fn secret(&self) -> Option<(String, Option<String>)> {
        match &self.0 {
            Source::Fixed(_) => None,
            Source::Secret { name, config_source, .. } => Some((name.clone(), config_source.clone())),
        }
    }

    /// The credentials at `now`; `read` gives the text of a secret by its name.
    ///
    /// # Errors
    /// Says why there are none of use.
    pub fn credentials<T: AsRef<[u8]>>(
        &self,
        now: SystemTime,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Arc<Credentials>, IdentityError> {
        let credentials = match &self.0 {
            Source::Fixed(credentials) => credentials.clone(),
            Source::Secret { name, last, .. } => {
                let text = read(name).ok_or(IdentityError::Missing)?;
                reading(last, text.as_ref()).map_err(IdentityError::Malformed)?
            }
        };
        match credentials.expires() {
            Some(expires) if expires <= now => Err(IdentityError::Expired),
            _ => Ok(credentials),
        }
    }
}

/// What the text says; parsed only where it is another one than before.
fn reading(last: &RwLock<Option<Reading>>, text: &[u8]) -> Result<Arc<Credentials>, CredentialsError> {
    let known = |reading: &&Reading| reading.text.as_slice() == text;
    let found = last.read().unwrap_or_else(PoisonError::into_inner).as_ref().filter(known).cloned();
    if let Some(reading) = found {
        return reading.outcome;
    }
    let outcome = Credentials::parse(text).map(Arc::new);
    let reading = Reading { text: Arc::new(Zeroizing::new(text.to_vec())), outcome: outcome.clone() };
    *last.write().unwrap_or_else(PoisonError::into_inner) = Some(reading);
    outcome
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn identity(json: &str) -> Result<Identity, WrittenWrong> {
        Identity::new(serde_json::from_str(json).unwrap())
    }

    fn read(identity: &Identity, text: Option<&str>) -> Result<Arc<Credentials>, IdentityError> {
        identity.credentials(UNIX_EPOCH + Duration::from_secs(2_000_000_000), |name| {
            assert_eq!(name, "s");
            text
        })
    }

    #[test]
    fn a_secret_is_parsed_once_for_each_of_its_texts() {
        let identity = identity(r#"{"secret": {"sdsName": "s"}}"#).unwrap();
        assert_eq!(read(&identity, None).unwrap_err(), IdentityError::Missing);
        let one = r#"{"accessKey": "A", "secretKey": "s"}"#;
        let first = read(&identity, Some(one)).unwrap();
        assert!(Arc::ptr_eq(&first, &read(&identity, Some(one)).unwrap()));
        let other = read(&identity, Some(r#"{"accessKey": "B", "secretKey": "s"}"#)).unwrap();
        assert_eq!((first.access_key(), other.access_key()), ("A", "B"));
        let malformed = IdentityError::Malformed(CredentialsError::Json);
        assert_eq!(read(&identity, Some("{")).unwrap_err(), malformed);
        let old = r#"{"accessKey": "A", "secretKey": "s", "expiration": "2015-08-30T12:36:00Z"}"#;
        assert_eq!(read(&identity, Some(old)).unwrap_err(), IdentityError::Expired);
    }

    #[test]
    fn a_configuration_has_one_source() {
        for (json, error) in [
            ("{}", ": needs either `static` or `secret`"),
            (r#"{"secret": {"sdsName": ""}}"#, "secret.sdsName: is empty"),
            (r#"{"static": {"accessKey": "A", "secretKey": "b\nc"}}"#, "static: has a malformed secret key"),
        ] {
            assert_eq!(identity(json).unwrap_err().to_string(), error, "{json}");
        }
        let fixed = identity(r#"{"static": {"accessKey": "A", "secretKey": "hidden"}}"#).unwrap();
        assert!(fixed.secret().is_none() && !format!("{fixed:?}").contains("hidden"));
    }

    #[test]
    fn a_written_secret_does_not_show() {
        let config: CredentialsConfig = serde_json::from_str(
            r#"{"static": {"accessKey": "A", "secretKey": "hidden", "sessionToken": "hidden"}}"#,
        )
        .unwrap();
        assert!(!format!("{config:?}").contains("hidden"));
    }
}
