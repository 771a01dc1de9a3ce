//! The command line.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::cluster::Cluster;
use crate::control_plane::Programs;
use crate::kubelet::Images;
use crate::{containment, dns, manifests, network};

/// A Kubernetes cluster for tests, without docker.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a cluster and keep it until Ctrl-C
    Up(Up),
    /// Become a program in namespaces of its own; what it is comes on standard input
    #[command(hide = true)]
    Contain,
    /// Hold a network namespace until PARENT ends
    #[command(hide = true)]
    Hold {
        parent: u32,
        parameters: Vec<String>,
    },
    /// Answer DNS questions with the asker's address
    #[command(hide = true)]
    AnswerDns,
}

#[derive(Args)]
struct Up {
    /// The version of Gateway API whose definitions are installed
    #[arg(long, default_value = "1.7.0")]
    gateway_api: String,
}

/// Does what the command line says.
///
/// # Errors
/// What went wrong, for people.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Contain => containment::enter()?,
        Command::Hold { parent, parameters } => network::hold(parent, &parameters)?,
        Command::AnswerDns => runtime()?.block_on(dns::serve_whoami())?,
        Command::Up(up) => {
            log_to_standard_error();
            runtime()?.block_on(stay_up(&up))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn log_to_standard_error() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,cluster=info,kube_client=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

async fn stay_up(up: &Up) -> anyhow::Result<()> {
    let cache = envoy_bootstrap::cache_folder().context("no cache folder; set HOME")?;
    let kubernetes = cache.join("kubernetes-1.36.3");
    let programs = Programs {
        etcd: kubernetes.join("etcd"),
        api_server: kubernetes.join("kube-apiserver"),
        controller_manager: kubernetes.join("kube-controller-manager"),
    };
    let suite = cache.join(format!("conformance-{}", up.gateway_api));
    let ourselves = std::env::current_exe()?;
    let images = Images {
        echo: suite.join("echo-basic"),
        envoy: tokio::task::spawn_blocking(envoy_bootstrap::fetch).await??,
        built: ourselves.parent().context("this program is in no folder")?.to_owned(),
        ourselves,
    };
    let mut cluster = Cluster::start(&programs, images).await?;
    manifests::apply_folder(&cluster.client, &suite.join("crds")).await?;
    manifests::wait_for_definitions(&cluster.client).await?;
    println!("KUBECONFIG={}", cluster.kubeconfig().display());
    let failure = tokio::select! {
        failure = cluster.failure() => Some(failure),
        _ = tokio::signal::ctrl_c() => None,
    };
    cluster.end().await;
    failure.map_or(Ok(()), |failure| Err(anyhow::anyhow!(failure)))
}
