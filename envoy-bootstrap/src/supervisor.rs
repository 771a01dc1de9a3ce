//! Keeps one Envoy running: starts it again whenever it ends, after a growing pause, for ever.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::{Envoy, Launch, SpawnError};

/// Lines of the log that an [`Incident`] quotes.
const QUOTED: usize = 20;

/// Pauses between restarts: exponential, with jitter.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    /// Upper bound of the first pause.
    pub first: Duration,
    /// Upper bound of any pause.
    pub most: Duration,
    /// An Envoy that ran this long counts as well; the pauses start over.
    pub well_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { first: Duration::from_millis(500), most: seconds(30), well_after: seconds(60) }
    }
}

impl Backoff {
    /// The pause after `failures` in a row (1 or more), for a random number from 0 to 1: half to all of the bound.
    pub fn pause(&self, failures: u32, random: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let bound = self.first.saturating_mul(1 << doublings).min(self.most);
        bound.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

/// What befell the supervised Envoy.
#[derive(Debug)]
pub enum Incident {
    /// A process was started.
    Started {
        /// Its id.
        pid: u32,
    },
    /// No process could be started; another attempt follows after `pause`.
    NotStarted {
        /// Why.
        error: SpawnError,
        /// Time until the next attempt.
        pause: Duration,
    },
    /// The process ended though nobody stopped it; another one follows after `pause`.
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// How long it ran.
        ran: Duration,
        /// The end of its log.
        log: Vec<String>,
        /// Time until the next attempt.
        pause: Duration,
    },
}

/// Keeps one Envoy running until [`Supervisor::stop`], or until it is dropped.
pub struct Supervisor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    envoy: Option<Arc<Envoy>>,
    stopping: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `envoy` in its place unless supervision has ended meanwhile.
    fn place(&self, envoy: Option<Arc<Envoy>>) -> bool {
        let mut state = self.state();
        state.envoy = envoy;
        !state.stopping
    }

    /// Sleeps; `false` if supervision has ended.
    fn sleep(&self, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), pause, |state| !state.stopping);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stopping
    }
}

impl Supervisor {
    /// Starts Envoy as `launch` says and keeps it running; `report` hears of everything, on the supervisor's thread.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(
        launch: Launch,
        backoff: Backoff,
        report: impl Fn(Incident) + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let its = shared.clone();
        let thread = thread::Builder::new()
            .name("envoy-supervisor".to_owned())
            .spawn(move || supervise(&its, &launch, &backoff, &report))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The Envoy that runs now, if one does.
    pub fn envoy(&self) -> Option<Arc<Envoy>> {
        self.shared.state().envoy.clone()
    }

    /// Drains and ends Envoy, and with it the supervision. Blocks for the drain time at most, plus the grace time.
    pub fn stop(mut self) {
        self.end(|envoy| {
            envoy.stop();
        });
    }

    fn end(&mut self, end: impl Fn(&Envoy)) {
        let Some(thread) = self.thread.take() else { return };
        let envoy = {
            let mut state = self.shared.state();
            state.stopping = true;
            state.envoy.clone()
        };
        self.shared.changed.notify_all();
        if let Some(envoy) = envoy {
            end(&envoy);
        }
        let _ = thread.join();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.end(|envoy| {
            envoy.terminate();
        });
    }
}

fn supervise(shared: &Shared, launch: &Launch, backoff: &Backoff, report: &impl Fn(Incident)) {
    let mut failures = 0;
    loop {
        let begun = Instant::now();
        let outcome = launch.spawn().map(|envoy| run(shared, envoy, report));
        let ran = begun.elapsed();
        failures = if ran >= backoff.well_after { 1 } else { failures + 1 };
        let pause = backoff.pause(failures, random());
        let incident = match outcome {
            Err(error) => Incident::NotStarted { error, pause },
            Ok(None) => return,
            Ok(Some((status, log))) => Incident::Exited { status, ran, log, pause },
        };
        report(incident);
        if !shared.sleep(pause) {
            return;
        }
    }
}

/// Runs one Envoy to its end; `None` if that end was asked for.
fn run(shared: &Shared, envoy: Envoy, report: &impl Fn(Incident)) -> Option<(ExitStatus, Vec<String>)> {
    let envoy = Arc::new(envoy);
    if !shared.place(Some(envoy.clone())) {
        envoy.terminate();
        return None;
    }
    report(Incident::Started { pid: envoy.id() });
    let status = envoy.wait();
    shared.place(None).then(|| (status, envoy.log().tail(QUOTED)))
}

/// A number from 0 to 1 for jitter; std seeds each `RandomState` anew.
fn random() -> f64 {
    f64::from(RandomState::new().build_hasher().finish() as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;
