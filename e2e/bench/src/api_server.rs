//! A real API server as the source of objects, and what it tells of their status.

use std::collections::HashSet;
use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ferrule_cluster::RunningCluster;
use ferrule_translate::Layout;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::source::Source;

/// Writes under way at once, where many objects are put.
const AT_ONCE: usize = 24;
/// How long a kind may take to be served after its definition.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster of its own.
pub(crate) struct ApiServer {
    cluster: RunningCluster,
    pub(crate) runtime: Runtime,
    pub(crate) client: Client,
    controller: PathBuf,
    /// Kinds and names of what was put.
    known: HashSet<(String, String)>,
}

impl ApiServer {
    /// Starts the cluster, with the definitions of our kinds in it.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(artefacts: &Path) -> Result<Self> {
        let cluster = RunningCluster::start(&artefacts.join("release/cluster"), &[])?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
        let client = runtime.block_on(async {
            let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
            anyhow::Ok(Client::try_from(config)?)
        })?;
        let controller = artefacts.join("release/ferrule");
        let mut server = Self { cluster, runtime, client, controller, known: HashSet::new() };
        server.put(&ferrule_schema::crds())?;
        server.put(&[
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ferrule-system"}}),
        ])?;
        Ok(server)
    }

    /// An object as it is now.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn get(&self, object: &Value) -> Result<Value> {
        let (api, name) = (api(&self.client, object)?, name(object));
        let found = self.runtime.block_on(api.get(&name))?;
        Ok(serde_json::to_value(found)?)
    }
}

impl Source for ApiServer {
    fn put(&mut self, objects: &[Value]) -> Result<()> {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut writes = JoinSet::new();
        for object in objects {
            let is_new = self.known.insert((object["kind"].to_string(), name(object)));
            let (client, object, turns) = (self.client.clone(), object.clone(), Arc::clone(&turns));
            let write = async move {
                let _turn = turns.acquire().await?;
                write(&client, &object, is_new).await.with_context(|| name(&object))
            };
            writes.spawn_on(write, self.runtime.handle());
        }
        self.runtime.block_on(async {
            while let Some(written) = writes.join_next().await {
                written??;
            }
            Ok(())
        })
    }

    fn start_controller(&mut self, layout: Layout, sockets: &Path) -> Result<Child> {
        let socket = |name: &str| format!("unix:{}", sockets.join(name).display());
        let mut command = Command::new(&self.controller);
        command.arg("controller").arg("--kubeconfig").arg(self.cluster.kubeconfig());
        command.args(["--plaintext-xds", "--ads", &socket("xds"), "--admin", &socket("admin")]);
        if layout == Layout::PerPort {
            command.arg("--one-table");
        }
        let log = File::create(sockets.join("controller.log"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().context("ferrule")
    }

    fn address(&self) -> IpAddr {
        self.cluster.node().into()
    }
}

/// A kind whose definition has only come may take a moment to be served.
async fn write(client: &Client, object: &Value, is_new: bool) -> Result<()> {
    let (api, name, begun) = (api(client, object)?, name(object), Instant::now());
    loop {
        let written = match is_new {
            true => {
                let object = serde_json::from_value(object.clone())?;
                api.create(&PostParams::default(), &object).await.map(drop)
            }
            false => api.patch(&name, &PatchParams::default(), &Patch::Merge(object)).await.map(drop),
        };
        match written {
            Ok(()) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 && begun.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => bail!(error),
        }
    }
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// The API of an object's kind in its namespace.
///
/// # Errors
/// The object does not say what it is.
pub(crate) fn api(client: &Client, object: &Value) -> Result<Api<DynamicObject>> {
    let (version, kind) = (&object["apiVersion"], &object["kind"]);
    let (version, kind) = (version.as_str().context("no apiVersion")?, kind.as_str().context("no kind")?);
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let gvk = GroupVersionKind::gvk(group, version, kind);
    let resource = match kind {
        "GatewayParameters" => ApiResource::from_gvk_with_plural(&gvk, "gatewayparameters"),
        _ => ApiResource::from_gvk(&gvk),
    };
    Ok(match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    })
}
