//! A whole cluster: control plane, node, Services, DNS.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kube::Client;
use tokio::task::JoinSet;

use crate::addresses::{Plan, Slot};
use crate::certificates::Certificates;
use crate::control_plane::{ControlPlane, Programs, Site};
use crate::kubelet::{Images, Machine};
use crate::orders::Order;
use crate::process::Starter;
use crate::{balancer, dns, kubelet, network};

/// How often a folder is tried to be removed, and the pause between.
const REMOVALS: usize = 40;
const REMOVAL_PAUSE: Duration = Duration::from_millis(50);

/// A running cluster; it ends with [`Cluster::end`], or with this process.
pub(crate) struct Cluster {
    /// Its addresses.
    pub(crate) plan: Plan,
    /// Speaks to its API server as an administrator.
    pub(crate) client: Client,
    /// Starts processes that end with this one.
    pub(crate) starter: Starter,
    folder: Folder,
    control_plane: ControlPlane,
    duties: JoinSet<anyhow::Result<()>>,
    network: Arc<network::Namespace>,
    _slot: Slot,
}

impl Cluster {
    /// Starts one and waits until pods can be made.
    ///
    /// # Errors
    /// A part did not start; the error quotes its log.
    pub(crate) async fn start(programs: &Programs, images: Images) -> anyhow::Result<Self> {
        let slot = Slot::take()?;
        let plan = slot.plan;
        let folder = Folder::make(plan)?;
        let starter = Starter::new()?;
        let network = Arc::new(network::connect_cluster(&starter, plan).await?);
        let certificates = Certificates::write(folder.0.join("certificates"), plan)?;
        let site = Site {
            plan,
            certificates: &certificates,
            folder: &folder.0,
            network: &network,
            starter: &starter,
        };
        let (control_plane, client) = ControlPlane::start(programs, &site).await?;
        let pods = folder.0.join("pods");
        std::fs::create_dir_all(&pods)?;
        let machine = Machine::new(client.clone(), starter.clone(), plan, network.clone(), pods, images);
        let mut duties = JoinSet::new();
        duties.spawn(async move { kubelet::run(Arc::new(machine), &certificates).await.context("the node") });
        duties.spawn(balancer::run(client.clone(), network.clone(), plan));
        duties.spawn(dns::serve_services(client.clone(), plan.node()));
        Ok(Self { plan, client, starter, folder, control_plane, duties, network, _slot: slot })
    }

    /// A kubeconfig of an administrator.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.0.join("kubeconfig")
    }

    /// The folder with its files and logs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Waits until something of the cluster ends, which nothing should; says what.
    pub(crate) async fn failure(&mut self) -> String {
        tokio::select! {
            ended = self.control_plane.first_end() => ended,
            ended = self.duties.join_next() => match ended {
                Some(Ok(Ok(()))) | None => "a duty of the node ended".to_owned(),
                Some(Ok(Err(error))) => format!("{error:#}"),
                Some(Err(error)) => error.to_string(),
            },
        }
    }

    /// Stops a part of the control plane as a crash would, or starts it again.
    ///
    /// # Errors
    /// There is no such part, or it cannot be started.
    pub(crate) async fn obey(&mut self, order: &Order) -> anyhow::Result<()> {
        match order {
            Order::Stop(part) => self.control_plane.stop(part).await,
            Order::Start(part) => self.control_plane.resume(part).await,
        }
    }

    /// Ends everything; pods are killed.
    pub(crate) async fn end(self) {
        let Self { mut duties, control_plane, network, folder, .. } = self;
        duties.shutdown().await;
        control_plane.end().await;
        if let Some(network) = Arc::into_inner(network) {
            network.end().await;
        }
        drop(folder);
    }
}

/// The folder of a cluster, in memory where there is one: etcd waits for each write to be safe.
struct Folder(PathBuf);

impl Folder {
    /// An empty folder; what an earlier cluster of this slot had to leave behind is removed.
    fn make(plan: Plan) -> anyhow::Result<Self> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = parent.join(format!("ferrule-cluster-{}", plan.slot()));
        // Most often there is nothing.
        let _ = fs::remove_dir_all(&folder);
        let made = fs::DirBuilder::new().mode(0o700).create(&folder);
        made.with_context(|| format!("making the cluster's folder {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    /// Processes that were just killed may still be writing.
    fn drop(&mut self) {
        for _ in 0..REMOVALS {
            if fs::remove_dir_all(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            std::thread::sleep(REMOVAL_PAUSE);
        }
    }
}
