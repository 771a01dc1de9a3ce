//! Builds the proxy-wasm modules into `target/wasm`, and runs the pure crates' unit tests as wasm under Node.
//!
//! Invariants:
//! - What is there already is used; what is missing is installed by name from a package registry, or said to be missing
//!   together with the command that mends it.
//! - Cargo alone decides what has to be built again.

mod modules;
mod node;
mod process;
mod toolchain;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::toolchain::{Choice, Target, Toolchain};
use crate::workspace::Workspace;

/// Builds the proxy-wasm modules of all filters into `target/wasm`.
#[derive(Parser)]
#[command(name = "wasm-build", version)]
struct Arguments {
    /// Where the compiler and the wasm target come from.
    #[arg(long, value_enum, default_value_t, global = true)]
    toolchain: Choice,
    #[command(subcommand)]
    job: Option<Job>,
}

#[derive(Subcommand)]
enum Job {
    /// Builds the modules and checks their sizes; what is done without a subcommand.
    Build,
    /// Runs the unit tests of the pure crates, compiled to wasm, under Node.
    Test,
    /// Builds the library of a package that is none of this workspace's, such as a filter of one's own, in its profile
    /// `wasm`, into `wasm32-wasip1/wasm` of its target folder.
    Package {
        /// Its Cargo.toml.
        manifest: PathBuf,
        /// Its target folder, where cargo is not to choose.
        #[arg(long)]
        target_dir: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasm-build: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::here();
    match arguments.job.as_ref().unwrap_or(&Job::Build) {
        Job::Build => modules::build(&workspace, &Toolchain::find(arguments.toolchain, Target::Wasi)?),
        Job::Test => node::test(&workspace, &Toolchain::find(arguments.toolchain, Target::Bare)?),
        Job::Package { manifest, target_dir } => {
            let toolchain = Toolchain::find(arguments.toolchain, Target::Wasi)?;
            modules::package(manifest, target_dir.as_deref(), &toolchain)
        }
    }
}
