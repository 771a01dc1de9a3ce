//! A Kubernetes cluster for tests, without docker, and the conformance suite on it.

mod addresses;
mod balancer;
mod build;
mod certificates;
mod cli;
mod cluster;
mod conformance;
mod containment;
mod control_plane;
mod dns;
mod kubelet;
mod manifests;
mod network;
mod orders;
mod process;
mod services;
mod session;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

fn main() -> ExitCode {
    // Go's own spelling works, too.
    let arguments = std::env::args_os().map(|one| if one == "-run" { "--run".into() } else { one });
    run(Cli::parse_from(arguments).command).unwrap_or_else(|error| {
        eprintln!("cluster: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Contain => containment::enter()?,
        Command::Hold { parent, parameters } => network::hold(parent, &parameters)?,
        Command::AnswerDns { .. } => runtime()?.block_on(dns::serve_whoami())?,
        Command::Build => {
            build::kubernetes()?;
            build::suite("v1.7.0")?;
            build::suite("v1.6.3")?;
        }
        Command::Up(up) => {
            log_to_standard_error();
            runtime()?.block_on(session::stay_up(&up))?;
        }
        Command::Conformance(conformance) => {
            log_to_standard_error();
            let passed = runtime()?.block_on(session::conformance(&conformance))?;
            return Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn log_to_standard_error() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,kube_client=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
