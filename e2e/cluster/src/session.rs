//! What a person does with a cluster: keeps it up, or runs the conformance suite on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::build::{self, Suite};
use crate::cli::{Conformance, Programs, Up};
use crate::cluster::Cluster;
use crate::conformance::{Controller, Run};
use crate::kubelet::Images;
use crate::manifests;
use crate::orders::{self, Order};
use crate::process::Starter;

/// Comes when the session shall end.
type End = Pin<Box<dyn Future<Output = ()>>>;

/// Starts a cluster and keeps it until it shall end.
pub(crate) async fn stay_up(up: &Up) -> anyhow::Result<()> {
    let mut end = session_end()?;
    let mut orders = up.until_input_ends.then(orders::read);
    let mut cluster = tokio::select! {
        cluster = start(&up.gateway_api, &up.programs) => cluster?,
        () = &mut end => return Ok(()),
    };
    let logs = cluster.folder().to_owned();
    let mut controller = None;
    let failure = tokio::select! {
        failure = async {
            if up.controller || up.programs.in_cluster.is_some() {
                controller = Some(start_controller(&cluster, &up.programs, &logs).await?);
            }
            announce(&cluster, controller.is_some());
            attend(&mut cluster, &mut orders).await
        } => failure,
        () = end => Ok(()),
    };
    if let Some(controller) = controller {
        controller.end().await;
    }
    cluster.end().await;
    failure
}

/// Does what is ordered until nobody can order anything any more, or something of the cluster ends.
async fn attend(cluster: &mut Cluster, orders: &mut Option<mpsc::Receiver<Order>>) -> anyhow::Result<()> {
    loop {
        let order = async {
            match orders {
                Some(orders) => orders.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            failure = cluster.failure() => anyhow::bail!(failure),
            order = order => match order {
                Some(order) => cluster.obey(&order).await?,
                None => return Ok(()),
            }
        }
        println!("DONE");
    }
}

fn announce(cluster: &Cluster, controller: bool) {
    println!("KUBECONFIG={}", cluster.kubeconfig().display());
    println!("NODE={}", cluster.plan.node());
    println!("STATIC_ADDRESS={}", cluster.plan.static_load_balancer());
    eprintln!(
        "cluster: ready. In another terminal: export KUBECONFIG={}, then any client.\n\
         cluster: load balancers are in {}, pods reach this machine at {}; logs are in {}. Ctrl-C ends it all.",
        cluster.kubeconfig().display(),
        cluster.plan.load_balancers(),
        cluster.plan.node(),
        cluster.folder().display(),
    );
    if controller {
        eprintln!("cluster: the controller runs; the GatewayClass is `ferrule`");
    }
}

/// Runs the suite; whether all passed.
pub(crate) async fn conformance(wanted: &Conformance) -> anyhow::Result<bool> {
    fs::create_dir_all(&wanted.output).with_context(|| format!("making {}", wanted.output.display()))?;
    let folder = wanted.output.canonicalize()?;
    let end = session_end()?;
    let suite = suite(&wanted.version).await?;
    let run = Run { suite: &suite, only: &wanted.run, flags: &wanted.flags, folder: &folder };
    match &wanted.kubeconfig {
        Some(kubeconfig) => {
            let starter = Starter::new()?;
            tokio::select! {
                passed = run.start(&starter, kubeconfig, None) => passed,
                () = end => anyhow::bail!("ended by a signal"),
            }
        }
        None => on_our_own(wanted, &run, end).await,
    }
}

/// Runs the suite on a cluster and with a controller that are there for it only.
async fn on_our_own(wanted: &Conformance, run: &Run<'_>, mut end: End) -> anyhow::Result<bool> {
    let mut cluster = tokio::select! {
        cluster = start(&wanted.version, &wanted.programs) => cluster?,
        () = &mut end => anyhow::bail!("ended by a signal"),
    };
    let (kubeconfig, plan, starter) = (cluster.kubeconfig(), cluster.plan, cluster.starter.clone());
    let mut controller = None;
    let passed = tokio::select! {
        passed = async {
            let ours = controller.insert(start_controller(&cluster, &wanted.programs, run.folder).await?);
            tokio::select! {
                passed = run.start(&starter, &kubeconfig, Some(plan)) => passed,
                complaint = ours.complaint() => anyhow::bail!(complaint),
                failure = cluster.failure() => anyhow::bail!(failure),
            }
        } => passed,
        () = end => Err(anyhow::anyhow!("ended by a signal")),
    };
    if let Some(controller) = controller {
        controller.keep_logs(&cluster.client, run.folder).await;
        controller.end().await;
    }
    cluster.end().await;
    passed
}

async fn suite(version: &str) -> anyhow::Result<Suite> {
    let version = version.to_owned();
    blocking(move || build::suite(&version)).await
}

/// Starts a cluster with the definitions of a suite's version.
async fn start(version: &str, programs: &Programs) -> anyhow::Result<Cluster> {
    build::require()?;
    let suite = suite(version).await?;
    let kubernetes = blocking(build::kubernetes).await?;
    let images = Images {
        echo: suite.echo(),
        envoy: blocking(|| Ok(envoy_bootstrap::fetch()?)).await?,
        built: built(programs)?,
        ourselves: std::env::current_exe()?,
    };
    let cluster = Cluster::start(&kubernetes, images).await?;
    manifests::apply_folder(&cluster.client, &suite.definitions()).await?;
    manifests::wait_for_definitions(&cluster.client).await?;
    Ok(cluster)
}

async fn start_controller(cluster: &Cluster, programs: &Programs, logs: &Path) -> anyhow::Result<Controller> {
    let mut controller = match &programs.in_cluster {
        Some(folder) => Controller::deploy(&cluster.client, folder).await?,
        None => Controller::start(cluster, &built(programs)?.join("ferrule"), logs).await?,
    };
    controller.wait_until_accepted(&cluster.client).await?;
    Ok(controller)
}

fn built(given: &Programs) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &given.built {
        return folder.canonicalize().with_context(|| format!("no folder {}", folder.display()));
    }
    let ourselves = std::env::current_exe()?;
    Ok(ourselves.parent().context("this program is in no folder")?.to_owned())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

/// Comes with Ctrl-C or a polite request to end.
fn session_end() -> anyhow::Result<End> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(Box::pin(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }))
}
