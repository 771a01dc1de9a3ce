//! Others who write what is ours: whoever should not wins nothing, whoever may is left alone.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::objects::{GATEWAY, condition, served};
use crate::stage::Stage;
use crate::visitors::{Target, Visitors};

/// Applies conditions to the Gateway's status by force, as another manager.
async fn impose(stage: &Stage, conditions: &Value) {
    let status = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "web"},
        "status": {"conditions": conditions},
    });
    let params = PatchParams::apply("meddler").force();
    stage.api(GATEWAY, "web").patch_status("web", &params, &Patch::Apply(&status)).await.unwrap();
}

fn imposed(kind: &str, reason: &str) -> Value {
    json!({"type": kind, "status": "False", "reason": reason, "message": "", "lastTransitionTime": "2030-01-01T00:00:00Z"})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_change_of_ours_is_put_back_and_what_is_theirs_stays() {
    let (stage, controller, address) = served().await;
    let visitors = Visitors::start(2, &Target::http(&address, "echo.test")).await;

    impose(&stage, &json!([imposed("Programmed", "Meddled"), imposed("example.com/Theirs", "Foreign")]))
        .await;
    stage
        .until(GATEWAY, "web/web", |gateway| {
            let of = |kind: &str| condition(&gateway["status"]["conditions"], kind);
            assert_eq!(of("example.com/Theirs")?.1, "Foreign");
            (of("Programmed")?.0 == "True").then_some(())
        })
        .await;

    // A Deployment's number of replicas is an autoscaler's; its image is not.
    let image = "/spec/template/spec/containers/0/image";
    let deployment = "apps/v1 Deployment";
    let ours = stage.get(deployment, "web/web").await.pointer(image).unwrap().clone();
    let change = json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [
        {"name": "ferrule-proxy", "image": "meddled"}]}}}});
    let params = PatchParams::apply("meddler").force();
    let mut change = change;
    change["apiVersion"] = "apps/v1".into();
    change["kind"] = "Deployment".into();
    stage.api(deployment, "web").patch("web", &params, &Patch::Apply(&change)).await.unwrap();
    stage
        .until(deployment, "web/web", |there| {
            (there.pointer(image) == Some(&ours)).then_some(())?;
            assert_eq!(there["spec"]["replicas"], 2);
            (there["status"]["readyReplicas"] == 2).then_some(())
        })
        .await;

    // Somebody who never gives in is told of, and not fought at any price.
    for round in 0..40 {
        impose(&stage, &json!([imposed("Programmed", &format!("Meddled{round}"))])).await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    controller.says("someone else keeps changing the status that is ours to write").await;
    visitors.leave_content().await;
}
