//! One running Envoy.
//!
//! Invariants:
//! - The thread that starts the process lives as long as the process: Envoy asks the kernel for SIGTERM when that thread
//!   ends (`PR_SET_PDEATHSIG`).
//! - A signal is sent only while the process is not reaped, so it never hits another one of the same id.
//! - The process has ended when the [`Envoy`] value is gone.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tempfile::TempDir;

use crate::launch::{Launch, LineSink, SpawnError, admin_address_path};
use crate::{Admin, Log};

/// How often a state is asked for that Envoy does not announce.
const POLL: Duration = Duration::from_millis(10);

/// How long the rest of the log is waited for when the process has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Lines of the log that errors quote.
const QUOTED: usize = 20;

/// An Envoy process; dropping it terminates the process.
pub struct Envoy {
    pid: Pid,
    exit: Arc<Exit>,
    log: Log,
    admin_address: PathBuf,
    drain_time: Duration,
    grace: Duration,
    _files: TempDir,
}

#[derive(Default)]
struct Exit {
    status: Mutex<Option<ExitStatus>>,
    ended: Condvar,
}

impl Exit {
    fn status(&self) -> MutexGuard<'_, Option<ExitStatus>> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reaps under the lock, so that a signal is sent before or not at all.
    fn reap(&self, child: &mut Child) {
        let mut status = self.status();
        // Only a child that someone else reaped has no status; it is gone all the same.
        *status = Some(child.wait().unwrap_or(ExitStatus::from_raw(0)));
        self.ended.notify_all();
    }
}

/// Why Envoy is not ready.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// The process ended.
    #[error("Envoy ended ({status}) before it was ready:\n{log}")]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// Time ran out, as when the controller cannot be reached.
    #[error("Envoy was not ready after {waited:?}:\n{log}")]
    TimedOut {
        /// The time given.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
}

impl Envoy {
    pub(crate) fn start(command: Command, files: TempDir, launch: &Launch) -> Result<Self, SpawnError> {
        let (log, exit) = (Log::default(), Arc::new(Exit::default()));
        let (started, starts) = mpsc::channel();
        let (its_log, its_exit, sink) = (log.clone(), exit.clone(), launch.line_sink());
        thread::Builder::new()
            .name("envoy".to_owned())
            .spawn(move || live(command, &started, its_log, sink, &its_exit))
            .map_err(|source| launch.start_error(source))?;
        let ended = || Err(std::io::Error::other("its thread ended"));
        let pid = starts.recv().unwrap_or_else(|_| ended()).map_err(|source| launch.start_error(source))?;
        let admin_address = admin_address_path(files.path());
        let (drain_time, grace) = (launch.drain_time, launch.grace);
        Ok(Self { pid, exit, log, admin_address, drain_time, grace, _files: files })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Its log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its admin interface, once that listens.
    pub fn admin(&self) -> Option<Admin> {
        let written = std::fs::read_to_string(&self.admin_address).ok()?;
        let written = written.trim();
        let address =
            if written.starts_with(['/', '@']) { format!("unix:{written}") } else { written.to_owned() };
        Some(Admin::new(address.parse().ok()?))
    }

    /// Waits until Envoy serves: its first listeners and clusters are in place.
    ///
    /// # Errors
    /// It ended or `timeout` ran out; the error quotes the log.
    pub fn wait_until_ready(&self, timeout: Duration) -> Result<Admin, ReadyError> {
        let until = Instant::now() + timeout;
        loop {
            if let Some(admin) = self.admin()
                && admin.get("/ready").is_ok_and(|answer| answer.status == 200)
            {
                return Ok(admin);
            }
            if let Some(status) = self.wait_for(POLL) {
                return Err(ReadyError::Exited { status, log: self.quoted_log() });
            }
            if Instant::now() > until {
                return Err(ReadyError::TimedOut { waited: timeout, log: self.quoted_log() });
            }
        }
    }

    /// How it ended, if it has.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.status()
    }

    /// Waits until it ends.
    pub fn wait(&self) -> ExitStatus {
        let status = self.exit.status();
        let status = self.exit.ended.wait_while(status, |status| status.is_none());
        status.unwrap_or_else(PoisonError::into_inner).unwrap_or_default()
    }

    /// Waits until it ends, at most for `timeout`.
    pub fn wait_for(&self, timeout: Duration) -> Option<ExitStatus> {
        let status = self.exit.status();
        let waited = self.exit.ended.wait_timeout_while(status, timeout, |status| status.is_none());
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Tells load balancers and clients to go elsewhere: health checks fail, and connections end with their next
    /// response. Returns at once; listeners go on accepting until the drain time is over.
    pub fn drain(&self) {
        let Some(admin) = self.admin() else { return };
        for target in ["/healthcheck/fail", "/drain_listeners?graceful"] {
            if let Err(error) = admin.post(target) {
                self.log.push(format!("envoy-bootstrap: could not drain: {error}"));
            }
        }
    }

    /// Drains, waits for connections to end within the drain time, then terminates.
    pub fn stop(&self) -> ExitStatus {
        self.drain();
        let until = Instant::now() + self.drain_time;
        while self.has_connections() && Instant::now() < until {
            if let Some(status) = self.wait_for(10 * POLL) {
                return status;
            }
        }
        self.terminate()
    }

    /// Ends it without a drain: SIGTERM, then SIGKILL when the grace time is over.
    pub fn terminate(&self) -> ExitStatus {
        self.signal(Signal::TERM);
        if let Some(status) = self.wait_for(self.grace) {
            return status;
        }
        self.signal(Signal::KILL);
        self.wait()
    }

    fn signal(&self, signal: Signal) {
        let status = self.exit.status();
        if status.is_none() {
            // A process that just ended is what was wanted.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Whether any connection but those to the admin interface is open.
    fn has_connections(&self) -> bool {
        let Some(admin) = self.admin() else { return false };
        // One that is too busy to say may well have some.
        let stats = admin.get("/stats?filter=downstream_cx_active$");
        stats.map_or(true, |stats| open_connections(&stats.body) > 0)
    }

    fn quoted_log(&self) -> String {
        self.log.tail(QUOTED).join("\n")
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        self.terminate();
    }
}

fn open_connections(stats: &str) -> u64 {
    let listeners = stats.lines().filter_map(|line| line.strip_prefix("listener."));
    let ours = listeners.filter(|line| !line.starts_with("admin.") && !line.contains(".worker_"));
    ours.filter_map(|line| line.rsplit_once(": ")?.1.parse::<u64>().ok()).sum()
}

/// The life of the thread that starts Envoy.
fn live(
    mut command: Command,
    started: &mpsc::Sender<std::io::Result<Pid>>,
    log: Log,
    sink: Option<LineSink>,
    exit: &Exit,
) {
    let spawned = command.spawn().and_then(|child| {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok((pid.ok_or_else(|| std::io::Error::other("a process id out of range"))?, child))
    });
    match spawned {
        Err(error) => {
            let _ = started.send(Err(error));
        }
        Ok((pid, mut child)) => {
            let (log_ends, log_ended) = mpsc::channel::<()>();
            let stderr = child.stderr.take();
            thread::spawn(move || {
                let _until_dropped = log_ends;
                if let Some(stderr) = stderr {
                    read(stderr, &log, sink);
                }
            });
            let _ = started.send(Ok(pid));
            await_exit(pid);
            // The log should be whole when the exit shows, but a grandchild could keep it open.
            let _ = log_ended.recv_timeout(LAST_WORDS);
            exit.reap(&mut child);
        }
    }
}

/// Waits without reaping.
fn await_exit(pid: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
}

fn read(stderr: ChildStderr, log: &Log, sink: Option<LineSink>) {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        if let Some(sink) = &sink {
            sink(&text);
        }
        log.push(text);
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn admin_connections_do_not_count_as_open() {
        let stats = "http.a.downstream_cx_active: 7\nlistener.admin.downstream_cx_active: 1\n\
                     listener.0.0.0.0_80.downstream_cx_active: 2\nlistener.[__]_81.downstream_cx_active: 3\n\
                     listener.0.0.0.0_80.worker_0.downstream_cx_active: 2\n";
        assert_eq!(super::open_connections(stats), 5);
    }
}
