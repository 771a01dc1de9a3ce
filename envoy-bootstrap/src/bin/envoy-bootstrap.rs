//! Gets the pinned Envoy and prints its path, prints a bootstrap, or is what a proxy's container runs.

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use envoy_bootstrap::{Address, Bootstrap};

/// Fetches the stock Envoy that Ferrule runs on and writes its bootstrap.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the path of the pinned Envoy, after fetching it where it is missing
    Fetch,
    /// Print a bootstrap for a proxy that takes its configuration over delta ADS
    Config(Parameters),
    /// Become Envoy: what a proxy's container runs
    Run {
        /// The bootstrap
        #[arg(long, default_value = "/etc/ferrule/config/bootstrap.yaml")]
        config: PathBuf,
        /// Further arguments of Envoy
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Send traffic elsewhere before Envoy is told to end: what a proxy's container runs before it is stopped
    Drain {
        /// Envoy's admin interface
        #[arg(long, default_value = "127.0.0.1:19000")]
        admin: Address,
        /// How long traffic may take to go elsewhere
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
}

#[derive(Args)]
struct Parameters {
    /// Names this proxy to the controller
    #[arg(long, env = "POD_NAME")]
    node_id: String,
    /// The gateway that this proxy is part of
    #[arg(long)]
    node_cluster: String,
    /// The controller: host:port or unix:/path
    #[arg(long)]
    ads: Address,
    /// Where Envoy's admin interface listens; keep it on loopback or a socket
    #[arg(long, default_value = "127.0.0.1:19000")]
    admin: Address,
    /// Downstream connections at most
    #[arg(long, default_value_t = 50_000)]
    max_downstream_connections: u64,
    /// Heap in bytes at which Envoy sheds load
    #[arg(long)]
    max_heap_bytes: Option<u64>,
}

fn bootstrap(parameters: Parameters) -> Bootstrap {
    let Parameters { node_id, node_cluster, ads, admin, max_downstream_connections, max_heap_bytes } =
        parameters;
    Bootstrap {
        max_downstream_connections,
        max_heap_bytes,
        ..Bootstrap::new(node_id, node_cluster, ads, admin)
    }
}

fn main() -> ExitCode {
    match obey(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("envoy-bootstrap: {error}");
            ExitCode::FAILURE
        }
    }
}

fn obey(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Config(parameters) => print!("{}", bootstrap(parameters).to_yaml()),
        Command::Fetch => println!("{}", envoy_bootstrap::fetch()?.display()),
        Command::Run { config, arguments } => {
            return Err(envoy_bootstrap::exec(&envoy_bootstrap::fetch()?, &config, &arguments).into());
        }
        Command::Drain { admin, seconds } => {
            envoy_bootstrap::drain(admin, Duration::from_secs(seconds))?;
        }
    }
    Ok(())
}
