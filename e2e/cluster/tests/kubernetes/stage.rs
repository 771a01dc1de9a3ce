//! A cluster, and how tests speak to its API server. Tests take turns: two cores are not enough for several at once.

use std::path::Path;
use std::time::{Duration, Instant};

use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::{Api, Client, Config};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use ferrule_cluster::RunningCluster;

/// The program that runs clusters.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_cluster");

/// Who owns what tests apply.
const MANAGER: &str = "tests";

/// How long anything may take; machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Kinds without namespaces.
const CLUSTER_WIDE: [&str; 6] = [
    "Namespace",
    "GatewayClass",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
];

static TURN: Mutex<()> = Mutex::const_new(());

/// A cluster that one test has for itself.
pub(crate) struct Stage {
    pub(crate) cluster: RunningCluster,
    pub(crate) client: Client,
    _turn: MutexGuard<'static, ()>,
}

/// Asks until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl Stage {
    /// A cluster with the definitions of Gateway API and ours.
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A cluster started with further `flags`.
    pub(crate) async fn with(flags: &[&str]) -> Self {
        let turn = TURN.lock().await;
        let start = || RunningCluster::start(Path::new(PROGRAM), flags).unwrap();
        let cluster = tokio::task::block_in_place(start);
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Self { cluster, client: Client::try_from(config).unwrap(), _turn: turn }
    }

    /// Objects of a kind; `kind` is as in `gateway.networking.k8s.io/v1 Gateway`.
    pub(crate) fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (version, kind) = kind.rsplit_once(' ').unwrap();
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let plural = if kind.ends_with("Parameters") { kind.to_lowercase() } else { String::new() };
        let kind_of = GroupVersionKind::gvk(group, version, kind);
        let resource = match plural.as_str() {
            "" => ApiResource::from_gvk(&kind_of),
            plural => ApiResource::from_gvk_with_plural(&kind_of, plural),
        };
        if CLUSTER_WIDE.contains(&kind) {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        }
    }

    fn api_of(&self, object: &Value) -> Api<DynamicObject> {
        let kind = format!("{} {}", object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        self.api(&kind, object["metadata"]["namespace"].as_str().unwrap_or("default"))
    }

    /// Applies the objects of a YAML text.
    pub(crate) async fn apply(&self, yaml: &str) {
        let objects: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
        for object in objects {
            let name = object["metadata"]["name"].as_str().unwrap();
            let params = PatchParams::apply(MANAGER).force();
            let applied = self.api_of(&object).patch(name, &params, &Patch::Apply(&object)).await;
            applied.unwrap_or_else(|error| panic!("{} {name}: {error}", object["kind"]));
        }
    }

    /// Creates an object that is not there yet.
    pub(crate) async fn create(&self, object: &Value) -> Result<(), kube::Error> {
        let typed: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        self.api_of(object).create(&PostParams::default(), &typed).await.map(drop)
    }

    /// An object as it is; null if it is not there.
    pub(crate) async fn get(&self, kind: &str, name: &str) -> Value {
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        let found = self.api(kind, namespace).get_opt(name).await.unwrap();
        found.map_or(Value::Null, |found| serde_json::to_value(found).unwrap())
    }

    /// All objects of a kind.
    pub(crate) async fn everywhere(&self, kind: &str) -> Vec<Value> {
        let (version, name) = kind.rsplit_once(' ').unwrap();
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, name));
        let all: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let found = all.list(&ListParams::default()).await.unwrap();
        let types = serde_json::json!({"apiVersion": resource.api_version, "kind": resource.kind});
        let whole = found.items.into_iter().map(|object| {
            let mut object = serde_json::to_value(object).unwrap();
            object.as_object_mut().unwrap().extend(types.as_object().unwrap().clone());
            object
        });
        whole.collect()
    }

    /// Removes an object.
    pub(crate) async fn delete(&self, kind: &str, name: &str) {
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        self.api(kind, namespace).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Changes an object by a merge patch.
    pub(crate) async fn patch(&self, kind: &str, name: &str, change: &Value) {
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        let params = PatchParams::default();
        self.api(kind, namespace).patch(name, &params, &Patch::Merge(change)).await.unwrap();
    }

    /// Waits until an object is as `ask` wants it.
    pub(crate) async fn until<T>(&self, kind: &str, name: &str, ask: impl Fn(&Value) -> Option<T>) -> T {
        eventually(&format!("{kind} {name}"), async || {
            let (namespace, name) = name.split_once('/').unwrap_or(("", name));
            // The API server may be on its way back.
            let found = self.api(kind, namespace).get_opt(name).await.ok()?;
            ask(&found.map_or(Value::Null, |found| serde_json::to_value(found).unwrap()))
        })
        .await
    }
}
