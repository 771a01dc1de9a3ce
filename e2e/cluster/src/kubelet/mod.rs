//! A stand-in for the kubelet: one node whose pods are processes in network namespaces.
//!
//! Invariants:
//! - A pod's worker is the only one that writes its status and that deletes it.
//! - A pod's containers, addresses and files are gone before the pod is.
//!
//! Absent: image pulls, cgroups and resource limits, exec and attach, `exec` probes of gRPC services with TLS, volumes of
//! storage classes.

mod container;
mod content;
mod environment;
mod images;
mod logs;
mod probe;
mod rootfs;
mod server;
mod state;
mod status;
mod volumes;
mod worker;

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::addresses::Plan;
use crate::certificates::Certificates;
use crate::network::Namespace;
use crate::process::Starter;

pub(crate) use images::Images;

/// The node's name.
pub(crate) const NODE: &str = "ferrule-node";

/// What all pods of the node share.
pub(crate) struct Machine {
    /// Speaks to the API server.
    pub(crate) client: Client,
    /// Starts processes.
    pub(crate) starter: Starter,
    /// The cluster's addresses.
    pub(crate) plan: Plan,
    /// The cluster's namespace.
    pub(crate) network: Arc<Namespace>,
    /// A folder for pods' files.
    pub(crate) folder: PathBuf,
    /// What images are.
    pub(crate) images: Images,
    /// Numbers of addresses in use.
    used: Mutex<BTreeSet<u16>>,
    last: Mutex<u16>,
}

impl Machine {
    /// A machine without pods.
    pub(crate) fn new(
        client: Client,
        starter: Starter,
        plan: Plan,
        network: Arc<Namespace>,
        folder: PathBuf,
        images: Images,
    ) -> Self {
        Self { client, starter, plan, network, folder, images, used: Mutex::default(), last: Mutex::new(0) }
    }

    /// An address for a pod; the longest unused come first, so that nobody takes a new pod for one that is gone.
    fn take_address(&self) -> anyhow::Result<Ipv4Addr> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = |number: u16| if self.plan.pod(number + 1).is_some() { number + 1 } else { 1 };
        let mut number = next(*last);
        while used.contains(&number) {
            number = next(number);
            anyhow::ensure!(number != *last, "all addresses of pods are in use");
        }
        used.insert(number);
        *last = number;
        self.plan.pod(number).context("no address")
    }

    fn give_back(&self, address: Ipv4Addr) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|number| self.plan.pod(*number) != Some(address));
    }

    /// Where the files of a pod are.
    fn pod_folder(&self, namespace: &str, name: &str, uid: &str) -> PathBuf {
        self.folder.join(format!("{namespace}_{name}_{uid}"))
    }
}

/// What is wanted of a pod.
#[derive(Clone)]
struct Wanted {
    pod: Arc<Pod>,
    /// The API server has it no more.
    gone: bool,
}

/// Registers the node, serves logs and runs pods until the future is dropped.
///
/// # Errors
/// The node cannot be registered, or its port cannot be had.
pub(crate) async fn run(machine: Arc<Machine>, certificates: &Certificates) -> anyhow::Result<()> {
    let server = server::Server::bind(&machine, certificates).await?;
    register(&machine).await.context("registering the node")?;
    tokio::select! {
        () = server.serve() => {}
        () = follow_pods(machine) => {}
    }
    Ok(())
}

async fn register(machine: &Machine) -> anyhow::Result<()> {
    let nodes: Api<Node> = Api::all(machine.client.clone());
    let labels = json!({"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"});
    let node = serde_json::from_value(json!({"metadata": {"name": NODE, "labels": labels}}))?;
    nodes.create(&PostParams::default(), &node).await?;
    let now = state::now();
    let capacity = json!({"cpu": "64", "memory": "64Gi", "pods": "4000"});
    let status = json!({"status": {
        "addresses": [
            {"type": "InternalIP", "address": machine.plan.node()},
            {"type": "Hostname", "address": NODE},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": server::PORT}},
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "pods are processes here",
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        }],
    }});
    nodes.patch_status(NODE, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

/// Gives each pod a worker.
async fn follow_pods(machine: Arc<Machine>) {
    let pods: Api<Pod> = Api::all(machine.client.clone());
    let events = watcher(pods, watcher::Config::default().streaming_lists()).default_backoff();
    pin_mut!(events);
    let mut known: HashMap<String, watch::Sender<Wanted>> = HashMap::new();
    let mut listed: Vec<String> = Vec::new();
    let mut workers = JoinSet::new();
    while let Some(event) = events.next().await {
        let (pod, gone) = match event {
            Ok(watcher::Event::Apply(pod)) => (pod, false),
            Ok(watcher::Event::InitApply(pod)) => {
                listed.extend(pod.metadata.uid.clone());
                (pod, false)
            }
            Ok(watcher::Event::Delete(pod)) => (pod, true),
            Ok(watcher::Event::Init) => {
                listed.clear();
                continue;
            }
            Ok(watcher::Event::InitDone) => {
                forget_unlisted(&mut known, &listed);
                continue;
            }
            Err(error) => {
                tracing::warn!("watching pods: {error}");
                continue;
            }
        };
        while workers.try_join_next().is_some() {}
        if let Some(wanted) = tell(&mut known, pod, gone) {
            workers.spawn(worker::live(machine.clone(), wanted));
        }
    }
}

/// Pods that vanished while nobody watched.
fn forget_unlisted(known: &mut HashMap<String, watch::Sender<Wanted>>, listed: &[String]) {
    known.retain(|uid, worker| {
        let keep = listed.contains(uid);
        if !keep {
            worker.send_modify(|wanted| wanted.gone = true);
        }
        keep
    });
}

/// Tells a pod's worker what is wanted, or says that it needs one.
fn tell(
    known: &mut HashMap<String, watch::Sender<Wanted>>,
    pod: Pod,
    gone: bool,
) -> Option<watch::Receiver<Wanted>> {
    let uid = pod.metadata.uid.clone()?;
    let wanted = Wanted { pod: Arc::new(pod), gone };
    if gone {
        let worker = known.remove(&uid)?;
        worker.send_replace(wanted);
        return None;
    }
    if let Some(worker) = known.get(&uid) {
        worker.send_replace(wanted);
        return None;
    }
    let node = wanted.pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    if node.is_some_and(|node| node != NODE) {
        return None;
    }
    let (worker, wanted) = watch::channel(wanted);
    known.insert(uid, worker);
    Some(wanted)
}
