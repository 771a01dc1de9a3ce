//! Measures Ferrule beside its baselines: `bench AREA`, one figure a line.
//!
//! Ours and the baseline alternate in one run on one Envoy with one worker, because only ratios survive a noisy machine.

mod control_plane;
mod cpu;
mod envoy;
mod figure;
mod filters;
mod folder;
mod load;
mod variant;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

/// The allocator of the `ferrule` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(std::env::args().nth(1).as_deref()) {
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

fn run(area: Option<&str>) -> Result<Vec<figure::Figure>> {
    let artefacts = artefacts();
    match area {
        Some("filters") => filters::run(&artefacts),
        Some("control-plane") => {
            let mut figures = control_plane::run()?;
            figures.extend(folder::run(&artefacts)?);
            Ok(figures)
        }
        Some(other) => bail!("no area {other}; there are: filters, control-plane"),
        None => bail!("usage: bench AREA; areas: filters, control-plane"),
    }
}

/// Where cargo and wasm-build put what is measured.
fn artefacts() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}
