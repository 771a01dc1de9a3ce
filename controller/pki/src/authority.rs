//! One authority: a certificate that signs others, and its key.

use std::fmt;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{AUTHORITIES_FILE, AUTHORITY_KEYS_FILE, PkiError, Validity};

/// An authority.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    /// PEM.
    pub(crate) certificate: String,
    /// PEM.
    pub(crate) key: String,
    pub(crate) validity: Validity,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("validity", &self.validity).finish_non_exhaustive()
    }
}

impl Authority {
    /// A new one that signs itself.
    pub(crate) fn create(now: SystemTime, life: Duration) -> Result<Self, PkiError> {
        let made = |source| PkiError::Making { what: "certificate of an authority", source };
        let validity = Validity::starting(now, life, None);
        let mut params = CertificateParams::default();
        params.not_before = validity.not_before.into();
        params.not_after = validity.not_after.into();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::OrganizationName, "Ferrule");
        // A name of its own, by which whoever trusts several finds the one that signed.
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        params.distinguished_name.push(DnType::CommonName, format!("xDS authority {since}"));
        let key = generate()?;
        let certificate = params.self_signed(&key).map_err(made)?;
        Self::read(&certificate.pem(), &key.serialize_pem())
    }

    /// One that was kept.
    pub(crate) fn read(certificate: &str, key: &str) -> Result<Self, PkiError> {
        let unreadable = |file, reason: String| PkiError::Unreadable { file, reason };
        let (_, pem) = x509_parser::pem::parse_x509_pem(certificate.as_bytes())
            .map_err(|error| unreadable(AUTHORITIES_FILE, error.to_string()))?;
        let (_, parsed) = X509Certificate::from_der(&pem.contents)
            .map_err(|error| unreadable(AUTHORITIES_FILE, error.to_string()))?;
        if !parsed.is_ca() {
            return Err(unreadable(AUTHORITIES_FILE, "is no certificate of an authority".to_owned()));
        }
        // What the library says of a broken key may quote it.
        let pair = KeyPair::from_pem(key)
            .map_err(|_| unreadable(AUTHORITY_KEYS_FILE, "is no private key".to_owned()))?;
        if parsed.public_key().subject_public_key.data.as_ref() != pair.public_key_raw() {
            let reason = "a key is not that of its certificate".to_owned();
            return Err(unreadable(AUTHORITY_KEYS_FILE, reason));
        }
        let validity = Validity::of(&parsed);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), validity })
    }

    /// Signs with it.
    pub(crate) fn issuer(&self) -> Result<Issuer<'static, KeyPair>, PkiError> {
        let made = |source| PkiError::Making { what: "signature", source };
        let key = KeyPair::from_pem(&self.key).map_err(made)?;
        Issuer::from_ca_cert_pem(&self.certificate, key).map_err(made)
    }
}

/// A new key (ECDSA on P-256, which all of Envoy's builds take).
pub(crate) fn generate() -> Result<KeyPair, PkiError> {
    KeyPair::generate().map_err(|source| PkiError::Making { what: "key", source })
}
