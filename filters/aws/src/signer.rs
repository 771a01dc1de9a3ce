//! Signature Version 4 of a request's header section.
//!
//! Canonical request and string to sign are written here, because the public signer derives its key anew for each request
//! (five HMACs), and copies all fields and parses the whole URI, too; it makes the keys. Tests hold the result against the whole
//! of it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use aws_sigv4::sign::v4::generate_signing_key;
use hmac::digest::FixedOutput;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{Civil, Credentials, Payload, Sha256Hex};

const ALGORITHM: &[u8] = b"AWS4-HMAC-SHA256";

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
    authorization: Vec<u8>,
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
    /// Filled up with zeros to a block of the hash, as HMAC does (RFC 2104 §2).
    bytes: Zeroizing<[u8; 64]>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Signature {
    /// Fields to put in the place of those of the same names.
    pub fn into_fields(self) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
        let token = self.credentials.session_token().map(|token| ("x-amz-security-token", token.into()));
        let payload = self.payload.map(|payload| ("x-amz-content-sha256", payload.as_bytes().to_vec()));
        let always = [("x-amz-date", self.date.to_vec()), ("authorization", self.authorization)];
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
            authorization: Vec::new(),
            date: moment.amz_date(),
            payload: (self.sends_hash || request.payload == Payload::Unsigned).then_some(request.payload),
            credentials: credentials.clone(),
        };
        let Canonical { text, names } = Canonical::of(request, &signature);
        let digest = Sha256Hex::of([&text[..]]);
        let hex = key.sign(&[
            ALGORITHM,
            b"\n",
            &signature.date,
            b"\n",
            key.scope.as_bytes(),
            b"\n",
            digest.as_bytes(),
        ]);
        let mut authorization = Vec::with_capacity(256 + names.len());
        write(
            &mut authorization,
            &[
                ALGORITHM,
                b" Credential=",
                credentials.access_key().as_bytes(),
                b"/",
                key.scope.as_bytes(),
                b", SignedHeaders=",
                &names,
                b", Signature=",
                hex.as_bytes(),
            ],
        );
        signature.authorization = authorization;
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
        let mut key = Key {
            of: credentials.clone(),
            days: moment.days,
            scope: format!("{date}/{}/{}/aws4_request", self.region, self.service),
            bytes: Zeroizing::new([0; 64]),
        };
        key.bytes.iter_mut().zip(bytes.as_ref()).for_each(|(place, byte)| *place = *byte);
        key
    }
}

impl Key {
    /// The signature of a text in these parts.
    fn sign(&self, parts: &[&[u8]]) -> Sha256Hex {
        let mut mac = Hmac::<Sha256>::new((&*self.bytes).into());
        parts.iter().for_each(|part| mac.update(part));
        Sha256Hex::of_digest(&mac.finalize_fixed().into())
    }
}

/// A canonical request, and the names of the fields in it.
struct Canonical {
    text: Zeroizing<Vec<u8>>,
    names: Vec<u8>,
}

impl Canonical {
    fn of(request: &Request<'_>, signature: &Signature) -> Self {
        let fields = sorted_fields(request, signature);
        let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let size = request.path.len() + request.query.len() + 2 * bytes + 128;
        let (mut text, mut names) = (Zeroizing::new(Vec::with_capacity(size)), Vec::with_capacity(bytes));
        for part in [request.method, request.path, request.query] {
            write(&mut text, &[part.as_bytes(), b"\n"]);
        }
        write_fields(&fields, &mut text, &mut names);
        write(&mut text, &[b"\n", &names, b"\n", request.payload.as_bytes()]);
        Self { text, names }
    }
}

/// What is signed, by name; lines of one name in their order.
fn sorted_fields<'r>(request: &Request<'r>, signature: &'r Signature) -> Vec<(&'r str, &'r [u8])> {
    let mut fields = Vec::with_capacity(request.fields.len() + 3);
    fields.extend_from_slice(request.fields);
    fields.push(("x-amz-date", &signature.date[..]));
    if let Some(token) = signature.credentials.session_token() {
        fields.push(("x-amz-security-token", token.as_bytes()));
    }
    if let Some(payload) = &signature.payload {
        fields.push(("x-amz-content-sha256", payload.as_bytes()));
    }
    fields.sort_by_key(|(name, _)| *name);
    fields
}

fn write_fields(fields: &[(&str, &[u8])], text: &mut Vec<u8>, names: &mut Vec<u8>) {
    let mut last = "";
    for &(name, value) in fields {
        if name == last {
            // Lines of one name are one, joined by commas.
            text.pop();
            text.push(b',');
        } else {
            let separator: &[u8] = if names.is_empty() { b"" } else { b";" };
            write(names, &[separator, name.as_bytes()]);
            write(text, &[name.as_bytes(), b":"]);
        }
        write_value(value, text);
        text.push(b'\n');
        last = name;
    }
}

/// One body of code for all that is written: what code a request runs through, rather than how often, decides what it costs.
#[inline(never)]
fn write(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Without blanks around it, and with one in the place of several.
fn write_value(value: &[u8], out: &mut Vec<u8>) {
    let value = value.trim_ascii();
    if !value.windows(2).any(|pair| pair == b"  ") {
        return write(out, &[value]);
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
