//! Runs cases on a real Envoy: one process for all cases and hosts of a suite that want the same
//! environment, a listener and a recording upstream for each.
//!
//! - A filter may rewrite anything of a request: what tells one case from another is the port alone.
//! - Cases that look at counters or the log, that call out or that break things run alone; all others in parallel.
//! - Envoy starts with the first test that runs and ends with the last.

mod access_log;
mod built;
mod client;
mod config;
mod http1;
mod http2;
mod module;
mod placement;
mod play;
mod running;
mod upstream;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

pub use built::Built;
pub use placement::{Builtin, NativeModule, Placement, Site, WasmModule};

use crate::case::Case;
use crate::{Failure, Trials};
use running::Running;

/// Cases, and the Envoy that they run on.
pub struct Suite {
    planned: Vec<Planned>,
    envoy: Option<PathBuf>,
    patience: Duration,
    workers: u32,
}

impl Default for Suite {
    fn default() -> Self {
        Self { planned: Vec::new(), envoy: None, patience: Duration::from_secs(10), workers: 2 }
    }
}

/// A case on one host.
pub(crate) struct Planned {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) case: Case,
    pub(crate) placement: Arc<dyn Placement>,
}

impl Planned {
    /// Whether what the case looks at could be another case's doing.
    fn runs_alone(&self) -> bool {
        let looks = |case: &Case| {
            case.exchanges().iter().any(|exchange| {
                let expect = &exchange.expect;
                !(expect.metrics.is_empty() && expect.log.is_empty() && exchange.callouts.is_empty())
            })
        };
        self.case.alone || looks(&self.case)
    }
}

/// Environment variables; an Envoy has one set of them, so cases that want another get another Envoy.
pub(crate) type Environment = BTreeMap<String, String>;

/// A suite and its Envoys, each started by whichever of its cases runs first.
struct Shared {
    suite: Suite,
    running: BTreeMap<Environment, OnceLock<Result<Running, String>>>,
    /// Held for writing by a case that runs alone.
    alone: RwLock<()>,
}

impl Suite {
    /// Uses this Envoy instead of the pinned one.
    pub fn with_envoy(mut self, program: impl Into<PathBuf>) -> Self {
        self.envoy = Some(program.into());
        self
    }

    /// Takes an exchange that has not ended after so long for one that hangs; ten seconds otherwise.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Has Envoy run so many workers; two otherwise.
    pub fn with_workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// Adds those of the cases that run on the placement's host, as tests named `<label>/<case>`.
    pub fn add(
        &mut self,
        label: &str,
        cases: impl IntoIterator<Item = Case>,
        placement: impl Placement + 'static,
    ) {
        let placement: Arc<dyn Placement> = Arc::new(placement);
        for case in cases {
            if placement.host().is_none_or(|host| case.runs_on(host)) {
                let (id, name) = (format!("site-{}", self.planned.len()), format!("{label}/{}", case.name));
                self.planned.push(Planned { id, name, case, placement: placement.clone() });
            }
        }
    }

    /// Adds the suite's cases to a list of tests.
    pub fn add_to(self, trials: &mut Trials) {
        let names: Vec<String> = self.planned.iter().map(|planned| planned.name.clone()).collect();
        let shared = Arc::new(Shared::new(self));
        for (at, name) in names.into_iter().enumerate() {
            let shared = shared.clone();
            trials.add(name, move || shared.run(at));
        }
    }

    /// The `main` of a test target with `harness = false`.
    pub fn main(self) -> ExitCode {
        let mut trials = Trials::default();
        self.add_to(&mut trials);
        trials.run()
    }

    /// Runs all cases, one after the other, and gives each one's name and outcome.
    pub fn run(self) -> Vec<(String, Result<(), Failure>)> {
        let shared = Shared::new(self);
        let names = shared.suite.planned.iter().map(|planned| planned.name.clone());
        names.enumerate().map(|(at, name)| (name, shared.run(at))).collect()
    }
}

impl Shared {
    fn new(suite: Suite) -> Self {
        let environments = suite.planned.iter().map(|planned| planned.case.environment.clone());
        let running = environments.map(|environment| (environment, OnceLock::new())).collect();
        Self { suite, running, alone: RwLock::new(()) }
    }

    fn run(&self, at: usize) -> Result<(), Failure> {
        let planned = &self.suite.planned[at];
        if let Some(why) = planned.placement.module().and_then(module::unfit) {
            return Err(Failure::unplayable(&planned.case, format!("  {why}")));
        }
        let environment = &planned.case.environment;
        let running = self.running[environment].get_or_init(|| Running::start(&self.suite, environment));
        let running = running.as_ref().map_err(|error| Failure::unplayable(&planned.case, error))?;
        if planned.runs_alone() {
            let _alone = self.alone.write().unwrap_or_else(PoisonError::into_inner);
            running.run(planned)
        } else {
            let _shared = self.alone.read().unwrap_or_else(PoisonError::into_inner);
            running.run(planned)
        }
    }
}
