//! Events on objects: what turned bad or good again, once for each thing that is to be told.

use serde_json::{Value, json};

use crate::controller::{Controller, prepare};
use crate::deployment::BASE;
use crate::objects::{address, condition, web};
use crate::stage::{Stage, eventually};
use crate::visitors::Target;

const POLICY: &str = "gateway.kgateway.dev/v1alpha1 TrafficPolicy";
/// How often the policy turns bad and good again.
const TURNS: u64 = 4;

/// The events on an object of the namespace `web`, the first one first, once there are so many.
pub(crate) async fn events(stage: &Stage, kind: &str, name: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} events on {kind} {name}"), async || {
        let mut all = stage.everywhere("events.k8s.io/v1 Event").await;
        all.retain(|event| {
            let regarding = &event["regarding"];
            event["reportingController"] == "ferrule.dev/gateway-controller"
                && (&regarding["kind"], &regarding["name"]) == (&json!(kind), &json!(name))
        });
        all.sort_by_key(|event| [&event["eventTime"], &event["metadata"]["name"]].map(Value::to_string));
        (all.len() >= count).then_some(all)
    })
    .await
}

/// Their types and reasons.
pub(crate) fn reasons(events: &[Value]) -> Vec<(&str, &str)> {
    events.iter().map(|one| (one["type"].as_str().unwrap(), one["reason"].as_str().unwrap())).collect()
}

fn policy(template: &str) -> String {
    let target = json!({"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "echo"});
    let set = json!([{"name": "x-greet", "value": template}]);
    let spec = json!({"targetRefs": [target], "transformation": {"response": {"set": set}}});
    json!({
        "apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "TrafficPolicy",
        "metadata": {"name": "greet", "namespace": "web"}, "spec": spec,
    })
    .to_string()
}

async fn accepted(stage: &Stage, expected: &str) -> Value {
    stage
        .until(POLICY, "web/greet", |policy| {
            let conditions = &policy["status"]["ancestors"][0]["conditions"];
            let ours = condition(conditions, "Accepted")?.0 == expected;
            let observed = conditions[0]["observedGeneration"] == policy["metadata"]["generation"];
            (ours && observed).then(|| policy.clone())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_turns_bad_and_good_has_an_event_of_each_and_they_do_not_pile_up() {
    let stage = Stage::new().await;
    prepare(&stage).await;
    stage.apply(&std::fs::read_to_string(format!("{BASE}/rbac.yaml")).unwrap()).await;
    let controller = Controller::with_rights_of_its_account(&stage, &[]);
    web(&stage).await;
    let target = Target::http(&address(&stage).await, "echo.test");
    for turn in 0..TURNS {
        stage.apply(&policy("{{ nonsense( }}")).await;
        let there = accepted(&stage, "False").await;
        let told = events(&stage, "TrafficPolicy", "greet", 1).await;
        if turn == 0 {
            is_about(&told[0], &there);
        }
        // It is as bad as before: nothing new.
        stage
            .patch(POLICY, "web/greet", &json!({"metadata": {"labels": {"turn": format!("t{turn}")}}}))
            .await;
        stage.apply(&policy("hello")).await;
        accepted(&stage, "True").await;
    }
    target.answers(200).await;
    let told = eventually("all turns", async || {
        let told = events(&stage, "TrafficPolicy", "greet", 4).await;
        told.iter().all(|event| event["series"]["count"] == TURNS).then_some(told)
    })
    .await;
    // It is neither accepted nor attached, then both.
    let expected =
        [("Warning", "Invalid"), ("Warning", "Pending"), ("Normal", "Accepted"), ("Normal", "Attached")];
    assert_eq!(reasons(&told), expected);
    assert_eq!(events(&stage, "HTTPRoute", "echo", 0).await, [Value::Null; 0], "the route is well");
    assert!(!controller.log().contains("an event cannot be written"), "{}", controller.log());
}

/// An event says what the object's status says.
fn is_about(event: &Value, object: &Value) {
    let conditions = &object["status"]["ancestors"][0]["conditions"];
    let bad = conditions.as_array().unwrap().iter().find(|one| one["type"] == "Accepted").unwrap();
    assert_eq!((&event["type"], &event["reason"]), (&json!("Warning"), &bad["reason"]));
    let note = event["note"].as_str().unwrap();
    assert!(note.contains(bad["message"].as_str().unwrap()), "{note}");
    assert_eq!(event["metadata"]["namespace"], "web");
    let regarding = &event["regarding"];
    assert_eq!(regarding["apiVersion"], object["apiVersion"]);
    assert_eq!(regarding["uid"], object["metadata"]["uid"]);
    assert_eq!((&regarding["kind"], &regarding["namespace"]), (&object["kind"], &json!("web")));
    assert_eq!(event["reportingInstance"], "first");
}
