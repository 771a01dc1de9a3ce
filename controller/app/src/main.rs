//! The ferrule controller and command line.

use std::process::ExitCode;

use clap::Parser;
use ferrule_controller::cli::Cli;

fn main() -> ExitCode {
    ferrule_controller::main(Cli::parse())
}
