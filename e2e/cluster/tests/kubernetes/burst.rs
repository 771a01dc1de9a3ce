//! Very many routes at once.

use futures::StreamExt;

use crate::objects::{GATEWAY, HTTP_ROUTE, condition, route, served};
use crate::visitors::{Target, Visitors};

/// Requests to the API server at a time.
const AT_ONCE: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_routes_that_come_at_once_are_all_served() {
    burst(2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes four minutes on two cores"]
async fn ten_thousand_routes_that_come_at_once_are_all_served() {
    burst(10_000).await;
}

async fn burst(routes: usize) {
    let (stage, controller, address) = served().await;
    let visitors = Visitors::start(2, &Target::http(&address, "echo.test")).await;
    let created = futures::stream::iter(0..routes).map(|number| {
        let stage = &stage;
        async move { stage.create(&route(&format!("r-{number}"), &format!("r-{number}.test"))).await.unwrap() }
    });
    created.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    Target::http(&address, &format!("r-{}.test", routes - 1)).answers(200).await;
    let attached = |gateway: &serde_json::Value| {
        (gateway["status"]["listeners"][0]["attachedRoutes"] == routes + 1).then_some(())
    };
    stage.until(GATEWAY, "web/web", attached).await;
    for number in (0..routes).step_by(routes / 100) {
        Target::http(&address, &format!("r-{number}.test")).answers(200).await;
        let accepted = |route: &serde_json::Value| {
            let accepted = condition(&route["status"]["parents"][0]["conditions"], "Accepted")?;
            (accepted.0 == "True").then_some(())
        };
        stage.until(HTTP_ROUTE, &format!("web/r-{number}"), accepted).await;
    }
    visitors.leave_content().await;
    drop(controller);
}
