//! A controller of its own process, an Envoy that it programs, and what the two cost.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use envoy_bootstrap::{Address, Admin, Bootstrap, Envoy, Launch};
use ferrule_translate::Layout;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::source::Source;
use crate::{cpu, memory, objects};

/// The two processes, and where their objects are.
pub(crate) struct Rig<S> {
    pub(crate) source: S,
    controller: Child,
    envoy: Envoy,
    admin: Admin,
    artefacts: PathBuf,
    layout: Layout,
    /// Where the gateway listens.
    pub(crate) gateway: SocketAddr,
    sockets: TempDir,
}

impl<S: Source> Rig<S> {
    /// Starts both, with a Gateway and nothing else.
    ///
    /// # Errors
    /// One of them does not start.
    pub(crate) fn start(mut source: S, layout: Layout, artefacts: &Path) -> Result<Self> {
        let sockets = tempfile::tempdir()?;
        let gateway = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        source.put(&objects::gateway(gateway.port()))?;
        let controller = start_controller(&mut source, layout, sockets.path())?;
        let envoy = start_envoy(sockets.path(), artefacts)?;
        let admin = Admin::new(Address::Unix(sockets.path().join("admin")));
        let artefacts = artefacts.to_owned();
        Ok(Self { source, controller, envoy, admin, artefacts, layout, gateway, sockets })
    }

    /// Ends the controller and starts another for the same Envoy.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn restart_controller(&mut self) -> Result<()> {
        self.end_controller();
        self.controller = start_controller(&mut self.source, self.layout, self.sockets.path())?;
        Ok(())
    }

    /// Starts another controller and another Envoy on the same objects, with another layout.
    ///
    /// # Errors
    /// One of them does not start.
    pub(crate) fn change_layout(&mut self, layout: Layout) -> Result<()> {
        self.layout = layout;
        self.envoy.terminate();
        self.restart_controller()?;
        self.envoy = start_envoy(self.sockets.path(), &self.artefacts)?;
        Ok(())
    }

    /// Ends the controller, if it still runs.
    pub(crate) fn end_controller(&mut self) {
        // It has ended if it cannot be killed.
        let _ = self.controller.kill();
        let _ = self.controller.wait();
        for socket in ["xds", "admin"] {
            // It went with the controller, or is in the way.
            let _ = std::fs::remove_file(self.sockets.path().join(socket));
        }
    }

    /// One of the controller's counters.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) fn counter(&self, name: &str) -> Result<f64> {
        let page = self.admin.get("/metrics")?.body;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no counter {name}"))?.parse()?)
    }

    /// CPU time that controller and Envoy have used.
    ///
    /// # Errors
    /// One of them is gone.
    pub(crate) fn cpu(&self) -> Result<[Duration; 2]> {
        let of = |pid| cpu::nanoseconds(pid).map(Duration::from_nanos);
        Ok([of(self.controller.id())?, of(self.envoy.id())?])
    }

    /// Memory of controller and Envoy, MB.
    ///
    /// # Errors
    /// One of them is gone.
    pub(crate) fn resident(&self) -> Result<[f64; 2]> {
        Ok([memory::resident(self.controller.id())?, memory::resident(self.envoy.id())?])
    }
}

impl<S> Drop for Rig<S> {
    fn drop(&mut self) {
        // It has ended if it cannot be killed.
        let _ = self.controller.kill();
        let _ = self.controller.wait();
    }
}

fn start_controller(source: &mut impl Source, layout: Layout, sockets: &Path) -> Result<Child> {
    let child = source.start_controller(layout, sockets)?;
    let begun = Instant::now();
    while !sockets.join("admin").exists() {
        if begun.elapsed() > Duration::from_secs(10) {
            bail!(
                "the controller does not start: {}",
                std::fs::read_to_string(sockets.join("controller.log"))?
            );
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(child)
}

fn start_envoy(sockets: &Path, artefacts: &Path) -> Result<Envoy> {
    let socket = |name: &str| Address::Unix(sockets.join(name));
    let bootstrap = Bootstrap::new("bench", "default/bench", socket("xds"), socket("envoy"));
    let mut launch = Launch::new(envoy_bootstrap::fetch()?, bootstrap.to_yaml());
    launch.modules = Some(artefacts.join("release"));
    launch.concurrency = Some(1);
    launch.log_level = "error".to_owned();
    let envoy = launch.spawn()?;
    envoy.wait_until_ready(Duration::from_secs(60))?;
    Ok(envoy)
}

/// So many milliseconds of a duration.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// What is told of samples: mean, 99th percentile, maximum.
pub(crate) fn spread(samples: &[f64]) -> [f64; 3] {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
    let at = |share: f64| sorted.get((sorted.len() as f64 * share) as usize).or(sorted.last()).copied();
    [mean, at(0.99).unwrap_or(f64::NAN), at(1.0).unwrap_or(f64::NAN)]
}

/// A line for people.
pub(crate) fn say(line: &Value) {
    eprintln!("{line}");
}

/// A line for people about samples.
pub(crate) fn say_spread(what: &str, samples: &[f64]) {
    let [mean, p99, max] = spread(samples).map(|value| (value * 100.0).round() / 100.0);
    say(&json!({"what": what, "mean_ms": mean, "p99_ms": p99, "max_ms": max, "samples": samples.len()}));
}
