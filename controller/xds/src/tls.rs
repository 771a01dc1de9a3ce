//! TLS of the server: credentials that can be replaced while it serves, and clients that have to show theirs.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

/// What the server shows, and what it wants to be shown; PEM.
#[derive(Clone, Copy)]
pub struct TlsMaterial<'a> {
    /// The server's certificate, and those between it and its authority.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
    /// The authorities of clients.
    pub authorities: &'a str,
}

/// Why the server cannot use such credentials.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM text is none.
    #[error("the {what}: {source}")]
    Pem {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The parts do not fit together.
    #[error("TLS: {0}")]
    Unfit(#[from] rustls::Error),
    /// There is no authority that a client's certificate could be of.
    #[error("the authorities: {0}")]
    Authorities(#[from] VerifierBuilderError),
}

/// The credentials of a server. Clones share them.
///
/// TLS 1.3 only, and without resumption: each connection shows the client's certificate anew.
#[derive(Clone)]
pub struct Tls {
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// TLS with these credentials.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn new(material: TlsMaterial<'_>) -> Result<Self, TlsError> {
        Ok(Self { current: Arc::new(RwLock::new(config(material)?)) })
    }

    /// Takes these credentials for connections to come; those there are go on.
    ///
    /// # Errors
    /// They cannot be used; the ones before stay.
    pub fn replace(&self, material: TlsMaterial<'_>) -> Result<(), TlsError> {
        let config = config(material)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn config(material: TlsMaterial<'_>) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(default_provider());
    let mut authorities = RootCertStore::empty();
    for authority in certificates("authorities", material.authorities)? {
        authorities.add(authority)?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(&provider)).build()?;
    let key = PrivateKeyDer::from_pem_slice(material.key.as_bytes());
    let key = key.map_err(|source| TlsError::Pem { what: "key", source })?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates("certificate", material.certificate)?, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.map_err(|source| TlsError::Pem { what, source })
}
