//! The controller under test, as a process of this machine.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use kube::Client;
use serde_json::json;
use tokio::process::Child;

use super::CLASS;
use crate::addresses::Plan;
use crate::containment::Containment;
use crate::manifests;
use crate::process::{self, Output, SYSTEM_PATH, Starter};

/// The namespace of the controller.
const NAMESPACE: &str = "ferrule-system";

/// What the GatewayClass names.
const CONTROLLER_NAME: &str = "ferrule.dev/gateway-controller";

/// How long the controller may take until it has accepted its GatewayClass.
const ACCEPTED: Duration = Duration::from_secs(120);

/// A controller that runs on this machine, outside the cluster.
pub(crate) struct Controller {
    child: Child,
    log: PathBuf,
}

/// Makes the namespace of the controller and its GatewayClass.
pub(crate) async fn prepare(client: &Client) -> anyhow::Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": {"name": CLASS}, "spec": {"controllerName": CONTROLLER_NAME},
    });
    for object in [namespace, class] {
        manifests::apply(client, &object.to_string()).await?;
    }
    Ok(())
}

impl Controller {
    /// Starts `program` with its log in `folder`; proxies reach it at the node's address.
    ///
    /// # Errors
    /// Its definitions are refused, or it cannot be started.
    pub(crate) async fn start(
        starter: &Starter,
        client: &Client,
        program: &Path,
        kubeconfig: &Path,
        plan: Plan,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let definitions = process::run(&program.display().to_string(), &["crds"], "").await?;
        manifests::apply(client, &definitions).await.context("applying the controller's definitions")?;
        manifests::wait_for_definitions(client).await?;
        prepare(client).await?;
        let address = format!("{}:18000", plan.node());
        let command = [
            &program.display().to_string(),
            "controller",
            "--kubeconfig",
            &kubeconfig.display().to_string(),
            "--namespace",
            NAMESPACE,
            "--ads",
            &address,
            "--xds-address",
            &address,
            "--admin",
            &format!("unix:{}", folder.join("admin.sock").display()),
        ]
        .map(ToOwned::to_owned);
        let environment = [("PATH", SYSTEM_PATH), ("HOME", "/"), ("RUST_LOG", "info")];
        let containment = Containment {
            command: command.into(),
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..Containment::default()
        };
        let log = folder.join("controller.log");
        let child = starter.contain(&containment, Output::File(File::create(&log)?)).await?;
        Ok(Self { child, log })
    }

    /// Waits until the GatewayClass is accepted.
    ///
    /// # Errors
    /// The controller ended, or it did not accept the class in time; the error quotes its log.
    pub(crate) async fn wait_until_accepted(&mut self, client: &Client) -> anyhow::Result<()> {
        let began = Instant::now();
        while !is_accepted(client).await? {
            if let Some(status) = self.child.try_wait()? {
                bail!("the controller ended ({status}):\n{}", super::quote(&self.log));
            }
            if began.elapsed() > ACCEPTED {
                bail!(
                    "the GatewayClass {CLASS} is not accepted after {ACCEPTED:?}:\n{}",
                    super::quote(&self.log)
                );
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Says so when the controller has ended meanwhile.
    pub(crate) fn complaint(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(format!("the controller ended ({status}):\n{}", super::quote(&self.log)))
    }

    /// Ends it.
    pub(crate) async fn end(mut self) {
        process::end(&mut self.child, Duration::from_secs(10)).await;
    }
}

async fn is_accepted(client: &Client) -> anyhow::Result<bool> {
    let path = format!("/apis/gateway.networking.k8s.io/v1/gatewayclasses/{CLASS}");
    let class: serde_json::Value = client.request(hyper::Request::get(path).body(Vec::new())?).await?;
    let conditions = class["status"]["conditions"].as_array();
    let mut accepted = conditions.into_iter().flatten().filter(|one| one["type"] == "Accepted");
    Ok(accepted.any(|one| one["status"] == "True"))
}
