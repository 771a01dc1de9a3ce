//! The ferrule controller and command line.

use std::process::ExitCode;

use clap::Parser;
use ferrule_controller::cli::Cli;

/// Translating is allocating, for the most part.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ferrule_controller::main(Cli::parse())
}
