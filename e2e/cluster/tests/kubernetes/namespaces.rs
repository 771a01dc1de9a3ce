//! A controller that is given namespaces serves these only, and needs rights nowhere else.

use serde_json::{Value, json};

use crate::controller::{Controller, NAMESPACE, prepare};
use crate::deployment::BASE;
use crate::objects::{GATEWAY, HTTP_ROUTE, address, condition, route, web};
use crate::stage::Stage;
use crate::visitors::{Target, Visitors};

/// The role for what is in namespaces.
const ROLE: &str = "ferrule-namespaces";

/// Grants what the deployment does, but for what is in namespaces.
async fn grant_of_the_cluster(stage: &Stage) {
    let text = std::fs::read_to_string(format!("{BASE}/rbac.yaml")).unwrap();
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let everywhere =
        |object: &Value| object["kind"] == "ClusterRoleBinding" && object["metadata"]["name"] == ROLE;
    let before = objects.len();
    objects.retain(|object| !everywhere(object));
    assert_eq!(objects.len(), before - 1);
    for object in objects {
        stage.apply(&object.to_string()).await;
    }
}

async fn grant_in(stage: &Stage, namespace: &str) {
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
        "metadata": {"name": ROLE, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": "ferrule", "namespace": NAMESPACE}],
    });
    stage.apply(&binding.to_string()).await;
}

async fn make(stage: &Stage, namespace: &str) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    stage.apply(&namespace.to_string()).await;
}

/// A Gateway in the namespace `other`, and a route there to that of `web`, which takes routes from everywhere.
async fn others(stage: &Stage) {
    let listener =
        |extra: Value| json!([{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": extra}]);
    let everywhere = json!({"namespaces": {"from": "All"}});
    stage.patch(GATEWAY, "web/web", &json!({"spec": {"listeners": listener(everywhere)}})).await;
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "other", "namespace": "other"},
        "spec": {"gatewayClassName": "ferrule", "listeners": listener(json!({}))},
    });
    stage.create(&gateway).await.unwrap();
    let mut visiting = route("visiting", "visiting.test");
    visiting["metadata"]["namespace"] = "other".into();
    visiting["spec"]["parentRefs"] = json!([{"name": "web", "namespace": "web"}]);
    let elsewhere = json!({"type": "RequestRedirect", "requestRedirect": {"hostname": "elsewhere.test"}});
    visiting["spec"]["rules"] = json!([{"filters": [elsewhere]}]);
    stage.create(&visiting).await.unwrap();
}

async fn is_programmed(stage: &Stage, name: &str) {
    stage
        .until(GATEWAY, name, |gateway| {
            (condition(&gateway["status"]["conditions"], "Programmed")?.0 == "True").then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_of_some_namespaces_serves_them_only_and_needs_no_right_elsewhere() {
    let stage = Stage::new().await;
    prepare(&stage).await;
    grant_of_the_cluster(&stage).await;
    make(&stage, "web").await;
    make(&stage, "other").await;
    grant_in(&stage, "web").await;
    let controller = Controller::with_rights_of_its_account(&stage, &["--watch-namespaces", "web"]);
    web(&stage).await;
    let address = address(&stage).await;
    let visitors = Visitors::start(2, &Target::http(&address, "echo.test")).await;
    others(&stage).await;
    stage.create(&route("later", "later.test")).await.unwrap();
    Target::http(&address, "later.test").answers(200).await;
    is_programmed(&stage, "web/web").await;

    Target::http(&address, "visiting.test").answers(404).await;
    assert_eq!(stage.get(HTTP_ROUTE, "other/visiting").await["status"]["parents"], Value::Null);
    let left_alone = stage.get(GATEWAY, "other/other").await;
    let programmed = condition(&left_alone["status"]["conditions"], "Programmed").unwrap();
    assert_eq!(programmed.1, "Pending", "as the API server made it");
    assert_eq!(stage.get("apps/v1 Deployment", "other/other").await, Value::Null);
    assert!(!controller.log().contains("forbidden"), "{}", controller.log());

    // One that is given more than it may read says so and waits; what is served stays.
    controller.kill();
    let controller = Controller::with_rights_of_its_account(&stage, &["--watch-namespaces", "other,web"]);
    controller.says("gateways in other: ").await;
    assert!(controller.log().contains("forbidden"), "{}", controller.log());
    visitors.answered(50).await;
    grant_in(&stage, "other").await;
    is_programmed(&stage, "other/other").await;
    Target::http(&address, "visiting.test").answers(302).await;
    visitors.leave_content().await;
}
