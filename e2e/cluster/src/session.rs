//! What a person does with a cluster: keeps it up, or runs the conformance suite on it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::build::{self, Suite};
use crate::cli::{Built, Conformance, Up};
use crate::cluster::Cluster;
use crate::conformance::{Controller, Run};
use crate::control_plane;
use crate::kubelet::Images;
use crate::manifests;
use crate::process::Starter;

/// Starts a cluster and keeps it until a signal ends it.
pub(crate) async fn stay_up(up: &Up) -> anyhow::Result<()> {
    let suite = blocking({
        let version = up.gateway_api.clone();
        move || build::suite(&version)
    })
    .await?;
    let built = programs(&up.built)?;
    let work = async {
        let mut cluster = start(&suite, &built).await?;
        let controller = if up.controller {
            Some(start_controller(&cluster, &built, cluster.folder()).await?)
        } else {
            None
        };
        announce(&cluster, controller.is_some());
        let failure = cluster.failure().await;
        anyhow::Ok(failure)
    };
    // Dropping a cluster ends it: each of its processes is killed with its value.
    tokio::select! {
        failure = work => Err(anyhow::anyhow!(failure?)),
        () = input_ends(up.until_input_ends) => Ok(()),
        () = ended_by_signal()? => Ok(()),
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
    let suite = blocking({
        let version = wanted.version.clone();
        move || build::suite(&version)
    })
    .await?;
    fs::create_dir_all(&wanted.output).with_context(|| format!("making {}", wanted.output.display()))?;
    let output = wanted.output.canonicalize()?;
    let work = async {
        match &wanted.kubeconfig {
            Some(kubeconfig) => run_suite(wanted, &suite, kubeconfig, None, &output, &Starter::new()?).await,
            None => conformance_of_our_own(wanted, &suite, &output).await,
        }
    };
    tokio::select! {
        passed = work => passed,
        () = ended_by_signal()? => anyhow::bail!("ended by a signal"),
    }
}

async fn conformance_of_our_own(wanted: &Conformance, suite: &Suite, output: &Path) -> anyhow::Result<bool> {
    let built = programs(&wanted.built)?;
    let mut cluster = start(suite, &built).await?;
    let mut controller = start_controller(&cluster, &built, output).await?;
    let (plan, kubeconfig, starter) = (cluster.plan, cluster.kubeconfig(), cluster.starter.clone());
    let passed = tokio::select! {
        passed = run_suite(wanted, suite, &kubeconfig, Some(plan), output, &starter) => passed,
        failure = cluster.failure() => Err(anyhow::anyhow!(failure)),
    };
    if let Some(complaint) = controller.complaint() {
        eprintln!("cluster: {complaint}");
    }
    controller.end().await;
    cluster.end().await;
    passed
}

async fn run_suite(
    wanted: &Conformance,
    suite: &Suite,
    kubeconfig: &Path,
    plan: Option<crate::addresses::Plan>,
    folder: &Path,
    starter: &Starter,
) -> anyhow::Result<bool> {
    let run = Run { suite, kubeconfig, plan, only: &wanted.run, flags: &wanted.flags, folder };
    run.start(starter).await
}

/// Starts a cluster with the definitions of a suite's version.
async fn start(suite: &Suite, built: &Path) -> anyhow::Result<Cluster> {
    build::require()?;
    let programs = blocking(build::kubernetes).await?;
    let images = Images {
        echo: suite.echo(),
        envoy: blocking(|| Ok(envoy_bootstrap::fetch()?)).await?,
        built: built.to_owned(),
        ourselves: std::env::current_exe()?,
    };
    let cluster = Cluster::start(&programs, images).await?;
    manifests::apply_folder(&cluster.client, &suite.definitions()).await?;
    manifests::wait_for_definitions(&cluster.client).await?;
    Ok(cluster)
}

async fn start_controller(cluster: &Cluster, built: &Path, logs: &Path) -> anyhow::Result<Controller> {
    let program = built.join("ferrule");
    let (client, kubeconfig) = (&cluster.client, cluster.kubeconfig());
    let mut controller =
        Controller::start(&cluster.starter, client, &program, &kubeconfig, cluster.plan, logs).await?;
    // Clients keep what the API server serves; one made now knows the new definitions.
    let client = control_plane::client(&kubeconfig).await?;
    controller.wait_until_accepted(&client).await?;
    Ok(controller)
}

fn programs(given: &Built) -> anyhow::Result<PathBuf> {
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

/// Waits for the end of standard input, for ever unless that is `wanted`.
async fn input_ends(wanted: bool) {
    if !wanted {
        return std::future::pending().await;
    }
    let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
}

/// Waits for Ctrl-C or a polite request to end.
fn ended_by_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
