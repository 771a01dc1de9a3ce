//! Measures Ferrule beside its baselines: `bench AREA [REQUESTS]`, one figure a line.
//!
//! Ours and the baseline alternate in one run on one Envoy with one worker, because only ratios survive a noisy machine.

mod api_server;
mod attach;
mod baseline;
mod cache;
mod client;
mod control_plane;
mod cpu;
mod data_plane;
mod endpoint;
mod envoy;
mod figure;
mod filters;
mod folder;
mod lambda;
mod load;
mod memory;
mod objects;
mod ours;
mod rig;
mod rounds;
mod soak;
mod source;
mod traffic;
mod transformation;
mod upstream;
mod variant;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

/// The allocator of the `ferrule` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(figures) => {
            figures.iter().for_each(|figure| println!("{figure}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

const AREAS: &str = "filters, transformation, transformation-soak [REQUESTS], lambda, lambda-soak [REQUESTS], \
                     cache, cache-soak [REQUESTS], \
                     control-plane [data | lines]";

fn run(arguments: &[&str]) -> Result<Vec<figure::Figure>> {
    let artefacts = artefacts();
    match *arguments {
        ["filters"] => filters::run(&artefacts),
        ["transformation"] => transformation::run(&artefacts),
        ["transformation-soak"] => soak::run(&artefacts, soak::REQUESTS),
        ["transformation-soak", requests] => soak::run(&artefacts, requests.parse()?),
        ["lambda"] => lambda::run(&artefacts),
        ["lambda-soak"] => lambda::soak(&artefacts, lambda::CALLS),
        ["lambda-soak", calls] => lambda::soak(&artefacts, calls.parse()?),
        ["cache"] => cache::run(&artefacts),
        ["cache-soak"] => cache::soak(&artefacts, cache::REQUESTS),
        ["cache-soak", requests] => cache::soak(&artefacts, requests.parse()?),
        ["controller", layout, folder] => source::control(layout, folder).map(|()| Vec::new()),
        ["control-plane", "data"] => data_plane::run(&artefacts),
        ["control-plane", "lines"] => data_plane::run_lines(&artefacts),
        ["control-plane"] => {
            let mut figures = control_plane::run()?;
            figures.extend(folder::run(&artefacts)?);
            figures.extend(data_plane::run(&artefacts)?);
            Ok(figures)
        }
        _ => bail!("usage: bench AREA; areas: {AREAS}"),
    }
}

/// Where cargo and wasm-build put what is measured.
fn artefacts() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}
