//! Signature Version 4 of a request's header section.
//!
//! Canonical request and string to sign are written here, because the public signer derives its key anew for each request
//! (five HMACs), and copies all fields and parses the whole URI, too; its primitives make key and signature. Tests hold the
//! result against the whole of it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use zeroize::Zeroizing;

use crate::{Civil, Credentials, Payload, Sha256Hex};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Signs for one service in one region; shared by all who do.
#[derive(Debug)]
pub struct Signer {
    region: String,
    service: String,
    sends_hash: bool,
    key: RwLock<Option<Arc<Key>>>,
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path as of [`crate::canonical_path`], or of [`crate::single_encoded_path`] for S3.
    pub path: &'a str,
    /// Its query as of [`crate::canonical_query`].
    pub query: &'a str,
    /// The field lines to be signed, in any order, names in lower case; `host` must be among them.
    pub fields: &'a [(&'a str, &'a [u8])],
    /// Its body.
    pub payload: Payload,
}

/// The fields that make a request a signed one.
#[derive(Debug)]
pub struct Signature {
    authorization: String,
    date: [u8; 16],
    payload: Option<Payload>,
    credentials: Arc<Credentials>,
}

/// A signing key. It is good for one day.
struct Key {
    of: Arc<Credentials>,
    days: u32,
    /// `20150830/us-east-1/service/aws4_request`.
    scope: String,
    bytes: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Signature {
    /// Fields to put in the place of those of the same names.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let token = self.credentials.session_token().map(|token| ("x-amz-security-token", token.as_bytes()));
        let payload = self.payload.as_ref().map(|payload| ("x-amz-content-sha256", payload.as_bytes()));
        let always = [("x-amz-date", &self.date[..]), ("authorization", self.authorization.as_bytes())];
        always.into_iter().chain(token).chain(payload)
    }
}

impl Signer {
    /// A signer for `service` in `region`.
    pub fn new(region: impl Into<String>, service: impl Into<String>) -> Self {
        Self { region: region.into(), service: service.into(), sends_hash: false, key: RwLock::new(None) }
    }

    /// Has `x-amz-content-sha256` sent and signed, too, as S3 demands.
    pub fn sending_hash(mut self) -> Self {
        self.sends_hash = true;
        self
    }

    /// The region that it signs for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Signs a request as it is sent at `now`.
    pub fn sign(&self, credentials: &Arc<Credentials>, request: &Request<'_>, now: SystemTime) -> Signature {
        let moment = Civil::of(now);
        let key = self.key(credentials, moment, now);
        let mut signature = Signature {
            authorization: String::new(),
            date: moment.amz_date(),
            payload: (self.sends_hash || request.payload == Payload::Unsigned).then_some(request.payload),
            credentials: credentials.clone(),
        };
        let canonical = Canonical::of(request, &signature);
        let digest = Sha256Hex::of([&canonical.text[..]]);
        let lines = [ALGORITHM.as_bytes(), &signature.date, key.scope.as_bytes(), digest.as_bytes()];
        let hex = calculate_signature(&*key.bytes, &lines.join(&b'\n'));
        let (access_key, scope, names) = (credentials.access_key(), &key.scope, &canonical.names);
        signature.authorization = [
            ALGORITHM,
            " Credential=",
            access_key,
            "/",
            scope,
            ", SignedHeaders=",
            names,
            ", Signature=",
            &hex,
        ]
        .concat();
        signature
    }

    fn key(&self, credentials: &Arc<Credentials>, moment: Civil, now: SystemTime) -> Arc<Key> {
        let fits = |key: &&Arc<Key>| key.days == moment.days && Arc::ptr_eq(&key.of, credentials);
        let known = self.key.read().unwrap_or_else(PoisonError::into_inner).as_ref().filter(fits).cloned();
        known.unwrap_or_else(|| {
            let key = Arc::new(self.derive(credentials, moment, now));
            *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
            key
        })
    }

    fn derive(&self, credentials: &Arc<Credentials>, moment: Civil, now: SystemTime) -> Key {
        let date = moment.amz_date();
        let date = String::from_utf8_lossy(&date[..8]);
        let bytes = generate_signing_key(credentials.secret_key(), now, &self.region, &self.service);
        Key {
            of: credentials.clone(),
            days: moment.days,
            scope: format!("{date}/{}/{}/aws4_request", self.region, self.service),
            bytes: Zeroizing::new(bytes.as_ref().to_vec()),
        }
    }
}

/// A canonical request, and the names of the fields in it.
struct Canonical {
    text: Zeroizing<Vec<u8>>,
    names: String,
}

impl Canonical {
    fn of(request: &Request<'_>, signature: &Signature) -> Self {
        let own = signature.fields().filter(|(name, _)| *name != "authorization");
        let own = own.map(|(name, value): (&str, &[u8])| (name, value));
        let mut fields: Vec<(&str, &[u8])> = request.fields.iter().copied().chain(own).collect();
        fields.sort_by_key(|(name, _)| *name);
        let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let size = request.path.len() + request.query.len() + 2 * bytes + 128;
        let (mut text, mut names) = (Vec::with_capacity(size), String::with_capacity(bytes));
        for part in [request.method, request.path, request.query] {
            text.extend_from_slice(part.as_bytes());
            text.push(b'\n');
        }
        let mut last = "";
        for (name, value) in fields {
            if name == last {
                // Lines of one name are one, joined by commas.
                text.pop();
                text.push(b',');
            } else {
                text.extend_from_slice(name.as_bytes());
                text.push(b':');
                if !names.is_empty() {
                    names.push(';');
                }
                names.push_str(name);
            }
            write_value(value, &mut text);
            text.push(b'\n');
            last = name;
        }
        text.push(b'\n');
        text.extend_from_slice(names.as_bytes());
        text.push(b'\n');
        text.extend_from_slice(request.payload.as_bytes());
        Self { text: Zeroizing::new(text), names }
    }
}

/// Without blanks around it, and with one in the place of several.
fn write_value(value: &[u8], out: &mut Vec<u8>) {
    let value = value.trim_ascii();
    if !value.windows(2).any(|pair| pair == b"  ") {
        return out.extend_from_slice(value);
    }
    let mut before = 0;
    for &byte in value {
        if byte != b' ' || before != b' ' {
            out.push(byte);
        }
        before = byte;
    }
}

#[cfg(test)]
#[path = "signer_tests.rs"]
mod tests;
