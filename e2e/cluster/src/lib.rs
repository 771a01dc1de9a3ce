//! Clusters for tests of other crates: runs the program `cluster` and ends it again.
//!
//! Invariants: a cluster ends with its [`RunningCluster`], or with this process, however that ends.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

/// A cluster that runs.
pub struct RunningCluster {
    child: Child,
    kubeconfig: PathBuf,
    node: Ipv4Addr,
    static_address: Ipv4Addr,
    done: Mutex<mpsc::Receiver<()>>,
    output: Option<JoinHandle<()>>,
}

/// A part of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// etcd.
    Etcd,
    /// The API server.
    ApiServer,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
        }
    }
}

/// A cluster did not do what was ordered; why is on standard error.
#[derive(Debug, thiserror::Error)]
#[error("the cluster did not {0}; see standard error")]
pub struct OrderError(String);

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
        let (tell, done) = mpsc::channel();
        // What it says later must not fill the pipe.
        let output = std::thread::spawn(move || {
            for _ in lines.map_while(Result::ok).filter(|line| line == "DONE") {
                // Nobody may wait for it any more.
                let _ = tell.send(());
            }
        });
        Ok(Self { child, kubeconfig, node, static_address, done: Mutex::new(done), output: Some(output) })
    }

    /// Kills a part of the control plane, as a crash would, and leaves it stopped.
    ///
    /// # Errors
    /// The cluster has ended.
    pub fn stop(&mut self, part: Part) -> Result<(), OrderError> {
        self.order(format!("stop {}", part.name()))
    }

    /// Starts a part that was stopped; when it is ready is for its clients to find out.
    ///
    /// # Errors
    /// The cluster has ended, or the part could not be started.
    pub fn resume(&mut self, part: Part) -> Result<(), OrderError> {
        self.order(format!("start {}", part.name()))
    }

    fn order(&mut self, order: String) -> Result<(), OrderError> {
        let written = self.child.stdin.as_mut().is_some_and(|input| writeln!(input, "{order}").is_ok());
        let done = self.done.get_mut().unwrap_or_else(PoisonError::into_inner);
        if written && done.recv().is_ok() { Ok(()) } else { Err(OrderError(order)) }
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
