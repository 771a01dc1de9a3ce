//! Thousands of routes through a controller to a real Envoy: how long a change takes until requests see it, and what it
//! costs; beside the layout of one route table for all hosts, in the same run.
//!
//! Objects go through the API server of a cluster of its own (`control-plane data`), or by standard input to a controller
//! without one (`control-plane lines`). A probe is timed from the answer to the creation of its route.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ferrule_translate::Layout;
use serde_json::json;

use crate::api_server::ApiServer;
use crate::client::{Background, Client};
use crate::figure::Figure;
use crate::rig::{Rig, millis, say, say_spread, spread};
use crate::source::{Lines, Source};
use crate::{attach, objects, upstream};

/// Routes added one after the other.
const PROBES: usize = 100;
/// Length of a stretch of constant change.
const CHURN: Duration = Duration::from_secs(8);
const ROUTE_CHANGES: u32 = 10;
const ENDPOINT_CHANGES: u32 = 50;
/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(10);

/// Hosts that grow in number, and what was measured of them.
struct Trial<S> {
    rig: Rig<S>,
    client: Client,
    upstreams: [SocketAddr; 2],
    hosts: usize,
    /// Requests of the background that failed.
    errors: u64,
}

/// What was measured of a layout with all routes.
struct Seen {
    /// From a route's creation until it is answered, ms.
    probes: Vec<f64>,
    change: Churn,
    churned_probes: Vec<f64>,
    endpoints: Churn,
    /// Bytes of resources for one route's change.
    bytes: f64,
    /// MB of controller and Envoy before requests have used every cluster.
    resident: [f64; 2],
    /// Cores of both while nothing changes and nobody asks.
    idle: [f64; 2],
}

/// What a stretch of constant change showed.
struct Churn {
    /// From a change until it is seen, ms.
    staleness: Vec<f64>,
    /// Cores of controller and Envoy.
    cores: [f64; 2],
}

impl Churn {
    /// Without what the background's requests cost.
    fn without(mut self, load: [f64; 2]) -> Self {
        self.cores = [0, 1].map(|of| (self.cores[of] - load[of]).max(0.0));
        self
    }
}

/// Measures through an API server; part of the area `control-plane`.
///
/// # Errors
/// Something does not start, or a change is never seen.
pub(crate) fn run(artefacts: &Path) -> Result<Vec<Figure>> {
    let mut trial = Trial::start(ApiServer::start(artefacts)?, artefacts)?;
    let attached = attach::run(&mut trial.rig)?;
    Ok(attached.into_iter().chain(trial.run()?).collect())
}

/// Measures without an API server.
///
/// # Errors
/// As of [`run`].
pub(crate) fn run_lines(artefacts: &Path) -> Result<Vec<Figure>> {
    Trial::start(Lines::new(), artefacts)?.run()
}

impl<S: Source> Trial<S> {
    fn start(source: S, artefacts: &Path) -> Result<Self> {
        let upstream = |name| upstream::start(source.address(), name);
        let upstreams = [upstream("one")?, upstream("two")?];
        let rig = Rig::start(source, Layout::Scoped, artefacts)?;
        let client = Client::new(rig.gateway);
        Ok(Self { rig, client, upstreams, hosts: 0, errors: 0 })
    }

    fn run(mut self) -> Result<Vec<Figure>> {
        self.grow(1_000)?;
        let few = self.quiet_probes()?;
        self.grow(3_000)?;
        let many = self.quiet_probes()?;
        self.grow(5_000)?;
        let most = self.all()?;
        let restart = self.restart()?;
        self.rig.change_layout(Layout::PerPort)?;
        self.wait_for_all()?;
        let whole = self.quiet_probes()?;
        Ok(figures(&few, &many, &most, &whole, self.errors, restart))
    }

    /// Makes hosts until there are so many.
    fn grow(&mut self, hosts: usize) -> Result<()> {
        let begun = Instant::now();
        let new = (self.hosts..hosts).flat_map(|number| objects::host(number, self.upstreams[0]));
        self.rig.source.put(&new.collect::<Vec<_>>())?;
        self.hosts = hosts;
        self.wait_for_all()?;
        say(
            &json!({"hosts": hosts, "loaded_s": begun.elapsed().as_secs_f64(), "resident_mb": self.rig.resident()?}),
        );
        Ok(())
    }

    fn wait_for_all(&mut self) -> Result<()> {
        for number in [0, self.hosts / 2, self.hosts - 1] {
            self.client.wait(&objects::name(number), "200 OK")?;
        }
        std::thread::sleep(Duration::from_secs(3));
        Ok(())
    }

    fn quiet_probes(&mut self) -> Result<Vec<f64>> {
        let background = Background::start(self.rig.gateway, self.hosts);
        let probes = self.probes("probe", |_, _| Ok(()))?;
        self.errors += background.stop();
        Ok(probes)
    }

    /// Everything that is measured of a layout.
    fn all(&mut self) -> Result<Seen> {
        let resident = self.rig.resident()?;
        let idle = self.idle()?;
        let background = Background::start(self.rig.gateway, self.hosts);
        let load = self.idle()?;
        let probes = self.probes("probe", |_, _| Ok(()))?;
        let bytes = self.bytes()?;
        let change = self.route_changes()?.without(load);
        let churned_probes = self.probes("probe under churn", Self::change_others)?;
        let endpoints = self.endpoint_changes()?.without(load);
        self.errors += background.stop();
        let after_all = self.rig.resident()?;
        say(&json!({"errors": self.errors, "bytes": bytes, "resident_mb": resident,
            "resident_mb_after_requests_to_all": after_all, "change_cores": change.cores,
            "endpoint_cores": endpoints.cores, "load_cores": load, "idle_cores": idle}));
        Ok(Seen { probes, change, churned_probes, endpoints, bytes, resident, idle })
    }

    /// Adds hosts one by one, each after `before`.
    fn probes(&mut self, what: &str, before: impl Fn(&mut Self, usize) -> Result<()>) -> Result<Vec<f64>> {
        let (mut probes, mut with_creation) = (Vec::new(), Vec::new());
        for turn in 0..PROBES {
            let number = self.hosts;
            let [others @ .., route] = &objects::host(number, self.upstreams[0])[..] else { break };
            self.rig.source.put(others)?;
            before(self, turn)?;
            let begun = Instant::now();
            self.rig.source.put(std::slice::from_ref(route))?;
            let took = self.client.wait(&objects::name(number), "200 OK")?;
            probes.push(millis(took));
            with_creation.push(millis(begun.elapsed()));
            self.hosts += 1;
            std::thread::sleep(Duration::from_millis(50));
        }
        say_spread(what, &probes);
        say_spread(&format!("{what}, with the time that the creation takes"), &with_creation);
        Ok(probes)
    }

    /// Two changes of other routes, at their pace, and a third one.
    fn change_others(&mut self, turn: usize) -> Result<()> {
        for other in 0..3 {
            let number = (turn * 3 + other) * 13 % self.hosts;
            self.rig.source.put(&[objects::route(number, 10_000 + turn)])?;
            if other < 2 {
                std::thread::sleep(Duration::from_secs(1) / ROUTE_CHANGES);
            }
        }
        Ok(())
    }

    fn route_changes(&mut self) -> Result<Churn> {
        let change = self.churn(ROUTE_CHANGES, |trial, turn| {
            let number = turn * 31 % trial.hosts;
            trial.rig.source.put(&[objects::route(number, turn + 1)])?;
            trial.client.wait(&objects::name(number), &format!("x-version: {}\r\n", turn + 1))
        })?;
        say_spread("route change", &change.staleness);
        Ok(change)
    }

    fn endpoint_changes(&mut self) -> Result<Churn> {
        let change = self.churn(ENDPOINT_CHANGES, |trial, turn| {
            let number = turn * 17 % trial.hosts;
            trial.rig.source.put(&[objects::endpoints(number, trial.upstreams[1])])?;
            trial.client.wait(&objects::name(number), "x-upstream: two\r\n")
        })?;
        say_spread("endpoint change", &change.staleness);
        Ok(change)
    }

    /// Changes so many times a second, and waits for each.
    fn churn(
        &mut self,
        a_second: u32,
        mut change: impl FnMut(&mut Self, usize) -> Result<Duration>,
    ) -> Result<Churn> {
        let (begun, before) = (Instant::now(), self.rig.cpu()?);
        let pace = Duration::from_secs(1) / a_second;
        let mut staleness = Vec::new();
        while begun.elapsed() < CHURN {
            let turn = staleness.len();
            staleness.push(millis(change(self, turn)?));
            let next = pace * u32::try_from(turn + 1)?;
            std::thread::sleep(next.saturating_sub(begun.elapsed()));
        }
        ensure!(!staleness.is_empty(), "nothing changed");
        let rate = staleness.len() as f64 / begun.elapsed().as_secs_f64();
        say(&json!({"changes_a_second": rate, "of": a_second}));
        Ok(Churn { staleness, cores: cores(before, self.rig.cpu()?, begun.elapsed()) })
    }

    /// Bytes that one route's change sends.
    fn bytes(&mut self) -> Result<f64> {
        const SENT: &str = "ferrule_xds_body_bytes_total";
        const CHANGES: usize = 10;
        let before = self.rig.counter(SENT)?;
        for number in 0..CHANGES {
            self.rig.source.put(&[objects::route(number, 30_000)])?;
            self.client.wait(&objects::name(number), "x-version: 30000\r\n")?;
        }
        Ok((self.rig.counter(SENT)? - before) / CHANGES as f64)
    }

    /// Cores of both while nothing changes.
    fn idle(&self) -> Result<[f64; 2]> {
        std::thread::sleep(Duration::from_secs(3));
        let (begun, before) = (Instant::now(), self.rig.cpu()?);
        std::thread::sleep(IDLE);
        Ok(cores(before, self.rig.cpu()?, begun.elapsed()))
    }

    /// A new controller for the same Envoy: how long until a change that was made meanwhile goes through, and how many
    /// resources it sent besides.
    fn restart(&mut self) -> Result<(f64, f64)> {
        self.rig.end_controller();
        self.rig.source.put(&[objects::route(0, 40_000)])?;
        let begun = Instant::now();
        self.rig.restart_controller()?;
        self.client.wait(&objects::name(0), "x-version: 40000\r\n")?;
        let took = begun.elapsed().as_secs_f64();
        std::thread::sleep(Duration::from_secs(3));
        let sent = self.rig.counter("ferrule_xds_resources_pushed_total")? - 1.0;
        say(&json!({"restart_s": took, "sent_besides": sent}));
        Ok((took, sent))
    }
}

fn cores(before: [Duration; 2], after: [Duration; 2], over: Duration) -> [f64; 2] {
    let used = |of: usize| (after[of] - before[of]).as_secs_f64() / over.as_secs_f64();
    [used(0), used(1)]
}

fn figures(
    few: &[f64],
    many: &[f64],
    most: &Seen,
    whole: &[f64],
    errors: u64,
    restart: (f64, f64),
) -> Vec<Figure> {
    let figure = |name: &str, goal, ours, baseline, unit| {
        Figure::new(format!("control-plane/{name}"), goal, ours, baseline, unit)
    };
    let budget =
        |name: &str, ours, budget, unit| Figure::budget(format!("control-plane/{name}"), ours, budget, unit);
    let mean = |samples: &[f64]| spread(samples)[0];
    let max = |samples: &[f64]| spread(samples)[2];
    let probe = mean(&most.probes);
    vec![
        figure("probe-5000-mean", 0.2, probe, ("one-table", mean(whole)), "ms"),
        figure("probe-growth-1000-to-5000", 1.5, probe, ("at-1000", mean(few)), "ms"),
        budget("probe-3000-mean", mean(many), 15.0, "ms"),
        budget("probe-3000-max", max(many), 80.0, "ms"),
        budget("probe-5000-mean-budget", probe, 20.0, "ms"),
        budget("probe-5000-max", max(&most.probes), 100.0, "ms"),
        figure("probe-under-churn", 2.0, mean(&most.churned_probes), ("quiet", probe), "ms"),
        figure("failed-requests", 0.0, errors as f64, ("one", 1.0), ""),
        budget("10-changes-controller", most.change.cores[0], 0.05, "cores"),
        budget("10-changes-envoy", most.change.cores[1], 0.10, "cores"),
        budget("50-endpoints-staleness", mean(&most.endpoints.staleness), 30.0, "ms"),
        budget("50-endpoints-controller", most.endpoints.cores[0], 0.1, "cores"),
        budget("change-bytes", most.bytes, 2048.0, "B"),
        budget("controller-resident-5000", most.resident[0], 120.0, "MB"),
        budget("envoy-resident-5000", most.resident[1], 350.0, "MB"),
        budget("controller-idle", most.idle[0], 0.001, "cores"),
        budget("controller-cold-start", restart.0, 3.0, "s"),
        figure("resent-after-restart", 0.0, restart.1, ("one", 1.0), ""),
    ]
}
