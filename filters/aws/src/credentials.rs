//! Access key, secret key and session token, and the texts that they come in.
//!
//! Invariant: what went wrong with a text is told without any part of it.

use std::fmt;
use std::time::SystemTime;

use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::civil::parse_utc;

/// Who signs.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Credentials {
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
    #[zeroize(skip)]
    expires: Option<SystemTime>,
}

/// Why a text holds no credentials. Tells nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// It is no UTF-8.
    #[error("is no UTF-8")]
    NoText,
    /// It begins like JSON, but is none of the form.
    #[error("is JSON, but no object of accessKey, secretKey and sessionToken")]
    Json,
    /// A part is missing.
    #[error("has no {0}")]
    Missing(&'static str),
    /// A part has a character that no such part has.
    #[error("has a malformed {0}")]
    Malformed(&'static str),
}

/// The names that Secrets of Kubernetes, the SDKs' JSON and the profile file give to the parts.
#[derive(Default, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Written {
    #[serde(
        default,
        rename = "accessKey",
        alias = "AccessKeyId",
        alias = "accessKeyId",
        alias = "aws_access_key_id",
        alias = "AWS_ACCESS_KEY_ID"
    )]
    access_key: Option<String>,
    #[serde(
        default,
        rename = "secretKey",
        alias = "SecretAccessKey",
        alias = "secretAccessKey",
        alias = "aws_secret_access_key",
        alias = "AWS_SECRET_ACCESS_KEY"
    )]
    secret_key: Option<String>,
    #[serde(
        default,
        rename = "sessionToken",
        alias = "SessionToken",
        alias = "Token",
        alias = "aws_session_token",
        alias = "AWS_SESSION_TOKEN"
    )]
    session_token: Option<String>,
    #[serde(default, rename = "expiration", alias = "Expiration", alias = "aws_expiration")]
    expiration: Option<String>,
}

impl Credentials {
    /// Credentials of these parts; white space around them, as it is left by editors, does not count.
    ///
    /// # Errors
    /// A part is empty, or could not stand in a request.
    pub fn new(
        access_key: &str,
        secret_key: &str,
        session_token: Option<&str>,
    ) -> Result<Self, CredentialsError> {
        let token = session_token.map(str::trim).filter(|token| !token.is_empty());
        let plain = |byte: u8| byte.is_ascii_graphic();
        Ok(Self {
            access_key: part("access key", access_key, |byte| byte.is_ascii_alphanumeric() || byte == b'_')?,
            secret_key: part("secret key", secret_key, plain)?,
            session_token: token.map(|token| part("session token", token, plain)).transpose()?,
            expires: None,
        })
    }

    /// The same credentials, of use until `expires`.
    pub fn until(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires);
        self
    }

    /// Reads a secret's text: JSON (`accessKey`, `secretKey`, `sessionToken`, `expiration`, or the SDKs' names for them), or
    /// lines as in a profile file or an environment.
    ///
    /// # Errors
    /// Says what is wrong, and nothing of the text.
    pub fn parse(text: &[u8]) -> Result<Self, CredentialsError> {
        let text = std::str::from_utf8(text).map_err(|_| CredentialsError::NoText)?.trim();
        let written = if text.starts_with('{') {
            serde_json::from_str(text).map_err(|_| CredentialsError::Json)?
        } else {
            of_lines(text)
        };
        let known = |part: &Option<String>, name| {
            part.clone().map(Zeroizing::new).ok_or(CredentialsError::Missing(name))
        };
        let (access, secret) =
            (known(&written.access_key, "access key")?, known(&written.secret_key, "secret key")?);
        let credentials = Self::new(&access, &secret, written.session_token.as_deref())?;
        match written.expiration.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            None => Ok(credentials),
            Some(text) => parse_utc(text)
                .map(|time| credentials.until(time))
                .ok_or(CredentialsError::Malformed("expiration")),
        }
    }

    /// The access key's id, which is no secret.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The session token, if they are temporary.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// When they are of no use any more, if that is known.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    pub(crate) fn secret_key(&self) -> &str {
        &self.secret_key
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("expires", &self.expires).finish_non_exhaustive()
    }
}

fn part(name: &'static str, text: &str, allowed: impl Fn(u8) -> bool) -> Result<String, CredentialsError> {
    let text = text.trim();
    match text.bytes().all(allowed) {
        true if text.is_empty() => Err(CredentialsError::Missing(name)),
        true => Ok(text.to_owned()),
        false => Err(CredentialsError::Malformed(name)),
    }
}

/// Lines `name = value`, of the first profile that has an access key.
fn of_lines(text: &str) -> Written {
    let mut written = Written::default();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') && written.access_key.is_some() {
            break;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else { continue };
        let place = match name.trim().to_ascii_lowercase().as_str() {
            "aws_access_key_id" => &mut written.access_key,
            "aws_secret_access_key" => &mut written.secret_key,
            "aws_session_token" => &mut written.session_token,
            "aws_expiration" => &mut written.expiration,
            _ => continue,
        };
        *place = Some(value.trim().trim_matches('"').to_owned());
    }
    written
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn all_spellings_of_a_secret_mean_the_same() {
        let wanted = Credentials::new("AKID", "s/e+c=", Some("tok")).unwrap();
        for text in [
            r#"{"accessKey": "AKID", "secretKey": "s/e+c=", "sessionToken": "tok"}"#,
            "{\"AccessKeyId\": \"AKID\\n\", \"SecretAccessKey\": \" s/e+c= \", \"Token\": \"tok\", \"Code\": \"Success\"}",
            "[default]\naws_access_key_id = AKID\naws_secret_access_key=s/e+c=\naws_session_token=tok\n[other]\naws_access_key_id=B",
            "export AWS_ACCESS_KEY_ID=AKID\nAWS_SECRET_ACCESS_KEY=\"s/e+c=\"\nAWS_SESSION_TOKEN=tok\n",
        ] {
            assert_eq!(Credentials::parse(text.as_bytes()).as_ref(), Ok(&wanted), "{text}");
        }
        let bare =
            Credentials::parse(br#"{"accessKey": "A", "secretKey": "s", "sessionToken": null}"#).unwrap();
        assert_eq!(bare.session_token(), None);
    }

    #[test]
    fn a_time_of_expiry_is_read() {
        let text = br#"{"accessKey": "A", "secretKey": "s", "expiration": "2015-08-30T12:36:00Z"}"#;
        let expires = Credentials::parse(text).unwrap().expires();
        assert_eq!(expires, Some(UNIX_EPOCH + Duration::from_secs(1_440_938_160)));
        let wrong = br#"{"accessKey": "A", "secretKey": "s", "expiration": "soon"}"#;
        assert_eq!(Credentials::parse(wrong), Err(CredentialsError::Malformed("expiration")));
    }

    #[test]
    fn what_is_no_secret_is_refused_without_telling_it() {
        for (text, error) in [
            ("", CredentialsError::Missing("access key")),
            ("{", CredentialsError::Json),
            ("{\"accessKey\": 5}", CredentialsError::Json),
            ("{\"accessKey\": \"A\"}", CredentialsError::Missing("secret key")),
            ("{\"accessKey\": \" \", \"secretKey\": \"s\"}", CredentialsError::Missing("access key")),
            (
                "{\"accessKey\": \"A\\r\\nx: y\", \"secretKey\": \"s\"}",
                CredentialsError::Malformed("access key"),
            ),
            ("{\"accessKey\": \"A\", \"secretKey\": \"h\u{e4}\"}", CredentialsError::Malformed("secret key")),
        ] {
            assert_eq!(Credentials::parse(text.as_bytes()), Err(error), "{text}");
        }
        assert_eq!(Credentials::parse(b"\xff"), Err(CredentialsError::NoText));
        let shown = format!("{:?}", Credentials::new("AKID", "secret", Some("token")));
        assert!(!shown.contains("AKID") && !shown.contains("secret") && !shown.contains("token"), "{shown}");
    }
}
