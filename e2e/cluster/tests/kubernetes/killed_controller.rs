//! Controllers that are killed, wherever they are in their work, and started again.

use std::time::Duration;

use crate::controller::{Controller, XDS_PORT, prepare};
use crate::objects::{HTTP_ROUTE, address, condition, route, web};
use crate::stage::Stage;
use crate::visitors::{Target, Visitors};

/// How long each of the first ones lives: not until it has read anything, until it serves, until it makes proxies...
const LIVES: [u64; 5] = [0, 100, 300, 700, 1500];
/// Routes that come while it is alive.
const ROUTES: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_goes_on_where_another_was_killed() {
    let stage = Stage::new().await;
    prepare(&stage).await;
    web(&stage).await;
    for (index, life) in LIVES.into_iter().enumerate() {
        let controller = Controller::named(&stage, &format!("before-{index}"), XDS_PORT);
        tokio::time::sleep(Duration::from_millis(life)).await;
        controller.kill();
    }
    let first = Controller::named(&stage, "first", XDS_PORT);
    let address = address(&stage).await;
    let visitors = Visitors::start(4, &Target::http(&address, "echo.test")).await;
    let mut controller = first;
    for (index, life) in LIVES.into_iter().enumerate() {
        for number in 0..ROUTES {
            let name = format!("r-{index}-{number}");
            stage.create(&route(&name, &format!("{name}.test"))).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(life)).await;
        controller.kill();
        visitors.answered(50).await;
        controller = Controller::named(&stage, &format!("after-{index}"), XDS_PORT);
    }
    for name in
        (0..LIVES.len()).flat_map(|index| (0..ROUTES).map(move |number| format!("r-{index}-{number}")))
    {
        Target::http(&address, &format!("{name}.test")).answers(200).await;
        stage
            .until(HTTP_ROUTE, &format!("web/{name}"), |route| {
                let parents = &route["status"]["parents"];
                assert!(parents.as_array().is_none_or(|parents| parents.len() == 1), "{parents}");
                (condition(&parents[0]["conditions"], "Accepted")?.0 == "True").then_some(())
            })
            .await;
    }
    visitors.leave_content().await;
}
