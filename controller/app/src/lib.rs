//! The ferrule controller and command line.

mod account;
mod admin;
mod blame;
mod cache;
pub mod cli;
mod convert;
mod credentials;
mod delivery;
mod demo;
mod diagnostic;
mod exchange;
mod filters;
mod get;
mod given_envoy;
mod http;
mod kubernetes;
mod lambda;
mod listen;
mod manifest;
mod message;
mod metrics;
mod object;
mod observer;
mod offline;
mod orders;
pub mod piped;
mod pipeline;
mod print;
mod proxies;
mod publish;
mod record;
mod run;
mod selection;
mod serving;
mod signals;
mod status;
mod supervise;
mod transform;
mod watch;
mod window;
mod yaml;

pub use offline::{Refresh, Workbench};

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use cli::{Cli, Command, LambdaCommand};
use tracing_subscriber::EnvFilter;

/// Exit code of a command that could not do its work.
const CANNOT: u8 = 2;

/// Does what the command line says.
pub fn main(cli: Cli) -> ExitCode {
    log();
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr());
    let done = match cli.command {
        Command::Run(args) => block_on(run::run(*args)).map(|()| ExitCode::SUCCESS),
        Command::Controller(args) => block_on(kubernetes::control(*args)).map(|()| ExitCode::SUCCESS),
        Command::Get(args) => get::get(&args, &mut out).map(|()| ExitCode::SUCCESS),
        Command::Cache(command) => cache::order(&command, &mut out),
        Command::Translate(args) => offline::translate(&args, &mut out, &mut err),
        Command::Check(args) => offline::check(&args, &mut out),
        Command::Crds => offline::crds(&mut out).map(|()| ExitCode::SUCCESS),
        Command::Convert(args) => convert::convert(&args, &mut out, &mut err),
        Command::Lambda(LambdaCommand::Invoke(args)) => lambda::invoke(&args, &mut out, &mut err),
        Command::Transform(args) => transform::transform(&args, &mut out, &mut err),
    };
    done.unwrap_or_else(|error| {
        // Where stderr is gone there is nobody to tell.
        let _ = writeln!(err, "ferrule: {error:#}");
        ExitCode::from(CANNOT)
    })
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(work);
    // What still blocks is Envoy being stopped, which ends with this process at the latest.
    runtime.shutdown_background();
    done
}

/// What is told where nobody chooses. A fetch of credentials that fails is told by us; AWS' SDK tells each of its attempts.
const TOLD: &str = "info,ferrule_xds=warn,aws_config=error,aws_smithy_runtime=error";

/// Messages go to stderr; `FERRULE_LOG` chooses which.
fn log() {
    let filter = EnvFilter::try_from_env("FERRULE_LOG").unwrap_or_else(|_| EnvFilter::new(TOLD));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .init();
}
