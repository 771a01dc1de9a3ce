//! A controller of its own process, an Envoy that it programs, and what the two cost.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use envoy_bootstrap::{Address, Admin, Bootstrap, Envoy, Launch};
use ferrule_translate::{Layout, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{cpu, memory, objects};

/// Where objects are put; the controller finds them there.
pub(crate) trait Source {
    /// Puts objects, all at once.
    ///
    /// # Errors
    /// The source is gone.
    fn put(&mut self, objects: &[Value]) -> Result<()>;
}

/// The controller's standard input.
pub(crate) struct Lines(ChildStdin);

impl Source for Lines {
    fn put(&mut self, objects: &[Value]) -> Result<()> {
        writeln!(self.0, "{}", Value::from(objects))?;
        Ok(self.0.flush()?)
    }
}

/// The two processes.
pub(crate) struct Rig {
    pub(crate) source: Lines,
    controller: Child,
    envoy: Envoy,
    admin: Admin,
    layout: Layout,
    /// Where the gateway listens.
    pub(crate) gateway: SocketAddr,
    sockets: TempDir,
}

impl Rig {
    /// Starts both, with a Gateway and nothing else.
    ///
    /// # Errors
    /// One of them does not start.
    pub(crate) fn start(layout: Layout, artefacts: &Path) -> Result<Self> {
        let sockets = tempfile::tempdir()?;
        let gateway = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let (controller, source) = controller(layout, sockets.path())?;
        let socket = |name: &str| Address::Unix(sockets.path().join(name));
        let bootstrap = Bootstrap::new("bench", "default/bench", socket("xds"), socket("envoy"));
        let mut launch = Launch::new(envoy_bootstrap::fetch()?, bootstrap.to_yaml());
        launch.modules = Some(artefacts.join("release"));
        launch.concurrency = Some(1);
        launch.log_level = "error".to_owned();
        let envoy = launch.spawn()?;
        let admin = Admin::new(socket("admin"));
        let mut rig = Self { source, controller, envoy, admin, layout, gateway, sockets };
        rig.source.put(&objects::gateway(gateway.port()))?;
        rig.envoy.wait_until_ready(Duration::from_secs(60))?;
        Ok(rig)
    }

    /// Ends the controller and starts another for the same Envoy; the objects are to be put again.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn restart_controller(&mut self) -> Result<()> {
        end(&mut self.controller);
        for socket in ["xds", "admin"] {
            // It went with the controller, or is in the way.
            let _ = std::fs::remove_file(self.sockets.path().join(socket));
        }
        (self.controller, self.source) = controller(self.layout, self.sockets.path())?;
        self.source.put(&objects::gateway(self.gateway.port()))
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

fn controller(layout: Layout, sockets: &Path) -> Result<(Child, Lines)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("controller").arg(format!("{layout:?}")).arg(sockets);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let lines = Lines(child.stdin.take().context("no stdin")?);
    let begun = Instant::now();
    while !sockets.join("admin").exists() {
        if begun.elapsed() > Duration::from_secs(10) {
            bail!("the controller does not start");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok((child, lines))
}

/// What `bench controller LAYOUT FOLDER` does: objects come by standard input.
///
/// # Errors
/// It does not start.
pub(crate) fn control(layout: &str, folder: &str) -> Result<()> {
    let layout = if layout == "PerPort" { Layout::PerPort } else { Layout::Scoped };
    let socket = |name: &str| Address::Unix(Path::new(folder).join(name));
    let settings = Settings { layout, ..Settings::default() };
    ferrule_controller::piped::serve(
        settings,
        socket("xds"),
        socket("admin"),
        BufReader::new(std::io::stdin()),
    )
}

fn end(child: &mut Child) {
    // It has ended if it cannot be killed.
    let _ = child.kill();
    let _ = child.wait();
}

impl Drop for Rig {
    fn drop(&mut self) {
        end(&mut self.controller);
    }
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
