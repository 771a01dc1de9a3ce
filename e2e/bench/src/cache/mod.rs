//! What an answer out of the cache costs, beside Envoy's own caches, nginx and Varnish.
//!
//! What a filter adds is told against Envoy's answer by itself, which takes neither a cache nor an origin. The whole cost of a request
//! says how many a core serves.

mod contents;
mod latency;
mod many;
mod servers;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use serde_json::json;

use crate::baseline;
use crate::endpoint;
use crate::figure::Figure;
use crate::ours::Ours;
use crate::rounds::{self, Costs};
use crate::traffic::Traffic;
use crate::variant::Variant;

pub(crate) use many::{REQUESTS, soak};
use servers::{Nginx, Varnish};

const ROUNDS: usize = 60;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Header lines of what is cached.
const LINES: &str = "content-type: text/html\r\netag: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"\r\n\
                     cache-control: max-age=36000\r\n";

/// Runs the area and gives its figures.
///
/// # Errors
/// Envoy, nginx or Varnish does not start, a request fails, or a cache does not keep what it is given.
pub(crate) fn run(artefacts: &Path) -> Result<Vec<Figure>> {
    let ours = Ours::named(artefacts, "cache");
    let mut figures = small(&ours)?;
    figures.extend(large(&ours)?);
    figures.extend(many::flat(&ours)?);
    figures.extend(latency::under_eviction(&ours)?);
    Ok(figures)
}

/// Answers of 1 KiB.
fn small(ours: &Ours) -> Result<Vec<Figure>> {
    let (origin, asked) = origin(KIB)?;
    let traffic = Traffic::get(2_000);
    let through = |name: &str, filter| {
        let variant = Variant::of(name, vec![filter], "direct_response", &traffic);
        variant.before(origin)
    };
    let variants = vec![
        Variant::bare("direct_response", &traffic).answers(KIB),
        through("cache", baseline::cache()),
        through("cache_v2", baseline::cache_v2()),
        through("native", ours.native(&json!({}))),
        through("wasm", ours.wasm(&json!({}))),
    ];
    let (nginx, varnish) = (Nginx::start(origin)?, Varnish::start(origin)?);
    let peers = vec![nginx.peer(&traffic)?, varnish.peer(&traffic)?];
    let costs = rounds::measure_beside(variants, peers, ROUNDS)?;
    all_are_hits(&asked)?;
    let added =
        |name, goal, ours, baseline| costs.figure(&format!("cache/hit-1k-{name}"), goal, ours, baseline);
    Ok(vec![
        added("added", 0.67, "native", "cache"),
        added("added-v2", 0.5, "native", "cache_v2"),
        whole(&costs, "hit-1k-whole", "cache"),
        whole(&costs, "hit-1k-whole-v2", "cache_v2"),
        whole(&costs, "hit-1k-whole-nginx", "nginx"),
        whole(&costs, "hit-1k-whole-varnish", "varnish"),
        whole(&costs, "hit-1k-whole-direct_response", "direct_response"),
        added("wasm", 10.0, "wasm", "native"),
    ])
}

/// Answers of 1 MiB.
fn large(ours: &Ours) -> Result<Vec<Figure>> {
    let (origin, asked) = origin(MIB)?;
    let traffic = Traffic::get(40);
    let through = |name: &str, filter| {
        let variant = Variant::of(name, vec![filter], "direct_response", &traffic);
        variant.before(origin)
    };
    let variants = vec![
        Variant::bare("direct_response", &traffic).answers(MIB),
        through("cache", baseline::cache()),
        through("native", ours.native(&json!({}))),
    ];
    let costs = rounds::measure(variants, ROUNDS)?;
    all_are_hits(&asked)?;
    Ok(vec![
        // One copy, and what sends it: as Envoy's own answer.
        whole(&costs, "hit-1m-whole-direct_response", "direct_response"),
        whole(&costs, "hit-1m-whole", "cache"),
    ])
}

/// All CPU of a request: fewer microseconds are more requests a second of a core.
fn whole(costs: &Costs, name: &str, baseline: &str) -> Figure {
    let (ours, against) = (costs.of("native"), costs.of(baseline));
    Figure::new(format!("cache/{name}"), 1.0, ours, (baseline, against), "us")
}

/// An origin that says the same to all, and how often it was asked.
fn origin(bytes: usize) -> Result<(std::net::SocketAddr, Arc<AtomicUsize>)> {
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, body) = (Arc::clone(&asked), "x".repeat(bytes));
    let origin = endpoint::start_by(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        contents::answer(LINES, &body)
    })?;
    Ok((origin, asked))
}

/// Each cache asks once for each path, or a few times where it does not collapse.
fn all_are_hits(asked: &AtomicUsize) -> Result<()> {
    let asked = asked.load(Ordering::Relaxed);
    ensure!(asked < 100, "the origin was asked {asked} times for what should have been kept");
    Ok(())
}
