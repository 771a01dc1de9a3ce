//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A Kubernetes cluster for tests, without docker.
#[derive(Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stand_in_for_a_dns_server_takes_its_arguments() {
        let cli = Cli::try_parse_from(["cluster", "answer-dns", "-conf", "/root/Corefile"]).unwrap();
        assert!(matches!(cli.command, Command::AnswerDns { .. }));
    }
}
