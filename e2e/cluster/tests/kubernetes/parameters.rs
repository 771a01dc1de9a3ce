//! What GatewayParameters ask for, applied by a controller that has the rights of its role only, and taken back.

use serde_json::{Value, json};

use crate::controller::{Controller, prepare};
use crate::deployment::BASE;
use crate::objects::{GATEWAY, address, condition, web};
use crate::stage::{Stage, eventually};
use crate::visitors::{Target, Visitors};

const DEPLOYMENT: &str = "apps/v1 Deployment";
const BUDGET: &str = "policy/v1 PodDisruptionBudget";
const AUTOSCALER: &str = "autoscaling/v2 HorizontalPodAutoscaler";
const PARAMETERS: &str = "gateway.kgateway.dev/v1alpha1 GatewayParameters";

/// A container of the proxies gets an environment, another one comes, a field goes; the Service and the account change too.
const OVERLAYS: &str = "
apiVersion: gateway.kgateway.dev/v1alpha1
kind: GatewayParameters
metadata: {name: web, namespace: web}
spec:
  kube:
    deploymentOverlay:
      metadata: {labels: {team: edge}}
      spec:
        template:
          metadata: {annotations: {example.com/zone: a}}
          spec:
            terminationGracePeriodSeconds: 7
            containers:
            - {name: ferrule-proxy, env: [{name: TEAM, value: edge}]}
            - {name: sidecar, image: echo-basic}
    serviceOverlay: {metadata: {annotations: {example.com/balancer: fast}}, spec: {sessionAffinity: ClientIP}}
    serviceAccountOverlay: {metadata: {annotations: {example.com/role: edge}}}
    podDisruptionBudget: {metadata: {labels: {team: edge}}, spec: {maxUnavailable: 1, minAvailable: null}}
    horizontalPodAutoscaler: {spec: {minReplicas: 1, maxReplicas: 3, metrics: [
      {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}}
";

/// The container of a Deployment that is called so.
fn container<'d>(deployment: &'d Value, name: &str) -> Option<&'d Value> {
    let all = deployment.pointer("/spec/template/spec/containers")?.as_array()?;
    all.iter().find(|container| container["name"] == name)
}

/// Starts a controller whose rights are those that `controller/deploy/base` grants.
async fn controlled(stage: &Stage) -> Controller {
    prepare(stage).await;
    stage.apply(&std::fs::read_to_string(format!("{BASE}/rbac.yaml")).unwrap()).await;
    Controller::with_rights_of_its_account(stage, &[])
}

async fn is_gone(stage: &Stage, kind: &str) {
    stage.until(kind, "web/web", |found| found.is_null().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_parameters_ask_for_is_applied_and_goes_again_without_a_lost_request() {
    let stage = Stage::new().await;
    let controller = controlled(&stage).await;
    web(&stage).await;
    let address = address(&stage).await;
    let visitors = Visitors::start(2, &Target::http(&address, "echo.test")).await;
    let before = stage.get(DEPLOYMENT, "web/web").await;
    assert_eq!(stage.get(AUTOSCALER, "web/web").await, Value::Null);

    stage.apply(OVERLAYS).await;
    let reference = json!({"group": "gateway.kgateway.dev", "kind": "GatewayParameters", "name": "web"});
    let infrastructure = |reference: Value| json!({"spec": {"infrastructure": {"parametersRef": reference}}});
    stage.patch(GATEWAY, "web/web", &infrastructure(reference)).await;
    is_overlaid(&stage, &before).await;
    has_companions(&stage).await;
    visitors.answered(100).await;

    // What the API server refuses is told of, and nothing of what runs is touched.
    let wrong = json!({"spec": {"kube": {"horizontalPodAutoscaler": {"spec": {"maxReplicas": 0}}}}});
    stage.patch(PARAMETERS, "web/web", &wrong).await;
    controller.says("HorizontalPodAutoscaler").await;
    assert_eq!(stage.get(AUTOSCALER, "web/web").await["spec"]["maxReplicas"], 3);

    let nothing = json!({"spec": {"kube": {"horizontalPodAutoscaler": null, "podDisruptionBudget": null}}});
    stage.patch(PARAMETERS, "web/web", &nothing).await;
    is_gone(&stage, BUDGET).await;
    is_gone(&stage, AUTOSCALER).await;
    assert!(container(&stage.get(DEPLOYMENT, "web/web").await, "sidecar").is_some(), "the rest stays");

    stage.patch(GATEWAY, "web/web", &infrastructure(Value::Null)).await;
    is_as_before(&stage, &before).await;
    visitors.leave_content().await;

    stage.delete(GATEWAY, "web/web").await;
    for kind in [DEPLOYMENT, "v1 Service", "v1 ServiceAccount", "v1 ConfigMap"] {
        is_gone(&stage, kind).await;
    }
    assert!(!controller.log().contains("forbidden"), "{}", controller.log());
}

async fn is_overlaid(stage: &Stage, before: &Value) {
    let after = stage
        .until(DEPLOYMENT, "web/web", |deployment| {
            container(deployment, "sidecar")?;
            (deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]
                && deployment["status"]["readyReplicas"] == deployment["status"]["replicas"]
                && deployment["status"]["updatedReplicas"] == deployment["status"]["replicas"])
                .then(|| deployment.clone())
        })
        .await;
    assert_eq!(after["metadata"]["labels"]["team"], "edge");
    let template = &after["spec"]["template"];
    assert_eq!(template["metadata"]["annotations"]["example.com/zone"], "a");
    assert_eq!(template["spec"]["terminationGracePeriodSeconds"], 7);
    let (ours, theirs) =
        (container(&after, "ferrule-proxy").unwrap(), container(before, "ferrule-proxy").unwrap());
    assert!(ours["env"].as_array().unwrap().contains(&json!({"name": "TEAM", "value": "edge"})), "{ours}");
    assert_eq!(
        (&ours["image"], &ours["ports"]),
        (&theirs["image"], &theirs["ports"]),
        "what is not named stays"
    );
    let service = stage.get("v1 Service", "web/web").await;
    assert_eq!(service["spec"]["sessionAffinity"], "ClientIP");
    assert_eq!(service["metadata"]["annotations"]["example.com/balancer"], "fast");
    assert_eq!(service["spec"]["ports"][0]["port"], 80);
    let account = stage.get("v1 ServiceAccount", "web/web").await;
    assert_eq!(account["metadata"]["annotations"]["example.com/role"], "edge");
}

async fn has_companions(stage: &Stage) {
    let there =
        async |kind: &str| stage.until(kind, "web/web", |one| (!one.is_null()).then(|| one.clone())).await;
    let (budget, autoscaler) = (there(BUDGET).await, there(AUTOSCALER).await);
    assert_eq!(
        (&budget["spec"]["maxUnavailable"], &budget["spec"]["minAvailable"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(budget["metadata"]["labels"]["team"], "edge");
    // The API server counts the pods that the budget selects.
    let counted = |one: &Value| (one["status"]["expectedPods"] == 1).then_some(());
    stage.until(BUDGET, "web/web", counted).await;
    let target = &autoscaler["spec"]["scaleTargetRef"];
    assert_eq!((&target["kind"], &target["name"]), (&json!("Deployment"), &json!("web")));
    assert_eq!(autoscaler["spec"]["maxReplicas"], 3);
    for one in [&budget, &autoscaler] {
        assert_eq!(one["metadata"]["ownerReferences"][0]["kind"], "Gateway");
    }
}

/// The Deployment is what it was before, but for what counts changes.
async fn is_as_before(stage: &Stage, before: &Value) {
    eventually("the old Deployment", async || {
        let after = stage.get(DEPLOYMENT, "web/web").await;
        let same = after["spec"] == before["spec"]
            && after["metadata"]["labels"] == before["metadata"]["labels"]
            && after["status"]["updatedReplicas"] == 1;
        same.then_some(())
    })
    .await;
    stage
        .until("v1 Service", "web/web", |service| {
            (service["spec"]["sessionAffinity"] == "None").then_some(())?;
            (service["metadata"]["annotations"]["example.com/balancer"].is_null()).then_some(())
        })
        .await;
    stage
        .until(GATEWAY, "web/web", |gateway| {
            (condition(&gateway["status"]["conditions"], "Programmed")?.0 == "True").then_some(())
        })
        .await;
}
