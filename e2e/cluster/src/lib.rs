//! Clusters for tests of other crates: runs the program `cluster` and ends it again.
//!
//! Invariants: a cluster ends with its [`RunningCluster`], or with this process, however that ends.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

/// A cluster that runs.
pub struct RunningCluster {
    child: Child,
    kubeconfig: PathBuf,
    node: Ipv4Addr,
    static_address: Ipv4Addr,
    output: Option<JoinHandle<()>>,
}

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program could not be run.
    #[error("{} could not be run; `cargo build -p ferrule-cluster` builds it: {source}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It ended before the cluster was ready; what went wrong is on standard error.
    #[error("the cluster did not start; see standard error")]
    Ended,
}

impl RunningCluster {
    /// Starts `program` as `cluster up FLAGS` and waits until the cluster is ready.
    ///
    /// # Errors
    /// It could not be run, or the cluster did not start.
    pub fn start(program: &Path, flags: &[&str]) -> Result<Self, StartError> {
        let run = |source| StartError::Run { program: program.to_owned(), source };
        let mut command = Command::new(program);
        command.args(["up", "--until-input-ends"]).args(flags).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(run)?;
        let mut lines = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
        let mut value = |name: &str| {
            let found = lines
                .by_ref()
                .map_while(Result::ok)
                .find_map(|line| Some(line.strip_prefix(name)?.to_owned()));
            found.ok_or(StartError::Ended)
        };
        let kubeconfig = value("KUBECONFIG=")?.into();
        let node = value("NODE=")?.parse().map_err(|_| StartError::Ended)?;
        let static_address = value("STATIC_ADDRESS=")?.parse().map_err(|_| StartError::Ended)?;
        // What it says later must not fill the pipe.
        let output = std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, kubeconfig, node, static_address, output: Some(output) })
    }

    /// The kubeconfig of an administrator.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The address at which pods reach this machine.
    pub fn node(&self) -> Ipv4Addr {
        self.node
    }

    /// An address that a load balancer may ask for.
    pub fn static_address(&self) -> Ipv4Addr {
        self.static_address
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for RunningCluster {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        if let Some(output) = self.output.take() {
            let _ = output.join();
        }
    }
}
