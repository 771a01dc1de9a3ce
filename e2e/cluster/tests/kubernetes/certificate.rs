//! Certificates of listeners: ones that are no certificates, and ones that come right later.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use crate::stage::Stage;

/// A certificate for a host that signs itself, with its key, and a client that trusts it alone.
pub(crate) struct Credentials {
    pub(crate) certificate: String,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: String,
    pub(crate) client: TlsConnector,
}

impl Credentials {
    pub(crate) fn of(host: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_owned()]).unwrap().self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { certificate: pem, der, key: key.serialize_pem(), client: client(roots) }
    }
}

/// A client that trusts what is signed by one of `roots`.
pub(crate) fn client(roots: RootCertStore) -> TlsConnector {
    TlsConnector::from(Arc::new(trusting(roots).with_no_client_auth()))
}

fn trusting(roots: RootCertStore) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider));
    config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots)
}

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Names tell authorities apart from one another and from what they sign.
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a host, and its key, both as PEM.
    pub(crate) fn issue(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &self.0);
        (certificate.unwrap().pem(), key.serialize_pem())
    }

    /// A client that trusts it, and shows a certificate of its own where it is given an authority to sign that.
    pub(crate) fn client(&self, shows: Option<&Self>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let Some(signer) = shows else { return client(roots) };
        let (certificate, key) = signer.issue("client.test");
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = trusting(roots).with_client_auth_cert(vec![certificate], key).unwrap();
        TlsConnector::from(Arc::new(config))
    }
}

/// Keeps a certificate and key in the Secret `name` of the namespace `web`.
pub(crate) async fn keep(stage: &Stage, name: &str, certificate: &str, key: &str) {
    stage.apply(&secret(name, certificate, key).to_string()).await;
}

fn secret(name: &str, certificate: &str, key: &str) -> Value {
    let data =
        json!({"tls.crt": BASE64_STANDARD.encode(certificate), "tls.key": BASE64_STANDARD.encode(key)});
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": "web"}, "data": data,
    })
}

mod tests {
    use super::*;
    use crate::objects::{GATEWAY, listener_condition, route, served};
    use crate::visitors::{Target, Visitors};

    fn listener(name: &str) -> Value {
        json!({"name": name, "port": 443, "protocol": "HTTPS", "hostname": format!("{name}.test"),
            "tls": {"certificateRefs": [{"name": name}]}})
    }

    async fn resolved(stage: &Stage, listener: &str, expected: (&str, &str)) {
        stage
            .until(GATEWAY, "web/web", |gateway| {
                let (status, reason) = listener_condition(gateway, listener, "ResolvedRefs")?;
                ((status.as_str(), reason.as_str()) == expected).then_some(())
            })
            .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_listener_with_broken_pem_says_so_and_the_others_serve_on() {
        let (stage, _controller, address) = served().await;
        for name in ["good", "broken"] {
            stage.create(&route(name, &format!("{name}.test"))).await.unwrap();
        }
        let (good, other) = (Credentials::of("good.test"), Credentials::of("broken.test"));
        keep(&stage, "good", &good.certificate, &good.key).await;
        let http = json!({"name": "http", "port": 80, "protocol": "HTTP"});
        let listeners = json!({"spec": {"listeners": [http, listener("good"), listener("broken")]}});
        stage.patch(GATEWAY, "web/web", &listeners).await;
        resolved(&stage, "good", ("True", "ResolvedRefs")).await;
        let plain = Visitors::start(2, &Target::http(&address, "echo.test")).await;
        let secure = Visitors::start(2, &Target::https(&address, "good.test", good.client.clone())).await;
        let refused = Target::https(&address, "broken.test", other.client.clone());

        let cut = &other.certificate[..other.certificate.len() / 2];
        for (certificate, key) in [
            ("no PEM at all", other.key.as_str()),
            (cut, &other.key),
            (&other.certificate, "-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----\n"),
            (&other.certificate, &good.key),
            ("", ""),
        ] {
            keep(&stage, "broken", certificate, key).await;
            resolved(&stage, "broken", ("False", "InvalidCertificateRef")).await;
            assert!(refused.ask().await.is_err());
            // The next one is told from this one by its way through a good state.
            keep(&stage, "broken", &other.certificate, &other.key).await;
            resolved(&stage, "broken", ("True", "ResolvedRefs")).await;
            refused.answers(200).await;
        }
        plain.leave_content().await;
        secure.leave_content().await;
    }
}
