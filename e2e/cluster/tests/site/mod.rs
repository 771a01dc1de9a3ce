//! A namespace of its own for each test, on one cluster for all of them.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Pod, Service, ServiceAccount};
use kube::api::{LogParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use ferrule_cluster::RunningCluster;

static CLUSTER: OnceLock<RunningCluster> = OnceLock::new();

/// How long anything may take; machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where a test does its work.
pub(crate) struct Site<'a> {
    /// The cluster.
    pub(crate) cluster: &'a RunningCluster,
    /// The test's namespace.
    pub(crate) namespace: String,
    client: Client,
}

/// Asks until there is an answer.
pub(crate) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "nothing after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl Site<'static> {
    /// A namespace on the cluster of all tests.
    pub(crate) async fn new(namespace: &str) -> Self {
        let start = || {
            CLUSTER
                .get_or_init(|| RunningCluster::start(Path::new(env!("CARGO_BIN_EXE_cluster")), &[]).unwrap())
        };
        Self::on(tokio::task::spawn_blocking(start).await.unwrap(), namespace).await
    }
}

impl<'a> Site<'a> {
    /// A namespace on `cluster`, with the ServiceAccount that pods wait for.
    pub(crate) async fn on(cluster: &'a RunningCluster, namespace: &str) -> Self {
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let object = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        let site = Self { cluster, namespace: namespace.to_owned(), client };
        let accounts: Api<ServiceAccount> = site.api();
        eventually(async || accounts.get_opt("default").await.unwrap()).await;
        site
    }

    /// Objects of a kind in the namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates an object.
    pub(crate) async fn create<K>(&self, object: serde_json::Value)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + Serialize
            + DeserializeOwned,
    {
        let object: K = serde_json::from_value(object).unwrap();
        self.api::<K>().create(&PostParams::default(), &object).await.unwrap();
    }

    /// Waits until a pod is ready.
    pub(crate) async fn ready(&self, pod: &str) {
        let pods: Api<Pod> = self.api();
        eventually(async || {
            let conditions = pods.get(pod).await.unwrap().status?.conditions?;
            conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True").then_some(())
        })
        .await;
    }

    /// Waits until a pod's log has `text`.
    pub(crate) async fn log_has(&self, pod: &str, text: &str) {
        let pods: Api<Pod> = self.api();
        eventually(async || {
            let log = pods.logs(pod, &LogParams::default()).await.ok()?;
            log.contains(text).then_some(())
        })
        .await;
    }

    /// Waits until a Service has a load balancer's address.
    pub(crate) async fn address(&self, service: &str) -> String {
        let services: Api<Service> = self.api();
        eventually(async || services.get(service).await.unwrap().status?.load_balancer?.ingress?.pop()?.ip)
            .await
    }
}
