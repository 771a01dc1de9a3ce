//! Child processes that end with this one, whatever ends it.
//!
//! Invariants:
//! - One thread starts them all and lives until the process ends: the kernel sends the death signal when the *thread* that
//!   started a child ends, and runtimes end theirs at will.
//! - Each child leads a process group, so that what it starts can be signalled with it.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use crate::containment::Containment;

type Order = (Command, oneshot::Sender<io::Result<Child>>);

/// Starts processes.
#[derive(Clone)]
pub(crate) struct Starter {
    orders: mpsc::Sender<Order>,
    program: PathBuf,
}

impl Starter {
    /// Starts the thread; must be called within a runtime, which watches the children.
    ///
    /// # Errors
    /// There is no thread to have, or the path of this program is unknown.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (orders, incoming) = mpsc::channel::<Order>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new().name("starter".to_owned()).spawn(move || {
            let _entered = runtime.enter();
            for (mut command, answer) in incoming {
                // Nobody waits for the answer: the child is dropped, and killed.
                let _ = answer.send(command.spawn());
            }
        })?;
        Ok(Self { orders, program: std::env::current_exe().context("finding this program's path")? })
    }

    /// Starts `containment`'s program; `output` says where both its outputs go.
    ///
    /// # Errors
    /// The process could not be made. What fails later, as a program that is missing, is on its standard error.
    pub(crate) async fn contain(&self, containment: &Containment, output: Output) -> anyhow::Result<Child> {
        let mut command = if containment.root.is_some() {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private"]).arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        command.arg("contain").env_clear().env("PATH", SYSTEM_PATH).stdin(Stdio::piped());
        output.apply(&mut command)?;
        let ours = Containment { parent: std::process::id(), ..containment.clone() };
        let mut child = self.start(command).await?;
        let mut input = child.stdin.take().context("no standard input")?;
        // A process that ended at once says why on its standard error.
        let _ = input.write_all(&serde_json::to_vec(&ours)?).await;
        Ok(child)
    }

    /// Starts this program anew, as `arguments` say, in a network namespace of its own.
    ///
    /// # Errors
    /// The process could not be made.
    pub(crate) async fn itself_with_own_network(&self, arguments: &[String]) -> anyhow::Result<Child> {
        let mut command = Command::new("unshare");
        command.arg("--net").arg(&self.program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        self.start(command).await
    }

    async fn start(&self, mut command: Command) -> anyhow::Result<Child> {
        command.kill_on_drop(true).process_group(0);
        let shown = format!("{command:?}");
        let (answer, started) = oneshot::channel();
        self.orders.send((command, answer)).ok().context("the thread that starts processes has ended")?;
        let child = started.await.context("the thread that starts processes has ended")?;
        child.with_context(|| format!("could not run {shown}"))
    }
}

/// Where programs of the system are.
pub(crate) const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where a process's outputs go.
pub(crate) enum Output {
    /// Both to a file.
    File(std::fs::File),
    /// To pipes that the caller reads.
    Pipes,
}

impl Output {
    fn apply(self, command: &mut Command) -> io::Result<()> {
        match self {
            Self::File(file) => command.stdout(file.try_clone()?).stderr(file),
            Self::Pipes => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
        };
        Ok(())
    }
}

/// Signals a child and what it started; a child that has ended is left alone.
pub(crate) fn signal(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(id) = id {
        // A process that just ended is what was wanted.
        let _ = kill_process_group(id, signal);
    }
}

/// Ends a child: SIGTERM, then SIGKILL when `grace` is over.
pub(crate) async fn end(child: &mut Child, grace: Duration) {
    signal(child, Signal::TERM);
    if tokio::time::timeout(grace, child.wait()).await.is_err() {
        signal(child, Signal::KILL);
        let _ = child.wait().await;
    }
}

/// Runs a tool of the system to its end, with `input`.
///
/// # Errors
/// It is missing or failed; the error quotes what it said.
pub(crate) async fn run(program: &str, arguments: &[&str], input: &str) -> anyhow::Result<String> {
    let shown = format!("{program} {}", arguments.join(" "));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("could not run `{shown}`; is it installed?"))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A tool that does not read its input says why below.
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    let done = child.wait_with_output().await?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        anyhow::bail!("`{shown}` failed ({}): {}", done.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
