//! The controller deployed in the cluster as `controller/deploy/base` says: two replicas, and a role that is just enough.

use std::collections::BTreeSet;
use std::path::Path;

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::certificate::{Credentials, keep};
use crate::controller::{ACCOUNT, NAMESPACE};
use crate::objects::{GATEWAY, HTTP_ROUTE, address, condition, route, web};
use crate::stage::Stage;
use crate::visitors::{Target, Visitors};

/// Where the deployment is described.
pub(crate) const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../controller/deploy/base");

/// Proxies of a Gateway with all that can be asked for.
const PARAMETERS: &str = "
apiVersion: gateway.kgateway.dev/v1alpha1
kind: GatewayParameters
metadata: {name: all, namespace: web}
spec:
  kube:
    podDisruptionBudget: {spec: {minAvailable: 1}}
    horizontalPodAutoscaler: {spec: {minReplicas: 1, maxReplicas: 2, metrics: [
      {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}}
";

/// Whether a right is one that the API server's log cannot show in use here: autoscalers of a kind that the cluster does not
/// know, bundles of authorities that nothing here refers to, status of kinds that this test has none of, removal of what goes
/// with its Gateway anyway, the next authority of xDS, which is due in months, events that come again (`events.rs`).
fn is_for_others(resource: &str, verb: &str) -> bool {
    let is_absent = ["verticalpodautoscalers", "clustertrustbundles"].contains(&resource);
    let is_late = [("secrets", "update"), ("events", "patch")].contains(&(resource, verb));
    is_absent || is_late || resource.ends_with("/status") || verb == "delete"
}

/// A right that goes with another: a watch of an API server that does not stream lists begins with a list, and to apply what is
/// not there takes the right to create it.
fn needed_by(verb: &str) -> Option<&'static str> {
    match verb {
        "list" => Some("watch"),
        "create" => Some("patch"),
        _ => None,
    }
}

/// Group, resource with its part, verb.
type Deed = (String, String, String);

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_serve_with_the_rights_that_they_need_and_no_others() {
    let stage = Stage::with(&["--in-cluster", BASE]).await;
    web(&stage).await;
    let address = address(&stage).await;
    let visitors = Visitors::start(2, &Target::http(&address, "echo.test")).await;
    // Proxies find either replica, and whoever writes status knows of them all.
    for number in 0..4 {
        stage.apply(&gateway(&format!("other-{number}"), &json!({})).to_string()).await;
    }
    for number in 0..4 {
        is_programmed(&stage, &format!("other-{number}")).await;
    }
    stage.apply(PARAMETERS).await;
    let reference = json!({"group": "gateway.kgateway.dev", "kind": "GatewayParameters", "name": "all"});
    stage.apply(&gateway("all", &json!({"parametersRef": reference})).to_string()).await;
    is_programmed(&stage, "all").await;
    let credentials = Credentials::of("secure.test");
    keep(&stage, "secure", &credentials.certificate, &credentials.key).await;
    let http = json!({"name": "http", "port": 80, "protocol": "HTTP"});
    let secure = json!({"name": "secure", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "secure"}]}});
    stage.patch(GATEWAY, "web/web", &json!({"spec": {"listeners": [http, secure]}})).await;
    Target::https(&address, "secure.test", credentials.client).answers(404).await;

    let leader = stage.get("coordination.k8s.io/v1 Lease", "ferrule-system/ferrule-leader").await;
    let leader = leader["spec"]["holderIdentity"].as_str().unwrap().to_owned();
    let pods = stage.api("v1 Pod", NAMESPACE);
    pods.delete(&leader, &DeleteParams::default().grace_period(0)).await.unwrap();
    stage.create(&route("later", "later.test")).await.unwrap();
    Target::http(&address, "later.test").answers(200).await;
    stage
        .until(HTTP_ROUTE, "web/later", |route| {
            (condition(&route["status"]["parents"][0]["conditions"], "Accepted")?.0 == "True").then_some(())
        })
        .await;
    visitors.leave_content().await;

    let (done, refused) = deeds(&stage);
    assert!(refused.is_empty(), "{refused:?}");
    let idle: Vec<Deed> = granted().difference(&done).cloned().collect();
    let is_idle = |(group, resource, verb): &&Deed| {
        let other = needed_by(verb).map(|verb| (group.clone(), resource.clone(), verb.to_owned()));
        !is_for_others(resource, verb) && !other.is_some_and(|other| done.contains(&other))
    };
    let idle: Vec<&Deed> = idle.iter().filter(is_idle).collect();
    assert!(idle.is_empty(), "granted and never used: {idle:?}");
}

fn gateway(name: &str, infrastructure: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {"gatewayClassName": "ferrule", "infrastructure": infrastructure,
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
    })
}

async fn is_programmed(stage: &Stage, name: &str) {
    stage
        .until(GATEWAY, &format!("web/{name}"), |gateway| {
            (condition(&gateway["status"]["conditions"], "Programmed")?.0 == "True").then_some(())
        })
        .await;
}

/// What the controller asked the API server for, and what of it was refused.
fn deeds(stage: &Stage) -> (BTreeSet<Deed>, Vec<Value>) {
    let log = stage.cluster.kubeconfig().with_file_name("audit.log");
    let log = std::fs::read_to_string(log).unwrap();
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let events: Vec<Value> = events.filter(|event| event["user"]["username"] == ACCOUNT).collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let deed = |event: &Value| {
        let object = &event["objectRef"];
        let part = object["subresource"].as_str().map(|part| format!("/{part}")).unwrap_or_default();
        (text(&object["apiGroup"]), text(&object["resource"]) + &part, text(&event["verb"]))
    };
    let done = events.iter().map(deed).collect();
    (done, events.into_iter().filter(|event| event["responseStatus"]["code"] == 403).collect())
}

/// What the role grants.
fn granted() -> BTreeSet<Deed> {
    let text = std::fs::read_to_string(Path::new(BASE).join("rbac.yaml")).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let rules = objects.iter().filter_map(|object| object["rules"].as_array()).flatten();
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let mut granted = BTreeSet::new();
    for rule in rules {
        for group in strings(&rule["apiGroups"]) {
            for resource in strings(&rule["resources"]) {
                for verb in strings(&rule["verbs"]) {
                    granted.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    granted
}
