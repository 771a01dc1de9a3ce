//! What an authority signs: the server's certificate, and those of proxies.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::authority::generate;
use crate::{Authorities, PkiError, Validity, gateway_uri};

/// The certificate, PEM: in the data of a Secret of type `kubernetes.io/tls`, and where that is mounted.
pub const CERTIFICATE_FILE: &str = "tls.crt";
/// Its key, PEM.
pub const KEY_FILE: &str = "tls.key";
/// The authorities that its holder trusts, PEM.
pub const AUTHORITY_FILE: &str = "ca.crt";

/// A certificate, its key, and the authorities that its holder trusts.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub key: String,
    /// PEM.
    pub authorities: String,
    /// When the certificate is valid.
    pub validity: Validity,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("validity", &self.validity).finish_non_exhaustive()
    }
}

/// Why credentials have to be issued anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Renewal {
    /// They are missing, or not what was issued.
    #[error("{0}")]
    Unreadable(String),
    /// Half of their life is over.
    #[error("half of their life is over")]
    Due,
    /// They are somebody else's.
    #[error("they are of {0:?}")]
    OtherName(Vec<String>),
    /// The authorities have changed.
    #[error("the authorities have changed")]
    OtherAuthorities,
}

impl Credentials {
    /// The data of a Secret of type `kubernetes.io/tls`.
    #[must_use]
    pub fn data(&self) -> BTreeMap<String, Vec<u8>> {
        [(CERTIFICATE_FILE, &self.certificate), (KEY_FILE, &self.key), (AUTHORITY_FILE, &self.authorities)]
            .map(|(file, text)| (file.to_owned(), text.clone().into_bytes()))
            .into()
    }
}

impl Authorities {
    /// Credentials of the proxies of a Gateway.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn client(&self, now: SystemTime, namespace: &str, name: &str) -> Result<Credentials, PkiError> {
        let uri = gateway_uri(namespace, name);
        let san = uri.as_str().try_into().map(SanType::URI);
        let san = san.map_err(|source| PkiError::Name { name: uri.clone(), source })?;
        self.issue(now, vec![san], ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// Credentials of the server that is known by `names`: DNS names and IP addresses.
    ///
    /// # Errors
    /// They cannot be made, or a name is none.
    pub fn server(&self, now: SystemTime, names: &[String]) -> Result<Credentials, PkiError> {
        let san = |name: &String| {
            if let Ok(address) = name.parse() {
                return Ok(SanType::IpAddress(address));
            }
            let dns = name.as_str().try_into().map(SanType::DnsName);
            dns.map_err(|source| PkiError::Name { name: name.clone(), source })
        };
        let names: Result<Vec<SanType>, PkiError> = names.iter().map(san).collect();
        self.issue(now, names?, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn issue(
        &self,
        now: SystemTime,
        names: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Credentials, PkiError> {
        let signer = self.signer(now)?;
        let end = signer.validity.not_after;
        let validity = Validity::starting(now, self.lifetimes.credentials, Some(end));
        let mut params = CertificateParams::default();
        params.not_before = validity.not_before.into();
        params.not_after = validity.not_after.into();
        params.subject_alt_names = names;
        params.distinguished_name.push(DnType::OrganizationName, "Ferrule");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = generate()?;
        let signed = params.signed_by(&key, &signer.issuer()?);
        let signed = signed.map_err(|source| PkiError::Making { what: "certificate", source })?;
        let (certificate, key) = (signed.pem(), key.serialize_pem());
        Ok(Credentials { certificate, key, authorities: self.bundle(), validity })
    }

    /// Why the credentials in the data of a Gateway's Secret have to be replaced `now`, if they have to be.
    #[must_use]
    pub fn client_renewal(
        &self,
        data: &BTreeMap<String, Vec<u8>>,
        now: SystemTime,
        namespace: &str,
        name: &str,
    ) -> Option<Renewal> {
        let text = |file: &str| data.get(file).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let unreadable = |file: &str| Some(Renewal::Unreadable(format!("{file} is missing or no PEM")));
        let Some((validity, uris)) = text(CERTIFICATE_FILE).and_then(read) else {
            return unreadable(CERTIFICATE_FILE);
        };
        if text(KEY_FILE).is_none_or(|key| rcgen::KeyPair::from_pem(key).is_err()) {
            return unreadable(KEY_FILE);
        }
        if uris != [gateway_uri(namespace, name)] {
            return Some(Renewal::OtherName(uris));
        }
        self.renewal(validity, text(AUTHORITY_FILE).unwrap_or_default(), now)
    }

    /// Why the server's credentials have to be replaced `now`, if they have to be.
    #[must_use]
    pub fn server_renewal(&self, credentials: &Credentials, now: SystemTime) -> Option<Renewal> {
        self.renewal(credentials.validity, &credentials.authorities, now)
    }

    fn renewal(&self, validity: Validity, authorities: &str, now: SystemTime) -> Option<Renewal> {
        if authorities != self.bundle() {
            return Some(Renewal::OtherAuthorities);
        }
        (now >= validity.half()).then_some(Renewal::Due)
    }
}

/// Validity and URI SANs of a certificate.
fn read(certificate: &str) -> Option<(Validity, Vec<String>)> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(certificate.as_bytes()).ok()?;
    let (_, parsed) = X509Certificate::from_der(&pem.contents).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let uris = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    });
    Some((Validity::of(&parsed), uris.collect()))
}
