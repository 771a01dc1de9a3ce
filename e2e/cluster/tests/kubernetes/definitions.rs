//! Clusters whose definitions are older or newer than ours, or lack kinds.

use serde_json::json;

use crate::controller::{Controller, prepare};
use crate::objects::{GATEWAY, HTTP_ROUTE, address, condition, route, web};
use crate::stage::Stage;
use crate::visitors::{Target, Visitors};

const DEFINITION: &str = "apiextensions.k8s.io/v1 CustomResourceDefinition";

/// Kinds that a cluster with the standard channel of an older release lacks, and one of ours.
const LACKING: [&str; 6] = [
    "tcproutes.gateway.networking.k8s.io",
    "udproutes.gateway.networking.k8s.io",
    "listenersets.gateway.networking.k8s.io",
    "tlsroutes.gateway.networking.k8s.io",
    "backendtlspolicies.gateway.networking.k8s.io",
    "trafficpolicies.gateway.kgateway.dev",
];

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_a_cluster_lacks_are_told_of_and_read_as_soon_as_they_come() {
    let stage = Stage::with(&["--gateway-api", "v1.6.3"]).await;
    prepare(&stage).await;
    let mut definition = stage.get(DEFINITION, LACKING[0]).await;
    for name in LACKING {
        stage.delete(DEFINITION, name).await;
        stage.until(DEFINITION, name, |found| found.is_null().then_some(())).await;
    }
    let controller = Controller::start(&stage);
    web(&stage).await;
    for kind in ["TCPRoute", "UDPRoute", "ListenerSet", "TLSRoute", "BackendTLSPolicy", "TrafficPolicy"] {
        controller.says(&format!("{kind} (")).await;
    }
    assert!(!controller.log().contains("HTTPRoute ("), "{}", controller.log());
    let address = address(&stage).await;
    let visitors = Visitors::start(2, &Target::http(&address, "echo.test")).await;
    supported_version(&stage, ("True", "SupportedVersion")).await;

    // What was missing comes: no restart is needed.
    definition["metadata"] =
        json!({"name": LACKING[0], "annotations": definition["metadata"]["annotations"]});
    definition["status"].take();
    stage.create(&definition).await.unwrap();
    let listeners = json!([{"name": "http", "port": 80, "protocol": "HTTP"}, {"name": "tcp", "port": 9000, "protocol": "TCP"}]);
    stage.patch(GATEWAY, "web/web", &json!({"spec": {"listeners": listeners}})).await;
    let tcp = json!({
        "apiVersion": "gateway.networking.k8s.io/v1alpha2", "kind": "TCPRoute",
        "metadata": {"name": "tcp", "namespace": "web"},
        "spec": {"parentRefs": [{"name": "web", "sectionName": "tcp"}], "rules": [{"backendRefs": [{"name": "echo", "port": 80}]}]},
    });
    crate::stage::eventually("a TCPRoute", async || stage.create(&tcp).await.ok()).await;
    let mut target = Target::http(&address, "any.test");
    target.address.set_port(9000);
    target.answers(200).await;

    // And goes again, with all of its kind.
    stage.delete(DEFINITION, LACKING[0]).await;
    controller.says("TCPRoute (gateway.networking.k8s.io").await;
    crate::stage::eventually("no TCPRoute", async || target.ask().await.is_err().then_some(())).await;
    visitors.leave_content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_newer_definitions_are_let_be_and_told_of() {
    let stage = Stage::new().await;
    prepare(&stage).await;
    let routes = "httproutes.gateway.networking.k8s.io";
    let mut definition = stage.get(DEFINITION, routes).await;
    for version in definition["spec"]["versions"].as_array_mut().unwrap() {
        let rule = "/schema/openAPIV3Schema/properties/spec/properties/rules/items/properties";
        version.pointer_mut(rule).unwrap()["novelty"] = json!({"type": "string"});
    }
    definition["metadata"]["annotations"]["gateway.networking.k8s.io/bundle-version"] = "v1.9.0".into();
    stage.patch(DEFINITION, routes, &definition).await;
    let bundle = json!({"metadata": {"annotations": {"gateway.networking.k8s.io/bundle-version": "v1.9.0"}}});
    stage.patch(DEFINITION, "gatewayclasses.gateway.networking.k8s.io", &bundle).await;
    let controller = Controller::start(&stage);
    web(&stage).await;
    let mut newer = route("newer", "newer.test");
    newer["spec"]["rules"][0]["novelty"] = "yes".into();
    crate::stage::eventually("the field is served", async || {
        stage.apply(&newer.to_string()).await;
        let there = stage.get(HTTP_ROUTE, "web/newer").await;
        (there["spec"]["rules"][0]["novelty"] == "yes").then_some(())
    })
    .await;
    Target::http(&address(&stage).await, "newer.test").answers(200).await;
    controller.says("HTTPRoute web/newer: spec.rules[0].novelty").await;
    supported_version(&stage, ("False", "UnsupportedVersion")).await;
}

/// Waits until the class says so of the release of Gateway API.
async fn supported_version(stage: &Stage, expected: (&str, &str)) {
    stage
        .until("gateway.networking.k8s.io/v1 GatewayClass", "ferrule", |class| {
            let (status, reason) = condition(&class["status"]["conditions"], "SupportedVersion")?;
            ((status.as_str(), reason.as_str()) == expected).then_some(())
        })
        .await;
}
