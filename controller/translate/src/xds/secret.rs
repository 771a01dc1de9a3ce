//! What Kubernetes keeps secret -> `envoy.extensions.transport_sockets.tls.v3.Secret`.

use envoy_types::pb::envoy::config::core::v3::DataSource;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::certificate_validation_context::TrustChainVerification;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, GenericSecret, Secret, TlsCertificate,
};

/// The secret of that name.
pub(crate) fn lower(name: &str, value: &[u8]) -> Secret {
    let generic = GenericSecret { secret: Some(inline(value)), ..GenericSecret::default() };
    named(name, Type::GenericSecret(generic))
}

/// A certificate chain with its private key, both PEM.
pub(crate) fn certificate(name: &str, chain: &[u8], key: &[u8]) -> Secret {
    let certificate = TlsCertificate {
        certificate_chain: Some(inline(chain)),
        private_key: Some(inline(key)),
        ..TlsCertificate::default()
    };
    named(name, Type::TlsCertificate(certificate))
}

/// Authorities, PEM, by which certificates are checked; if `insecure`, also those that fail are let through.
pub(crate) fn authorities(name: &str, bundle: &[u8], insecure: bool) -> Secret {
    let verification = if insecure {
        TrustChainVerification::AcceptUntrusted
    } else {
        TrustChainVerification::VerifyTrustChain
    };
    let context = CertificateValidationContext {
        trusted_ca: Some(inline(bundle)),
        trust_chain_verification: verification.into(),
        ..CertificateValidationContext::default()
    };
    named(name, Type::ValidationContext(context))
}

fn named(name: &str, secret: Type) -> Secret {
    Secret { name: name.to_owned(), r#type: Some(secret) }
}

fn inline(value: &[u8]) -> DataSource {
    DataSource { specifier: Some(Specifier::InlineBytes(value.to_vec())), ..DataSource::default() }
}
