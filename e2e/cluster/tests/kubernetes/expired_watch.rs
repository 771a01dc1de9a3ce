//! Watches that ask for a version which the API server has forgotten (410 Gone).

use ferrule_cluster::Part;
use hyper::Request;

use crate::objects::{HTTP_ROUTE, route, served};
use crate::stage::{Stage, eventually};
use crate::visitors::{Target, Visitors};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_made_up_for_when_watches_have_expired() {
    let (mut stage, controller, address) = served().await;
    stage.create(&route("leaving", "leaving.test")).await.unwrap();
    let visitors = Visitors::start(2, &Target::http(&address, "echo.test")).await;
    Target::http(&address, "leaving.test").answers(200).await;
    let seen = stage.get(HTTP_ROUTE, "web/leaving").await["metadata"]["resourceVersion"].clone();

    controller.signal("STOP");
    stage.delete(HTTP_ROUTE, "web/leaving").await;
    stage.create(&route("coming", "coming.test")).await.unwrap();
    // The cache of an API server begins with its start.
    stage.cluster.stop(Part::ApiServer).unwrap();
    stage.cluster.resume(Part::ApiServer).unwrap();
    let expired = eventually("a watch", async || watch(&stage, seen.as_str().unwrap()).await.ok()).await;
    assert!(expired.contains("\"code\":410"), "{expired}");
    controller.signal("CONT");

    Target::http(&address, "coming.test").answers(200).await;
    Target::http(&address, "leaving.test").answers(404).await;
    visitors.leave_content().await;
}

/// What a watch from a version on says within a second.
async fn watch(stage: &Stage, version: &str) -> Result<String, kube::Error> {
    let path = "/apis/gateway.networking.k8s.io/v1/httproutes";
    let path = format!("{path}?watch=1&timeoutSeconds=1&resourceVersion={version}");
    stage.client.request_text(Request::get(path).body(Vec::new()).unwrap()).await
}
