//! The life of a pod: bound, prepared, run, ended, deleted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::json;
use tokio::sync::watch;

use super::container::{self, Runner};
use super::state::{Activity, ContainerState, PodState, now};
use super::volumes::Volumes;
use super::{Machine, NODE, Wanted, status};
use crate::network::{self, Namespace};

/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// A pod and what its worker needs to serve it.
pub(super) struct Worker {
    pub(crate) machine: Arc<Machine>,
    pub(crate) pod: Arc<Pod>,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) state: watch::Sender<PodState>,
    /// `Some` when it shall end, with the time that it has for that.
    pub(crate) stop: watch::Receiver<Option<Duration>>,
}

/// Serves one pod until it is gone.
pub(super) async fn live(machine: Arc<Machine>, mut wanted: watch::Receiver<Wanted>) {
    let pod = wanted.borrow().pod.clone();
    let (Some(namespace), Some(name)) = (pod.metadata.namespace.clone(), pod.metadata.name.clone()) else {
        return;
    };
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let folder = machine.pod_folder(&namespace, &name, &uid);
    let (stopper, stop) = watch::channel(None);
    let state = watch::Sender::new(initial(&pod));
    let worker = Worker { machine, pod, namespace, name, folder, state, stop };
    let ended = async {
        worker.run().await;
        wait_for_end(worker.stop.clone()).await;
    };
    tokio::select! {
        () = worker.publish() => {}
        ((), ()) = async { tokio::join!(ended, announce_end(&mut wanted, &stopper, &worker.state)) } => {}
    }
    worker.delete(&uid).await;
}

fn initial(pod: &Pod) -> PodState {
    let spec = pod.spec.as_ref();
    let main = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let first = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let names = main.iter().chain(first).map(|container| container.name.clone());
    PodState {
        started: Some(now()),
        containers: names.map(|name| (name, ContainerState::default())).collect(),
        ..PodState::default()
    }
}

/// Waits until the pod shall go, and tells its containers how much time they have.
async fn announce_end(
    wanted: &mut watch::Receiver<Wanted>,
    stopper: &watch::Sender<Option<Duration>>,
    state: &watch::Sender<PodState>,
) {
    let going = |wanted: &Wanted| wanted.gone || wanted.pod.metadata.deletion_timestamp.is_some();
    let grace = match wanted.wait_for(going).await {
        Ok(wanted) if !wanted.gone => wanted.pod.metadata.deletion_grace_period_seconds.unwrap_or(0),
        // It was deleted by force, or nobody watches any more.
        _ => 0,
    };
    stopper.send_replace(Some(Duration::from_secs(u64::try_from(grace).unwrap_or(0))));
    state.send_modify(|state| state.ending = true);
}

/// Waits until the pod shall end; says how much time it has.
pub(super) async fn wait_for_end(mut stop: watch::Receiver<Option<Duration>>) -> Duration {
    let stop = stop.wait_for(Option::is_some).await;
    stop.ok().and_then(|grace| *grace).unwrap_or_default()
}

impl Worker {
    pub(super) fn spec(&self) -> Option<&PodSpec> {
        self.pod.spec.as_ref()
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.machine.client.clone(), &self.namespace)
    }

    /// Runs the pod from its start until its containers have ended for good.
    async fn run(&self) {
        let prepared = tokio::select! {
            prepared = self.prepare() => prepared,
            _ = wait_for_end(self.stop.clone()) => return,
        };
        let (network, volumes) = prepared;
        let address = self.state.borrow().address;
        let runner = Runner { worker: self, network: network.path(), volumes: &volumes };
        tokio::select! {
            () = run_containers(&runner) => {}
            () = volumes.keep_fresh(self) => {}
        }
        network.end().await;
        if let Some(address) = address {
            self.machine.give_back(address);
        }
    }

    /// Binds the pod, gives it an address and fills its volumes, as long as that takes.
    async fn prepare(&self) -> (Namespace, Volumes) {
        self.retry("FailedScheduling", || self.bind()).await;
        let network = self.retry("FailedCreatePodSandBox", || self.connect()).await;
        let volumes = self.retry("FailedMount", || Volumes::fill(self)).await;
        (network, volumes)
    }

    /// Tries until it works; what is wrong shows in the status of all containers.
    async fn retry<T, F: Future<Output = anyhow::Result<T>>>(
        &self,
        step: &str,
        attempt: impl Fn() -> F,
    ) -> T {
        loop {
            match attempt().await {
                Ok(done) => return done,
                Err(error) => self.show_waiting(&format!("{step}: {error:#}")),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    fn show_waiting(&self, text: &str) {
        self.state.send_if_modified(|state| {
            let mut changed = false;
            for container in state.containers.values_mut() {
                if let Activity::Waiting { message, .. } = &mut container.now
                    && message != text
                {
                    text.clone_into(message);
                    changed = true;
                }
            }
            changed
        });
    }

    async fn bind(&self) -> anyhow::Result<()> {
        if self.spec().is_some_and(|spec| spec.node_name.is_some()) {
            return Ok(());
        }
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": self.name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
        });
        let path = format!("/api/v1/namespaces/{}/pods/{}/binding", self.namespace, self.name);
        let request = hyper::Request::post(path)
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&binding)?)?;
        match self.machine.client.request_text(request).await {
            // A conflict means that it is bound already, as after an answer that was lost.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            answer => Ok(answer.map(drop)?),
        }
    }

    async fn connect(&self) -> anyhow::Result<Namespace> {
        let address = self.machine.take_address()?;
        let sysctls = self.spec().and_then(|spec| spec.security_context.as_ref()?.sysctls.as_ref());
        let sysctls = sysctls.into_iter().flatten();
        let parameters: Vec<_> = sysctls.map(|one| (one.name.clone(), one.value.clone())).collect();
        let Machine { starter, network, .. } = self.machine.as_ref();
        let made = network::connect_pod(starter, network, address, &parameters).await;
        match made {
            Ok(_) => self.state.send_modify(|state| state.address = Some(address)),
            Err(_) => self.machine.give_back(address),
        }
        made.context("connecting the pod")
    }

    /// Tells the API server each change of the state.
    async fn publish(&self) {
        let mut changes = self.state.subscribe();
        let mut conditions = Vec::new();
        loop {
            let state = changes.borrow_and_update().clone();
            let status = status::status(&self.pod, &state, &conditions, self.machine.plan);
            match self.patch_status(&status).await {
                Ok(()) => conditions = status.conditions.unwrap_or_default(),
                Err(kube::Error::Api(answer)) if answer.code == 404 => {}
                Err(error) => {
                    tracing::warn!("status of the pod {}/{}: {error}", self.namespace, self.name);
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn patch_status(&self, status: &k8s_openapi::api::core::v1::PodStatus) -> kube::Result<()> {
        let patch = Patch::Strategic(json!({"metadata": {"uid": self.pod.metadata.uid}, "status": status}));
        self.pods().patch_status(&self.name, &PatchParams::default(), &patch).await.map(drop)
    }

    /// Removes the pod's files and, when the API server still has it, the pod.
    async fn delete(&self, uid: &str) {
        let _ = tokio::fs::remove_dir_all(&self.folder).await;
        let uid = Some(uid.to_owned());
        let preconditions = Some(Preconditions { uid, resource_version: None });
        let parameters = DeleteParams { preconditions, ..DeleteParams::default().grace_period(0) };
        for _ in 0..20 {
            match self.pods().delete(&self.name, &parameters).await {
                Err(kube::Error::Api(answer)) if answer.code == 404 || answer.code == 409 => return,
                Ok(_) => return,
                Err(error) => tracing::warn!("deleting the pod {}/{}: {error}", self.namespace, self.name),
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Init containers one after the other, then all others; returns when none will run again.
async fn run_containers(runner: &Runner<'_>) {
    let Some(spec) = runner.worker.spec() else { return };
    for one in spec.init_containers.as_deref().unwrap_or_default() {
        if !container::live(runner, one, restart_until_success(spec)).await {
            return;
        }
    }
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    let live = |one: &'_ Container| {
        let one = one.clone();
        async move { container::live(runner, &one, policy).await }
    };
    futures::future::join_all(spec.containers.iter().map(live)).await;
}

/// Init containers run until they succeed, unless the pod is never restarted.
fn restart_until_success(spec: &PodSpec) -> &'static str {
    if spec.restart_policy.as_deref() == Some("Never") { "Never" } else { "OnFailure" }
}
