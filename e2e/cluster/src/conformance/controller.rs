//! The controller under test: a process of this machine, or deployed in the cluster.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::process::Child;

use super::CLASS;
use crate::cluster::Cluster;
use crate::containment::Containment;
use crate::manifests;
use crate::process::{self, Output, SYSTEM_PATH};

/// The namespace of the controller.
const NAMESPACE: &str = "ferrule-system";

/// What the GatewayClass names.
const CONTROLLER_NAME: &str = "ferrule.dev/gateway-controller";

/// The port of xDS.
const XDS_PORT: u16 = 18000;

/// How long the controller may take until it has accepted its GatewayClass.
const ACCEPTED: Duration = Duration::from_secs(120);

/// A controller.
pub(crate) enum Controller {
    /// On this machine, outside the cluster.
    Process {
        /// Its process.
        child: Box<Child>,
        /// Its log.
        log: PathBuf,
    },
    /// In the cluster.
    Deployed,
}

impl Controller {
    /// Starts `program` with its log in `folder`; proxies reach it at the node's address.
    ///
    /// # Errors
    /// Its definitions are refused, or it cannot be started.
    pub(crate) async fn start(cluster: &Cluster, program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let definitions = process::run(&program.display().to_string(), &["crds"], "").await?;
        manifests::apply(&cluster.client, &definitions)
            .await
            .context("applying the controller's definitions")?;
        manifests::wait_for_definitions(&cluster.client).await?;
        manifests::apply(&cluster.client, &namespace_and_class()).await?;
        let environment = [("PATH", SYSTEM_PATH), ("HOME", "/"), ("RUST_LOG", "info")];
        let containment = Containment {
            command: command(cluster, program, folder),
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..Containment::default()
        };
        let log = log_path(folder);
        let child = cluster.starter.contain(&containment, Output::File(File::create(&log)?)).await?;
        Ok(Self::Process { child: Box::new(child), log })
    }

    /// Applies a kustomization, such as `controller/deploy/base`.
    ///
    /// # Errors
    /// An object of it is refused.
    pub(crate) async fn deploy(client: &Client, kustomization: &Path) -> anyhow::Result<Self> {
        manifests::apply_kustomization(client, kustomization).await?;
        Ok(Self::Deployed)
    }

    /// Waits until the GatewayClass is accepted.
    ///
    /// # Errors
    /// The controller ended, or it did not accept the class in time.
    pub(crate) async fn wait_until_accepted(&mut self, client: &Client) -> anyhow::Result<()> {
        let began = Instant::now();
        while !is_accepted(client).await? {
            if let Self::Process { child, log } = self
                && let Some(status) = child.try_wait()?
            {
                bail!("the controller ended ({status}):\n{}", super::quote(log));
            }
            if began.elapsed() > ACCEPTED {
                bail!(
                    "the GatewayClass {CLASS} is not accepted after {ACCEPTED:?}:\n{}",
                    self.last_words(client).await
                );
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Waits until the controller ends, which it should not, and says how it did. Who is deployed is started again.
    pub(crate) async fn complaint(&mut self) -> String {
        match self {
            Self::Process { child, log } => {
                let status =
                    child.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
                format!("the controller ended ({status}):\n{}", super::quote(log))
            }
            Self::Deployed => std::future::pending().await,
        }
    }

    async fn last_words(&self, client: &Client) -> String {
        match self {
            Self::Process { log, .. } => super::quote(log),
            Self::Deployed => deployed_logs(client).await,
        }
    }

    /// Writes the log of a deployed controller where that of a process is.
    pub(crate) async fn keep_logs(&self, client: &Client, folder: &Path) {
        if matches!(self, Self::Deployed)
            && let Err(error) = fs::write(log_path(folder), deployed_logs(client).await)
        {
            tracing::warn!("keeping the controller's log: {error}");
        }
    }

    /// Ends it.
    pub(crate) async fn end(self) {
        if let Self::Process { mut child, .. } = self {
            process::end(&mut child, Duration::from_secs(10)).await;
        }
    }
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("controller.log")
}

fn namespace_and_class() -> String {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": {"name": CLASS}, "spec": {"controllerName": CONTROLLER_NAME},
    });
    format!("{namespace}\n---\n{class}\n")
}

fn command(cluster: &Cluster, program: &Path, folder: &Path) -> Vec<String> {
    let address = format!("{}:{XDS_PORT}", cluster.plan.node());
    let admin = format!("unix:{}", folder.join("admin.sock").display());
    let kubeconfig = cluster.kubeconfig().display().to_string();
    let flags = [
        ("--kubeconfig", kubeconfig.as_str()),
        ("--namespace", NAMESPACE),
        ("--ads", &address),
        ("--xds-address", &address),
        ("--admin", &admin),
    ];
    let flags = flags.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]);
    [program.display().to_string(), "controller".to_owned()].into_iter().chain(flags).collect()
}

/// What all pods in the controller's namespace have said.
async fn deployed_logs(client: &Client) -> String {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let mut text = String::new();
    for pod in pods.list(&ListParams::default()).await.into_iter().flatten() {
        let name = pod.metadata.name.unwrap_or_default();
        let log = pods.logs(&name, &LogParams::default()).await;
        text.push_str(&format!("--- {name}\n{}\n", log.unwrap_or_else(|error| error.to_string())));
    }
    text
}

async fn is_accepted(client: &Client) -> anyhow::Result<bool> {
    let path = format!("/apis/gateway.networking.k8s.io/v1/gatewayclasses/{CLASS}");
    let class: serde_json::Value = client.request(hyper::Request::get(path).body(Vec::new())?).await?;
    let conditions = class["status"]["conditions"].as_array();
    let mut accepted = conditions.into_iter().flatten().filter(|one| one["type"] == "Accepted");
    Ok(accepted.any(|one| one["status"] == "True"))
}
