//! Authorities that the whole cluster trusts (ClusterTrustBundle), of backends and of clients.

use serde_json::{Value, json};

use crate::certificate::{Authority, keep};
use crate::objects::{GATEWAY, condition, route, served};
use crate::stage::{Stage, eventually};
use crate::visitors::Target;

const POLICY: &str = "gateway.networking.k8s.io/v1 BackendTLSPolicy";
const BUNDLE: &str = "certificates.k8s.io/v1beta1 ClusterTrustBundle";

/// An echo server for `backend.test` that speaks TLS with the certificate of the Secret `backend`.
const SERVER: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: secured, namespace: web}
spec:
  selector: {matchLabels: {app: secured}}
  template:
    metadata: {labels: {app: secured}}
    spec:
      volumes: [{name: certificate, secret: {secretName: backend}}]
      containers:
      - name: echo
        image: echo-basic
        volumeMounts: [{name: certificate, mountPath: /etc/certificate}]
        env:
        - {name: TLS_SERVER_CERT, value: /etc/certificate/tls.crt}
        - {name: TLS_SERVER_PRIVKEY, value: /etc/certificate/tls.key}
        readinessProbe: {httpGet: {path: /health, port: 3000}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: secured, namespace: web}
spec:
  selector: {app: secured}
  ports: [{port: 443, targetPort: 8443}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: secured, namespace: web}
spec:
  targetRefs: [{group: '', kind: Service, name: secured}]
  validation:
    hostname: backend.test
    caCertificateRefs: [{group: certificates.k8s.io, kind: ClusterTrustBundle, name: 'example.com:backends:all'}]
";

/// A bundle; one of a signer has the signer's name in its own.
fn bundle(name: &str, authority: &Authority) -> Value {
    let mut spec = json!({"trustBundle": authority.pem()});
    if let Some((signer, _)) = name.rsplit_once(':') {
        spec["signerName"] = signer.replace(':', "/").into();
    }
    json!({"apiVersion": "certificates.k8s.io/v1beta1", "kind": "ClusterTrustBundle", "metadata": {"name": name}, "spec": spec})
}

#[tokio::test(flavor = "multi_thread")]
async fn authorities_of_the_cluster_vouch_for_backends_and_clients_as_long_as_they_are_there() {
    let (stage, _controller, address) = served().await;
    backends_are_vouched_for(&stage, &address).await;
    clients_are_vouched_for(&stage, &address).await;
}

async fn backends_are_vouched_for(stage: &Stage, address: &str) {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let name = "example.com:backends:all";
    let (certificate, key) = ours.issue("backend.test");
    keep(stage, "backend", &certificate, &key).await;
    stage.apply(SERVER).await;
    let mut secured = route("secured", "secured.test");
    secured["spec"]["rules"] = json!([{"backendRefs": [{"name": "secured", "port": 443}]}]);
    stage.create(&secured).await.unwrap();
    let target = Target::http(address, "secured.test");
    let says = async |kind: &str, expected: (&str, &str)| {
        stage
            .until(POLICY, "web/secured", |policy| {
                let (status, reason) = condition(&policy["status"]["ancestors"][0]["conditions"], kind)?;
                ((status.as_str(), reason.as_str()) == expected).then_some(())
            })
            .await;
    };

    says("ResolvedRefs", ("False", "InvalidCACertificateRef")).await;
    says("Accepted", ("False", "NoValidCACertificate")).await;
    target.answers(503).await;
    stage.apply(&bundle(name, &theirs).to_string()).await;
    says("Accepted", ("True", "Accepted")).await;
    eventually("a server that nobody vouches for", async || {
        let answer = target.get("/", &[]).await.ok()?;
        (answer.status == 503 && answer.text().contains("remote connection failure")).then_some(())
    })
    .await;
    stage.apply(&bundle(name, &ours).to_string()).await;
    target.answers(200).await;
    stage.delete(BUNDLE, name).await;
    target.answers(503).await;
    says("ResolvedRefs", ("False", "InvalidCACertificateRef")).await;
}

async fn clients_are_vouched_for(stage: &Stage, address: &str) {
    let (servers, ours, theirs) =
        (Authority::new("servers"), Authority::new("ours"), Authority::new("theirs"));
    let (certificate, key) = servers.issue("echo.test");
    keep(stage, "echo", &certificate, &key).await;
    stage.apply(&bundle("clients", &ours).to_string()).await;
    let reference = json!({"group": "certificates.k8s.io", "kind": "ClusterTrustBundle", "name": "clients"});
    let listeners = json!([
        {"name": "http", "port": 80, "protocol": "HTTP"},
        {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "echo"}]}},
    ]);
    let tls = json!({"frontend": {"default": {"validation": {"caCertificateRefs": [reference]}}}});
    stage.patch(GATEWAY, "web/web", &json!({"spec": {"listeners": listeners, "tls": tls}})).await;
    let client = |shows: Option<&Authority>| Target::https(address, "echo.test", servers.client(shows));
    let (known, stranger) = (client(Some(&ours)), client(Some(&theirs)));
    known.answers(200).await;
    assert!(stranger.ask().await.is_err());
    assert!(client(None).ask().await.is_err(), "who shows nothing");

    stage.apply(&bundle("clients", &theirs).to_string()).await;
    stranger.answers(200).await;
    assert!(known.ask().await.is_err());
    stage.delete(BUNDLE, "clients").await;
    eventually("nobody is let in", async || stranger.ask().await.is_err().then_some(())).await;
    assert!(known.ask().await.is_err() && client(None).ask().await.is_err());
    assert_eq!(Target::http(address, "echo.test").ask().await, Ok(200));
}
