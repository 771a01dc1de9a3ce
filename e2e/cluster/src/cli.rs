//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::{build, containment, dns, network, session};

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
    /// Run the conformance suite of Gateway API on a cluster, or on the one that $KUBECONFIG names
    Conformance(Conformance),
    /// Build what clusters and suites are made of, where it is missing
    Build,
    /// Become a program in namespaces of its own; what it is comes on standard input
    #[command(hide = true)]
    Contain,
    /// Hold a network namespace until PARENT ends
    #[command(hide = true)]
    Hold { parent: u32, parameters: Vec<String> },
    /// Answer DNS questions with the asker's address; arguments are those of the server that it stands in for
    #[command(hide = true)]
    AnswerDns {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        ignored: Vec<String>,
    },
}

/// Arguments of `cluster up`.
#[derive(Args)]
pub(crate) struct Up {
    /// The version of Gateway API whose definitions are installed
    #[arg(long, value_name = "VERSION", default_value = "v1.7.0")]
    pub(crate) gateway_api: String,
    /// Also start the controller, on this machine
    #[arg(long)]
    pub(crate) controller: bool,
    #[command(flatten)]
    pub(crate) programs: Programs,
    /// End when standard input does, as it does with the process that holds its other end
    #[arg(long)]
    pub(crate) until_input_ends: bool,
}

/// Arguments of `cluster conformance`.
#[derive(Args)]
pub(crate) struct Conformance {
    /// The version of the suite: v1.7.0 or v1.6.3
    #[arg(default_value = "v1.7.0")]
    pub(crate) version: String,
    /// Only tests whose names match this regular expression; may be repeated
    #[arg(long, value_name = "REGEX")]
    pub(crate) run: Vec<String>,
    /// A cluster where the controller runs already [default: one of our own]
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Where the report and logs go
    #[arg(long, default_value = "target/conformance", value_name = "FOLDER")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) programs: Programs,
    /// Flags of the suite itself, after --
    #[arg(last = true)]
    pub(crate) flags: Vec<String>,
}

/// Where this workspace's programs are.
#[derive(Args)]
pub(crate) struct Programs {
    /// The folder with ferrule, envoy-bootstrap and libferrule.so [default: where this program is]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) built: Option<PathBuf>,
    /// Deploy the controller in the cluster, as this kustomization says, such as controller/deploy/base
    #[arg(long, value_name = "FOLDER")]
    pub(crate) in_cluster: Option<PathBuf>,
}

/// Does what the command line says.
///
/// # Errors
/// What went wrong, for people.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    // Go's own spelling works, too.
    let arguments = std::env::args_os().map(|one| if one == "-run" { "--run".into() } else { one });
    match Cli::parse_from(arguments).command {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stand_in_for_a_dns_server_takes_its_arguments() {
        let cli = Cli::try_parse_from(["cluster", "answer-dns", "-conf", "/root/Corefile"]).unwrap();
        assert!(matches!(cli.command, Command::AnswerDns { .. }));
    }
}
