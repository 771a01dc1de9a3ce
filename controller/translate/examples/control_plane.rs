//! What a translation costs: cold, after one change, and how it grows with the number of routes.
//!
//! Prints a line a figure. Ratios come from one run, so the machine's speed cancels out.

use std::time::{Duration, Instant};

use ferrule_translate::{Object, Parsed, Settings, Translator, World};
use serde_json::{Value, json};

const RUNS: usize = 7;
const FEW: usize = 500;
const MANY: usize = 5_000;

fn main() {
    let few = Figures::of(FEW);
    let many = Figures::of(MANY);
    let micros = many.cold_per_route();
    print("cold-route", "us", micros, 60.0);
    print("one-route-change", "ratio", many.change.as_secs_f64() / many.cold.as_secs_f64(), 1.0 / 6.0);
    print("growth-500-to-5000", "ratio", micros / few.cold_per_route(), 1.2);
}

fn print(figure: &str, unit: &str, value: f64, goal: f64) {
    println!("figure control-plane/{figure} {unit}={value:.3} goal<={goal:.3}");
}

struct Figures {
    routes: usize,
    /// From parsed JSON to resources of every kind.
    cold: Duration,
    /// The same world with one route changed.
    change: Duration,
}

impl Figures {
    fn of(routes: usize) -> Self {
        let mut cold = Vec::new();
        let mut change = Vec::new();
        for run in 0..RUNS {
            let manifests = manifests(routes);
            let start = Instant::now();
            let mut world = World::default();
            manifests.into_iter().for_each(|manifest| apply(&mut world, manifest));
            let mut translator = Translator::new(Settings::default());
            std::hint::black_box(translator.translate(&world));
            cold.push(start.elapsed());
            let edited = route(routes / 2, &format!("/edited-{run}"));
            let start = Instant::now();
            apply(&mut world, edited);
            std::hint::black_box(translator.translate(&world));
            change.push(start.elapsed());
        }
        Self { routes, cold: median(cold), change: median(change) }
    }

    fn cold_per_route(&self) -> f64 {
        self.cold.as_secs_f64() * 1e6 / self.routes as f64
    }
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations[durations.len() / 2]
}

fn apply(world: &mut World, manifest: Value) {
    match Object::parse(manifest) {
        Ok(Parsed::Object { object, .. }) => drop(world.apply(object)),
        other => unreachable!("{other:?}"),
    }
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
