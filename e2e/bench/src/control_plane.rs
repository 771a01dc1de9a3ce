//! What a translation costs: cold, after one change, and how it grows with the number of routes.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ferrule_translate::{Object, Parsed, Settings, Translation, Translator, World};
use serde_json::{Value, json};

use crate::figure::{Figure, median, micros};

const RUNS: usize = 7;
const FEW: usize = 500;
const MANY: usize = 5_000;

/// Runs the area and gives its figures.
///
/// # Errors
/// An object of its own making is not read.
pub(crate) fn run() -> Result<Vec<Figure>> {
    let mut cold = Vec::new();
    let mut cold_few = Vec::new();
    let mut change = Vec::new();
    for run in 0..RUNS {
        cold_few.push(micros(many_small_worlds()?));
        let mut running = Running::start(manifests(MANY))?;
        cold.push(micros(running.cold));
        change.push(micros(running.change(&format!("/edited-{run}"))?));
    }
    let (cold, cold_few, change) = (median(cold), median(cold_few), median(change));
    let figure = |name: &str, goal, ours, baseline| {
        Figure::new(format!("control-plane/{name}"), goal, ours, baseline, "us")
    };
    Ok(vec![
        Figure::budget("control-plane/cold-route", per_route(cold), 60.0, "us"),
        figure("one-route-change", 1.0 / 6.0, change, ("cold", cold)),
        figure("growth-500-to-5000", 1.2, per_route(cold), ("per-route-of-500", per_route(cold_few))),
    ])
}

/// Of so many microseconds.
fn per_route(all: f64) -> f64 {
    all / MANY as f64
}

/// As many routes as in the large world, in worlds of a few: so both read as much and take as much fresh memory from the
/// kernel, whose costs are no matter of growth.
fn many_small_worlds() -> Result<Duration> {
    let all: Vec<Vec<Value>> = (0..MANY / FEW).map(|_| manifests(FEW)).collect();
    let worlds: Result<Vec<Running>> = all.into_iter().map(Running::start).collect();
    Ok(worlds?.iter().map(|running| running.cold).sum())
}

/// A world that was translated once.
struct Running {
    world: World,
    translator: Translator,
    translation: Translation,
    /// From parsed JSON to resources of every kind.
    cold: Duration,
}

impl Running {
    fn start(manifests: Vec<Value>) -> Result<Self> {
        let start = Instant::now();
        let mut world = World::default();
        for manifest in manifests {
            apply(&mut world, manifest)?;
        }
        let mut translator = Translator::new(Settings::default());
        let translation = translator.translate(&world);
        Ok(Self { world, translator, translation, cold: start.elapsed() })
    }

    /// The same world with one route changed.
    fn change(&mut self, path: &str) -> Result<Duration> {
        let edited = route(MANY / 2, path);
        let start = Instant::now();
        apply(&mut self.world, edited)?;
        self.translation = self.translator.translate(&self.world);
        Ok(start.elapsed())
    }
}

fn apply(world: &mut World, manifest: Value) -> Result<()> {
    match Object::parse(manifest)? {
        Parsed::Object { object, .. } => world.apply(object),
        Parsed::Ignored(other) => bail!("{other} is not read"),
    }
    Ok(())
}

/// A Gateway, and routes with a host name and a Backend each.
fn manifests(routes: usize) -> Vec<Value> {
    let controller = Settings::default().controller_name;
    let mut manifests = vec![
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "c"},
               "spec": {"controllerName": controller}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "g"},
               "spec": {"gatewayClassName": "c", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}}),
    ];
    for place in 0..routes {
        manifests.push(backend(place));
        manifests.push(route(place, "/"));
    }
    manifests
}

fn backend(place: usize) -> Value {
    json!({"apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "Backend", "metadata": {"name": format!("b{place}")},
           "spec": {"type": "Static", "static": {"hosts": [{"host": "10.0.0.1", "port": 8080}]}}})
}

fn route(place: usize, path: &str) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
           "metadata": {"name": format!("r{place}"), "creationTimestamp": "2026-01-01T00:00:00Z"},
           "spec": {"parentRefs": [{"name": "g"}], "hostnames": [format!("r{place}.example.com")],
                    "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": path}}],
                               "backendRefs": [{"group": "gateway.kgateway.dev", "kind": "Backend", "name": format!("b{place}")}]}]}})
}
