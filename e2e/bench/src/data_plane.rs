//! Thousands of routes through a controller to a real Envoy: how long a change takes until requests see it, and what it
//! costs; beside the layout of one route table for all hosts, in the same run.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ferrule_translate::Layout;
use serde_json::json;

use crate::client::{Background, Client};
use crate::figure::Figure;
use crate::rig::{Rig, Source, millis, say, say_spread, spread};
use crate::{objects, upstream};

/// Routes added one after the other.
const PROBES: usize = 40;
/// Length of a stretch of constant change.
const CHURN: Duration = Duration::from_secs(8);
const ROUTE_CHANGES: u32 = 10;
const ENDPOINT_CHANGES: u32 = 50;

/// What was measured of a layout at a number of routes.
struct Seen {
    /// From a route's creation until it is answered, ms.
    probes: Vec<f64>,
    errors: u64,
    change: Churn,
    churned_probes: Vec<f64>,
    endpoints: Churn,
    /// Bytes of resources for one route's change.
    bytes: f64,
    /// MB of controller and Envoy.
    resident: [f64; 2],
    /// Cores of both while nothing happens.
    idle: [f64; 2],
    /// From a new controller's first object until a change is seen, s; and resources sent again.
    restart: (f64, f64),
}

/// What a stretch of constant change showed.
struct Churn {
    /// From a change until it is seen, ms.
    staleness: Vec<f64>,
    /// Cores of controller and Envoy.
    cores: [f64; 2],
}

/// Measures and compares; part of the area `control-plane`.
///
/// # Errors
/// Something does not start, or a change is never seen.
pub(crate) fn run(artefacts: &Path) -> Result<Vec<Figure>> {
    let upstreams = [upstream::start("one")?, upstream::start("two")?];
    let of = |layout, routes| measure(layout, routes, artefacts, upstreams);
    let [few, many, most] =
        [of(Layout::Scoped, 1_000)?, of(Layout::Scoped, 3_000)?, of(Layout::Scoped, 5_000)?];
    let whole = of(Layout::PerPort, 5_000)?;
    Ok(figures(&few, &many, &most, &whole))
}

fn figures(few: &Seen, many: &Seen, most: &Seen, whole: &Seen) -> Vec<Figure> {
    let figure = |name: &str, goal, ours, baseline: &str, against, unit| Figure {
        name: format!("control-plane/{name}"),
        goal,
        ours,
        baseline: baseline.to_owned(),
        against,
        unit,
    };
    let budget = |name: &str, ours, budget, unit| figure(name, 1.0, ours, "budget", budget, unit);
    let mean = |samples: &[f64]| spread(samples)[0];
    let max = |samples: &[f64]| spread(samples)[2];
    let errors = (few.errors + many.errors + most.errors) as f64;
    vec![
        figure("probe-5000-mean", 0.2, mean(&most.probes), "one-table", mean(&whole.probes), "ms"),
        figure("probe-growth-1000-to-5000", 1.5, mean(&most.probes), "at-1000", mean(&few.probes), "ms"),
        budget("probe-3000-mean", mean(&many.probes), 15.0, "ms"),
        budget("probe-3000-max", max(&many.probes), 80.0, "ms"),
        budget("probe-5000-mean-budget", mean(&most.probes), 20.0, "ms"),
        budget("probe-5000-max", max(&most.probes), 100.0, "ms"),
        figure("probe-under-churn", 2.0, mean(&most.churned_probes), "quiet", mean(&most.probes), "ms"),
        figure("failed-requests", 0.0, errors, "one", 1.0, ""),
        budget("10-changes-controller", most.change.cores[0], 0.05, "cores"),
        budget("10-changes-envoy", most.change.cores[1], 0.10, "cores"),
        budget("50-endpoints-staleness", mean(&most.endpoints.staleness), 30.0, "ms"),
        budget("50-endpoints-controller", most.endpoints.cores[0], 0.1, "cores"),
        budget("change-bytes", most.bytes, 2048.0, "B"),
        budget("controller-resident-5000", most.resident[0], 120.0, "MB"),
        budget("envoy-resident-5000", most.resident[1], 350.0, "MB"),
        budget("controller-idle", most.idle[0], 0.001, "cores"),
        budget("controller-cold-start", most.restart.0, 3.0, "s"),
        figure("resent-after-restart", 0.0, most.restart.1, "one", 1.0, ""),
    ]
}

fn measure(layout: Layout, routes: usize, artefacts: &Path, upstreams: [SocketAddr; 2]) -> Result<Seen> {
    let mut rig = Rig::start(layout, artefacts)?;
    let mut client = Client::new(rig.gateway);
    let begun = Instant::now();
    fill(&mut rig, routes, upstreams[0])?;
    client.wait(&objects::name(routes - 1), "200 OK")?;
    say(
        &json!({"layout": format!("{layout:?}"), "routes": routes, "loaded_s": begun.elapsed().as_secs_f64()}),
    );
    let background = Background::start(rig.gateway, routes);
    let probes = probe(&mut rig, &mut client, routes..routes + PROBES, upstreams[0])?;
    say_spread("probe", &probes);
    let bytes = bytes(&mut rig, &mut client)?;
    let change = churn(&mut rig, ROUTE_CHANGES, &mut client, |rig, client, turn| {
        let number = turn * 31 % routes;
        rig.source.put(&[objects::route(number, turn + 1)])?;
        client.wait(&objects::name(number), &format!("x-version: {}\r\n", turn + 1))
    })?;
    say_spread("route change", &change.staleness);
    let churned_probes = churned_probes(&mut rig, &mut client, routes, upstreams[0])?;
    say_spread("probe under churn", &churned_probes);
    let errors = background.stop();
    let endpoints = churn(&mut rig, ENDPOINT_CHANGES, &mut client, |rig, client, turn| {
        let number = turn * 17 % routes;
        let (at, name) = [(upstreams[1], "two"), (upstreams[0], "one")][turn / routes % 2];
        rig.source.put(&[objects::endpoints(number, at)])?;
        client.wait(&objects::name(number), &format!("x-upstream: {name}\r\n"))
    })?;
    say_spread("endpoint change", &endpoints.staleness);
    let idle = idle(&rig)?;
    let resident = rig.resident()?;
    let restart = restart(&mut rig, &mut client, routes, upstreams[0])?;
    say(&json!({"errors": errors, "bytes": bytes, "resident_mb": resident, "change_cores": change.cores,
        "endpoint_cores": endpoints.cores, "idle_cores": idle, "restart_s": restart.0, "resent": restart.1}));
    Ok(Seen { probes, errors, change, churned_probes, endpoints, bytes, resident, idle, restart })
}

fn fill(rig: &mut Rig, routes: usize, upstream: SocketAddr) -> Result<()> {
    let all: Vec<_> = (0..routes).flat_map(|number| objects::host(number, upstream)).collect();
    rig.source.put(&all)
}

fn probe(
    rig: &mut Rig,
    client: &mut Client,
    numbers: std::ops::Range<usize>,
    upstream: SocketAddr,
) -> Result<Vec<f64>> {
    let probes = numbers.map(|number| {
        rig.source.put(&objects::host(number, upstream))?;
        let took = client.wait(&objects::name(number), "200 OK");
        std::thread::sleep(Duration::from_millis(50));
        Ok(millis(took?))
    });
    probes.collect()
}

/// As [`probe`], while other routes change.
fn churned_probes(
    rig: &mut Rig,
    client: &mut Client,
    routes: usize,
    upstream: SocketAddr,
) -> Result<Vec<f64>> {
    let mut probes = Vec::new();
    for turn in 0..PROBES {
        for other in 0..2 {
            rig.source.put(&[objects::route((turn * 2 + other) * 13 % routes, 10_000 + turn)])?;
            std::thread::sleep(Duration::from_millis(95));
        }
        rig.source.put(&[objects::route(turn * 7 % routes, 20_000 + turn)])?;
        let number = routes + PROBES + turn;
        rig.source.put(&objects::host(number, upstream))?;
        probes.push(millis(client.wait(&objects::name(number), "200 OK")?));
    }
    Ok(probes)
}

/// Changes so many times a second, and waits for each.
fn churn(
    rig: &mut Rig,
    a_second: u32,
    client: &mut Client,
    mut change: impl FnMut(&mut Rig, &mut Client, usize) -> Result<Duration>,
) -> Result<Churn> {
    let (begun, before) = (Instant::now(), rig.cpu()?);
    let pace = Duration::from_secs(1) / a_second;
    let mut staleness = Vec::new();
    while begun.elapsed() < CHURN {
        let turn = staleness.len();
        staleness.push(millis(change(rig, client, turn)?));
        let next = pace * u32::try_from(turn + 1)?;
        std::thread::sleep(next.saturating_sub(begun.elapsed()));
    }
    ensure!(!staleness.is_empty(), "nothing changed");
    Ok(Churn { staleness, cores: cores(before, rig.cpu()?, begun.elapsed()) })
}

fn cores(before: [Duration; 2], after: [Duration; 2], over: Duration) -> [f64; 2] {
    let used = |of: usize| (after[of] - before[of]).as_secs_f64() / over.as_secs_f64();
    [used(0), used(1)]
}

fn bytes(rig: &mut Rig, client: &mut Client) -> Result<f64> {
    const SENT: &str = "ferrule_xds_body_bytes_total";
    let before = rig.counter(SENT)?;
    for number in 0..10 {
        rig.source.put(&[objects::route(number, 30_000)])?;
        client.wait(&objects::name(number), "x-version: 30000\r\n")?;
    }
    Ok((rig.counter(SENT)? - before) / 10.0)
}

fn idle(rig: &Rig) -> Result<[f64; 2]> {
    std::thread::sleep(Duration::from_secs(2));
    let (begun, before) = (Instant::now(), rig.cpu()?);
    std::thread::sleep(Duration::from_secs(5));
    Ok(cores(before, rig.cpu()?, begun.elapsed()))
}

/// A new controller for the same Envoy: how long until a change goes through, and how many resources it sent besides.
fn restart(rig: &mut Rig, client: &mut Client, routes: usize, upstream: SocketAddr) -> Result<(f64, f64)> {
    // The objects as they were at first; first of all Envoy is brought to have these.
    fill(rig, routes, upstream)?;
    client.wait(&objects::name(routes - 1), "x-version: 0\r\n")?;
    std::thread::sleep(Duration::from_secs(5));
    rig.restart_controller()?;
    let begun = Instant::now();
    let mut all: Vec<_> = (0..routes).flat_map(|number| objects::host(number, upstream)).collect();
    // Those of the probes stay as well.
    all.extend((routes..routes + 2 * PROBES).flat_map(|number| objects::host(number, upstream)));
    all.push(objects::route(0, 40_000));
    rig.source.put(&all)?;
    client.wait(&objects::name(0), "x-version: 40000\r\n")?;
    let took = begun.elapsed().as_secs_f64();
    Ok((took, rig.counter("ferrule_xds_resources_pushed_total")? - 1.0))
}
