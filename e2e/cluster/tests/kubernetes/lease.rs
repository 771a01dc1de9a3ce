//! Who of several controllers writes, when the clocks of their machines disagree.

use std::time::Duration;

use serde_json::{Value, json};

use crate::controller::{Controller, NAMESPACE, XDS_PORT, prepare};
use crate::objects::{HTTP_ROUTE, address, condition, route, web};
use crate::stage::Stage;
use crate::visitors::{Target, Visitors};

const LEASE: &str = "coordination.k8s.io/v1 Lease";
const LEADER: &str = "ferrule-system/ferrule-leader";

/// A lease of a holder whose clock is a day off.
fn held_by_other(day: u32, second: u64) -> Value {
    let now = format!("2030-01-{day:02}T00:00:{second:02}.000000Z");
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "ferrule-leader", "namespace": NAMESPACE},
        "spec": {"holderIdentity": "other", "leaseDurationSeconds": 5, "renewTime": now, "acquireTime": now},
    })
}

fn holder(lease: &Value) -> Option<String> {
    lease["spec"]["holderIdentity"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_whose_clock_is_wrong_leads_as_long_as_it_renews_and_no_longer() {
    let stage = Stage::new().await;
    prepare(&stage).await;
    stage.create(&held_by_other(1, 0)).await.unwrap();
    let controller = Controller::start(&stage);
    // Three times as long as the lease lasts. The holder's renewals are of years ahead, then of a past day.
    let renew = async {
        for second in 0..15 {
            let renewed = held_by_other(if second < 8 { 20 } else { 2 }, second);
            stage.patch(LEASE, LEADER, &json!({"spec": renewed["spec"]})).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::join!(renew, web(&stage));
    assert_eq!(stage.get(HTTP_ROUTE, "web/echo").await["status"], Value::Null);
    assert_eq!(holder(&stage.get(LEASE, LEADER).await).as_deref(), Some("other"));
    // It is silent now, and its last word is of a time that is yet to come.
    stage.until(LEASE, LEADER, |lease| (holder(lease)? == "first").then_some(())).await;
    Target::http(&address(&stage).await, "echo.test").answers(200).await;
    drop(controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_controllers_one_writes_and_the_other_takes_over() {
    let stage = Stage::new().await;
    prepare(&stage).await;
    let first = Controller::start(&stage);
    first.says("this controller writes status from now on").await;
    let second = Controller::named(&stage, "second", XDS_PORT + 1);
    web(&stage).await;
    let address = address(&stage).await;
    let visitors = Visitors::start(2, &Target::http(&address, "echo.test")).await;
    is_accepted(&stage, "echo").await;
    let before = versions(&stage).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(versions(&stage).await, before, "somebody keeps writing");
    assert!(!second.log().contains("writes status from now on"), "{}", second.log());

    first.kill();
    second.says("this controller writes status from now on").await;
    stage.create(&route("later", "later.test")).await.unwrap();
    is_accepted(&stage, "later").await;
    visitors.leave_content().await;
}

async fn is_accepted(stage: &Stage, name: &str) {
    let accepted = |route: &Value| condition(&route["status"]["parents"][0]["conditions"], "Accepted");
    let accepted = |route: &Value| (accepted(route)?.0 == "True").then_some(());
    stage.until(HTTP_ROUTE, &format!("web/{name}"), accepted).await;
}

/// The versions of objects with a status of ours.
async fn versions(stage: &Stage) -> Vec<Value> {
    let mut versions = Vec::new();
    for (kind, name) in [
        ("gateway.networking.k8s.io/v1 GatewayClass", "ferrule"),
        (crate::objects::GATEWAY, "web/web"),
        (HTTP_ROUTE, "web/echo"),
        ("v1 Service", "web/web"),
    ] {
        versions.push(stage.get(kind, name).await["metadata"]["resourceVersion"].clone());
    }
    versions
}
