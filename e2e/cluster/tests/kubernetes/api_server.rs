//! The API server and etcd come and go.

use std::time::Duration;

use ferrule_cluster::Part;

use crate::objects::{route, served};
use crate::stage::Stage;
use crate::visitors::{Target, Visitors};

/// How long the API server is away: longer than the lease lasts, and than any retry waits.
const AWAY: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn serving_goes_on_while_the_api_server_or_etcd_is_gone() {
    let (mut stage, controller, address) = served().await;
    let visitors = Visitors::start(4, &Target::http(&address, "echo.test")).await;

    stage.cluster.stop(Part::ApiServer).unwrap();
    controller.says("trying again, what was read stays in use").await;
    tokio::time::sleep(AWAY).await;
    controller.says("another one is to write status").await;
    visitors.answered(100).await;
    stage.cluster.resume(Part::ApiServer).unwrap();
    controller.says("the API server answers again").await;
    is_obeyed(&stage, &address, "after-api-server").await;

    stage.cluster.stop(Part::Etcd).unwrap();
    visitors.answered(200).await;
    stage.cluster.resume(Part::Etcd).unwrap();
    is_obeyed(&stage, &address, "after-etcd").await;
    visitors.leave_content().await;
}

/// A new route is answered, and its status written.
async fn is_obeyed(stage: &Stage, address: &str, name: &str) {
    let host = format!("{name}.test");
    crate::stage::eventually(name, async || stage.create(&route(name, &host)).await.ok()).await;
    Target::http(address, &host).answers(200).await;
    stage
        .until(crate::objects::HTTP_ROUTE, &format!("web/{name}"), |route| {
            let accepted =
                crate::objects::condition(&route["status"]["parents"][0]["conditions"], "Accepted");
            (accepted?.0 == "True").then_some(())
        })
        .await;
}
