//! What Envoy refuses: it is told on the policy that asks for it, in Envoy's words, and everything else serves.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::controller::{Controller, prepare};
use crate::events::{events, reasons};
use crate::objects::{GATEWAY, HTTP_ROUTE, address, condition, route, web};
use crate::stage::{PROGRAM, Stage, eventually};
use crate::visitors::{Target, Visitors};

const POLICY: &str = "gateway.kgateway.dev/v1alpha1 TrafficPolicy";

/// What Envoy says of a module that lacks the filter.
const WORDS: &str = "Failed to initialize per-route dynamic module";

/// The programs of this workspace, but for the module: the one here lacks the filters, which only Envoy can know.
fn lacking_filters() -> TempDir {
    let built = Path::new(PROGRAM).parent().unwrap();
    // Files of pods are these very ones, not what links lead to.
    let folder = tempfile::tempdir_in(built).unwrap();
    for (program, here) in [
        ("ferrule", "ferrule"),
        ("envoy-bootstrap", "envoy-bootstrap"),
        ("libferrule_probe.so", "libferrule.so"),
    ] {
        assert!(built.join(program).exists(), "{program} is not built; `just cluster-programs` builds it");
        std::fs::hard_link(built.join(program), folder.path().join(here)).unwrap();
    }
    folder
}

/// A policy of the route `greet`.
fn policy(spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["targetRefs"] =
        json!([{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "greet"}]);
    json!({
        "apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "TrafficPolicy",
        "metadata": {"name": "greet", "namespace": "web"}, "spec": spec,
    })
}

/// What conditions of an object say of `Programmed`; those of a policy are under its ancestors.
fn programmed(object: &Value) -> Option<(String, String, String)> {
    let status = &object["status"];
    let conditions = status.pointer("/ancestors/0/conditions").or(status.pointer("/parents/0/conditions"));
    let conditions = conditions.unwrap_or(&status["conditions"]);
    let (state, reason) = condition(conditions, "Programmed")?;
    let told = conditions.as_array()?.iter().find(|one| one["type"] == "Programmed")?;
    Some((state, reason, told["message"].as_str()?.to_owned()))
}

async fn is_refused(stage: &Stage, kind: &str, name: &str) {
    stage
        .until(kind, name, |object| {
            let (state, reason, message) = programmed(object)?;
            (state == "False" && reason == "Invalid" && message.contains(WORDS)).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_envoy_refuses_is_told_on_its_policy_until_it_is_mended_and_the_rest_serves() {
    let programs = lacking_filters();
    let stage = Stage::with(&["--built", programs.path().to_str().unwrap()]).await;
    prepare(&stage).await;
    let _controller = Controller::start(&stage);
    web(&stage).await;
    stage.create(&route("greet", "greet.test")).await.unwrap();
    let address = address(&stage).await;
    let visitors = Visitors::start(2, &Target::http(&address, "echo.test")).await;
    let greet = Visitors::start(2, &Target::http(&address, "greet.test")).await;

    let transformation =
        json!({"transformation": {"response": {"set": [{"name": "x-greet", "value": "hello"}]}}});
    stage.apply(&policy(&transformation).to_string()).await;
    is_refused(&stage, POLICY, "web/greet").await;
    is_refused(&stage, GATEWAY, "web/web").await;
    stage.create(&route("later", "later.test")).await.unwrap();
    Target::http(&address, "later.test").answers(200).await;
    for name in ["web/echo", "web/later"] {
        assert_eq!(programmed(&stage.get(HTTP_ROUTE, name).await), None, "{name} is not to blame");
    }
    // It refuses the filter, then what the route has for it.
    let told = events(&stage, "TrafficPolicy", "greet", 1).await;
    assert!(reasons(&told).iter().all(|one| *one == ("Warning", "Invalid")), "{told:?}");
    eventually("an event with Envoy's words", async || {
        let told = events(&stage, "TrafficPolicy", "greet", 1).await;
        told.iter().any(|event| event["note"].as_str().unwrap().contains(WORDS)).then_some(())
    })
    .await;

    stage.apply(&policy(&json!({})).to_string()).await;
    let good = |object: &Value| (programmed(object)?.0 == "True").then_some(());
    stage.until(GATEWAY, "web/web", good).await;
    stage
        .until(POLICY, "web/greet", |policy| {
            let accepted = condition(&policy["status"]["ancestors"][0]["conditions"], "Accepted")?;
            (accepted.0 == "True" && programmed(policy).is_none()).then_some(())
        })
        .await;
    for visitors in [visitors, greet] {
        visitors.answered(50).await;
        visitors.leave_content().await;
    }
    eventually("an event of the Gateway's recovery", async || {
        let told = events(&stage, "Gateway", "web", 2).await;
        (reasons(&told).last() == Some(&("Normal", "Programmed"))).then_some(())
    })
    .await;
}
