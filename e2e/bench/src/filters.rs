//! What our filters add to a request, beside Envoy's own filter for the same job.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::figure::{Figure, median};
use crate::variant::{CHAIN, Variant, header_mutation, native, wasm};
use crate::{cpu, load};

/// Requests a round; a round is a fraction of a second, so that all variants of one round meet the same machine.
const REQUESTS: usize = 2_000;
/// Rounds of every variant, each in turn.
const ROUNDS: usize = 60;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: bench\r\nx-in: some-value\r\nuser-agent: bench\r\n\r\n";

fn variants(artefacts: &Path) -> Vec<Variant> {
    let module = artefacts.join("release/libferrule.so");
    let plugin = artefacts.join("wasm/transformation.wasm");
    let template = json!({"request": {"set": [{"name": "x-out", "value": "{{ header('x-in') }}-suffix"}]}});
    let variant = |name, filter| Variant { name, filter };
    vec![
        variant("none", None),
        variant("header_mutation", Some(header_mutation())),
        variant("native_noop", Some(native(&module, "transformation", &json!({})))),
        variant("native_header", Some(native(&module, "transformation", &template))),
        variant("wasm_noop", Some(wasm(&plugin, &json!({})))),
        variant("wasm_header", Some(wasm(&plugin, &template))),
    ]
}

/// Envoy CPU microseconds a request, by variant and round.
struct Costs(Vec<(&'static str, Vec<f64>)>);

impl Costs {
    fn rounds(&self, name: &str) -> &[f64] {
        self.0.iter().find(|(known, _)| *known == name).map_or(&[], |(_, rounds)| rounds)
    }

    fn of(&self, name: &str) -> f64 {
        median(self.rounds(name).to_vec())
    }

    /// What one filter of a chain adds: compared round by round, because the speed of a machine changes over time.
    fn added(&self, name: &str) -> f64 {
        let pairs = self.rounds(name).iter().zip(self.rounds("none"));
        median(pairs.map(|(with, without)| (with - without) / CHAIN as f64).collect())
    }
}

/// Runs the area and gives its figures.
///
/// # Errors
/// Envoy does not start, or a request fails.
pub(crate) fn run(artefacts: &Path) -> Result<Vec<Figure>> {
    let variants = variants(artefacts);
    let ports = variants.iter().map(|_| free_port()).collect::<Result<Vec<_>>>()?;
    let listeners: Vec<Value> = variants.iter().zip(&ports).map(|(v, port)| v.listener(*port)).collect();
    let envoy = crate::envoy::start(&json!({"static_resources": {"listeners": listeners}}))?;
    let costs = measure(&variants, &ports, envoy.id())?;
    Ok(figures(&costs))
}

fn figures(costs: &Costs) -> Vec<Figure> {
    let figure = |name: &str, goal, ours, baseline, against| Figure {
        name: format!("filters/{name}"),
        goal,
        ours,
        baseline,
        against,
        unit: "us",
    };
    let one_noop = costs.of("none") + costs.added("native_noop");
    vec![
        figure("noop-request", 1.1, one_noop, "no_filter", costs.of("none")),
        figure(
            "header-template",
            2.0,
            costs.added("native_header"),
            "header_mutation",
            costs.added("header_mutation"),
        ),
        figure("wasm-noop", 3.0, costs.added("wasm_noop"), "native_noop", costs.added("native_noop")),
        figure(
            "wasm-header-template",
            3.0,
            costs.added("wasm_header"),
            "native_header",
            costs.added("native_header"),
        ),
    ]
}

fn measure(variants: &[Variant], ports: &[u16], envoy: u32) -> Result<Costs> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut samples = vec![Vec::with_capacity(ROUNDS); variants.len()];
    for round in 0..=ROUNDS {
        for turn in 0..variants.len() {
            // Each variant follows upon each other one in its turn.
            let at = (turn + round) % variants.len();
            let address = SocketAddr::from(([127, 0, 0, 1], ports[at]));
            let before = cpu::nanoseconds(envoy)?;
            runtime.block_on(load::run(address, REQUEST, REQUESTS))?;
            let used = cpu::nanoseconds(envoy)? - before;
            if round > 0 {
                samples[at].push(used as f64 / 1_000.0 / REQUESTS as f64);
            }
        }
    }
    Ok(Costs(variants.iter().map(|variant| variant.name).zip(samples).collect()))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("finding a free port")?.local_addr()?.port())
}
