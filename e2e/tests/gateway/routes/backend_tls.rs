//! TLS to backends.

use std::fs;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::route;
use crate::client::get;
use crate::controller::Controller;
use crate::upstream::{Upstream, service};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Names tell authorities apart from one another and from what they sign.
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a host and a URI, with its key.
    fn certificate(&self, host: &str, uri: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    /// A server for `abc.example.com`, which asks its clients for certificates of this authority, but needs none.
    fn server(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (certificate, key) = self.certificate("abc.example.com", "spiffe://abc.example.com/id");
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let clients = clients.allow_unauthenticated().build().unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config.unwrap().with_client_cert_verifier(clients).with_single_cert(chain, key);
        Arc::new(config.unwrap())
    }
}

fn indented(pem: &str) -> String {
    pem.lines().map(|line| format!("    {line}\n")).collect()
}

fn authorities(name: &str, pem: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  ca.crt: |\n{}",
        indented(pem)
    )
}

fn policy(service: &str, validation: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {{name: {service}}}\n\
         spec:\n  targetRefs: [{{group: '', kind: Service, name: {service}}}]\n  validation: {validation}\n"
    )
}

fn rules(services: &[&str]) -> String {
    let rule = |name: &&str| {
        format!(
            "  - matches: [{{path: {{value: /{name}}}}}]\n    backendRefs: [{{name: {name}, port: 80}}]\n"
        )
    };
    services.iter().map(rule).collect()
}

/// Authorities that the whole cluster trusts.
fn bundle(pem: &str) -> String {
    format!(
        "---\napiVersion: certificates.k8s.io/v1beta1\nkind: ClusterTrustBundle\nmetadata: {{name: 'example.com:ours:all'}}\n\
         spec:\n  trustBundle: |\n{}",
        indented(pem)
    )
}

const BUNDLE: &str = "caCertificateRefs: [{group: certificates.k8s.io, kind: ClusterTrustBundle, name: 'example.com:ours:all'}]";
const TRUSTED: &str = "caCertificateRefs: [{group: '', kind: ConfigMap, name: trusted}]";

#[test]
fn backends_are_spoken_to_as_their_policies_say_or_not_at_all() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let backend = Upstream::tls("backend", ours.server());
    let validations = [
        ("good", format!("{{hostname: abc.example.com, {TRUSTED}}}"), 200),
        ("other-host", format!("{{hostname: other.example.com, {TRUSTED}}}"), 503),
        (
            "uri",
            format!(
                "{{hostname: sni.example.com, {TRUSTED}, subjectAltNames: [{{type: URI, uri: 'spiffe://abc.example.com/id'}}]}}"
            ),
            200,
        ),
        (
            "other-uri",
            format!(
                "{{hostname: abc.example.com, {TRUSTED}, subjectAltNames: [{{type: URI, uri: 'spiffe://x/id'}}]}}"
            ),
            503,
        ),
        (
            "other-authority",
            "{hostname: abc.example.com, caCertificateRefs: [{group: '', kind: ConfigMap, name: theirs}]}"
                .to_owned(),
            503,
        ),
        (
            "no-authority",
            "{hostname: abc.example.com, caCertificateRefs: [{group: '', kind: ConfigMap, name: gone}]}"
                .to_owned(),
            503,
        ),
        (
            "odd-kind",
            "{hostname: abc.example.com, caCertificateRefs: [{group: invalid.io, kind: Odd, name: odd}]}"
                .to_owned(),
            503,
        ),
        ("bundle", format!("{{hostname: abc.example.com, {BUNDLE}}}"), 200),
        (
            "no-bundle",
            format!("{{hostname: abc.example.com, {BUNDLE}}}").replace("example.com:ours:all", "gone"),
            503,
        ),
        ("system", "{hostname: abc.example.com, wellKnownCACertificates: System}".to_owned(), 503),
    ];
    let mut objects =
        [authorities("trusted", &ours.pem()), authorities("theirs", &theirs.pem()), bundle(&ours.pem())]
            .concat();
    let names: Vec<&str> = validations.iter().map(|(name, ..)| *name).collect();
    objects.push_str(&route("secured", &rules(&names)));
    for (name, validation, _) in &validations {
        objects.push_str(&service(name, ", appProtocol: HTTPS", &[backend.port]));
        objects.push_str(&policy(name, validation));
    }
    let controller = Controller::beside(&objects);
    for (name, _, status) in &validations {
        let answer = get(controller.gateway, &format!("/{name}"));
        assert_eq!(answer.status, *status, "{name}: {answer:?}");
    }
    assert_eq!(get(controller.gateway, "/good").json()["tls"]["sni"], "abc.example.com");
    assert_eq!(get(controller.gateway, "/uri").json()["tls"]["sni"], "sni.example.com");
    for (name, accepted, resolved) in [
        ("good", "Accepted=True", "ResolvedRefs=True"),
        ("no-authority", "Accepted=False NoValidCACertificate", "ResolvedRefs=False InvalidCACertificateRef"),
        ("odd-kind", "Accepted=False NoValidCACertificate", "ResolvedRefs=False InvalidKind"),
    ] {
        controller.wait_for_condition("backendtlspolicy", name, accepted, "");
        controller.wait_for_condition("backendtlspolicy", name, resolved, "");
    }
}

fn status_of(controller: &Controller, path: &str, status: u16) {
    controller.wait_until(&format!("{status} from {path}"), || {
        (get(controller.gateway, path).status == status).then_some(())
    });
}

#[test]
fn authorities_and_the_certificate_of_the_gateway_can_change_while_it_serves() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let backend = Upstream::tls("backend", ours.server());
    let objects = [
        route("secured", &rules(&["secured"])),
        service("secured", "", &[backend.port]),
        policy("secured", &format!("{{hostname: abc.example.com, {TRUSTED}}}")),
    ];
    let controller = Controller::beside(&objects.concat());
    // Nothing to trust yet.
    status_of(&controller, "/secured", 503);
    let write = |name: &str, text: String| fs::write(controller.config(name), text).unwrap();
    write("trusted.yaml", authorities("trusted", &ours.pem()));
    status_of(&controller, "/secured", 200);
    assert_eq!(get(controller.gateway, "/secured").json()["tls"]["certificates"], 0);

    controller.edit("gateway.yaml", |text| {
        text + "  tls: {backend: {clientCertificateRef: {group: '', kind: Secret, name: own}}}\n"
    });
    controller.wait_for_condition(
        "gateway",
        "quickstart",
        "ResolvedRefs=False InvalidClientCertificateRef",
        "",
    );
    let (certificate, key) = ours.certificate("gateway.example.com", "spiffe://gateway");
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: own}}\ntype: kubernetes.io/tls\nstringData:\n  \
         tls.crt: |\n{}  tls.key: |\n{}",
        indented(&certificate.pem()),
        indented(&key.serialize_pem())
    );
    write("own.yaml", secret);
    controller.wait_for_condition("gateway", "quickstart", "ResolvedRefs=True", "");
    controller.wait_until("certificate shown", || {
        let answer = get(controller.gateway, "/secured");
        (answer.status == 200 && answer.json()["tls"]["certificates"] == 1).then_some(())
    });

    controller.edit("trusted.yaml", |_| authorities("trusted", &theirs.pem()));
    status_of(&controller, "/secured", 503);
    controller.edit("trusted.yaml", |_| authorities("trusted", &[theirs.pem(), ours.pem()].concat()));
    status_of(&controller, "/secured", 200);
}
