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

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}
