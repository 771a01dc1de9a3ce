//! Everything that people change while others use it: not one request fails.

use serde_json::{Value, json};
use tokio_rustls::rustls::RootCertStore;

use crate::certificate::{Credentials, client, keep};
use crate::controller::NAMESPACE;
use crate::deployment::BASE;
use crate::objects::{GATEWAY, HTTP_ROUTE, address, listener_condition, route, server, web};
use crate::stage::Stage;
use crate::visitors::{Target, Visitors};

const DEPLOYMENT: &str = "apps/v1 Deployment";
const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_routes_weights_listeners_certificates_and_replicas_change() {
    let stage = Stage::with(&["--in-cluster", BASE]).await;
    web(&stage).await;
    // To share requests with the first.
    stage.apply(&server("second")).await;
    stage
        .until(DEPLOYMENT, "web/second", |there| (there["status"]["readyReplicas"] == 1).then_some(()))
        .await;
    let credentials: Vec<Credentials> = (0..=ROUNDS).map(|_| Credentials::of("secure.test")).collect();
    let mut roots = RootCertStore::empty();
    for one in &credentials {
        roots.add(one.der.clone()).unwrap();
    }
    keep(&stage, "secure", &credentials[0].certificate, &credentials[0].key).await;
    listen(&stage, &[]).await;
    stage.create(&route("secure", "secure.test")).await.unwrap();
    let address = address(&stage).await;
    let plain = Visitors::start(4, &Target::http(&address, "echo.test")).await;
    let secure = Visitors::start(2, &Target::https(&address, "secure.test", client(roots))).await;

    for round in 0..ROUNDS {
        change_routes(&stage, &address, round).await;
        change_weights(&stage, &address, round).await;
        change_listeners(&stage, &address).await;
        rotate(&stage, &address, &credentials[round + 1]).await;
        replace_controllers(&stage, round).await;
        change_routes(&stage, &address, ROUNDS + round).await;
    }
    let (plain, secure) = (plain.leave_content().await, secure.leave_content().await);
    assert!(plain > 1_000 && secure > 100, "{plain} and {secure} requests are no load");
}

/// Gives the Gateway its listeners, and others besides.
async fn listen(stage: &Stage, others: &[Value]) {
    let http = json!({"name": "http", "port": 80, "protocol": "HTTP"});
    let secure = json!({"name": "secure", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "secure"}]}});
    let listeners: Vec<Value> = [http, secure].into_iter().chain(others.iter().cloned()).collect();
    stage.patch(GATEWAY, "web/web", &json!({"spec": {"listeners": listeners}})).await;
}

/// Other routes come, change and go; that of the visitors changes.
async fn change_routes(stage: &Stage, address: &str, round: usize) {
    for number in 0..10 {
        let name = format!("other-{round}-{number}");
        stage.create(&route(&name, &format!("{name}.test"))).await.unwrap();
    }
    let last = format!("other-{round}-9.test");
    Target::http(address, &last).answers(200).await;
    let mark = json!({"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x-round", "value": round.to_string()}]}});
    let backend = json!([{"name": "echo", "port": 80}]);
    let rules = json!([
        {"matches": [{"path": {"type": "PathPrefix", "value": format!("/{round}")}}], "backendRefs": backend},
        {"filters": [mark], "backendRefs": backend},
    ]);
    stage.patch(HTTP_ROUTE, "web/echo", &json!({"spec": {"rules": rules}})).await;
    for number in 0..10 {
        stage.delete(HTTP_ROUTE, &format!("web/other-{round}-{number}")).await;
    }
    Target::http(address, &last).answers(404).await;
}

async fn change_weights(stage: &Stage, address: &str, round: usize) {
    for (first, second) in [(1, 1), (0, 1), (9, 1), (1, 0)] {
        let backends = json!([{"name": "echo", "port": 80, "weight": first}, {"name": "second", "port": 80, "weight": second}]);
        let change = json!({"spec": {"rules": [{"backendRefs": backends}]}});
        for name in ["web/echo", "web/secure"] {
            stage.patch(HTTP_ROUTE, name, &change).await;
        }
        // What comes after it shows that it is there.
        let mark = format!("weighed-{round}-{first}-{second}");
        stage.create(&route(&mark, &format!("{mark}.test"))).await.unwrap();
        Target::http(address, &format!("{mark}.test")).answers(200).await;
        stage.delete(HTTP_ROUTE, &format!("web/{mark}")).await;
    }
}

/// Listeners come and go on ports of their own and on those of the visitors.
async fn change_listeners(stage: &Stage, address: &str) {
    let other = json!({"name": "other", "port": 8080, "protocol": "HTTP"});
    let beside = json!({"name": "beside", "port": 80, "protocol": "HTTP", "hostname": "beside.test"});
    let tls = json!({"certificateRefs": [{"name": "secure"}]});
    let secure =
        json!({"name": "by-name", "port": 443, "protocol": "HTTPS", "hostname": "by-name.test", "tls": tls});
    let mut target = Target::http(address, "echo.test");
    target.address.set_port(8080);
    listen(stage, &[other, beside, secure]).await;
    target.answers(200).await;
    stage
        .until(GATEWAY, "web/web", |gateway| {
            (listener_condition(gateway, "by-name", "Programmed")?.0 == "True").then_some(())
        })
        .await;
    listen(stage, &[]).await;
    crate::stage::eventually("no listener", async || target.ask().await.is_err().then_some(())).await;
}

/// Another certificate; clients that know only that one are let in.
async fn rotate(stage: &Stage, address: &str, next: &Credentials) {
    keep(stage, "secure", &next.certificate, &next.key).await;
    Target::https(address, "secure.test", next.client.clone()).answers(200).await;
}

/// As `kubectl rollout restart` does.
async fn replace_controllers(stage: &Stage, round: usize) {
    let change =
        json!({"spec": {"template": {"metadata": {"annotations": {"restarted": round.to_string()}}}}});
    let name = format!("{NAMESPACE}/ferrule");
    stage.patch(DEPLOYMENT, &name, &change).await;
    stage
        .until(DEPLOYMENT, &name, |there| {
            let status = &there["status"];
            let is_seen = status["observedGeneration"] == there["metadata"]["generation"];
            (is_seen
                && status["updatedReplicas"] == 2
                && status["replicas"] == 2
                && status["readyReplicas"] == 2)
                .then_some(())
        })
        .await;
}
