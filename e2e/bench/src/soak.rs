//! Whether Envoy's memory grows over millions of requests, and how much of it a stream holds.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::baseline::{delay, header_mutation};
use crate::figure::Figure;
use crate::ours::Ours;
use crate::rounds::Serving;
use crate::traffic::{Traffic, order};
use crate::transformation::{header_template, json_job};
use crate::variant::{CHAIN, Filter, PROOF, Variant};
use crate::{load, memory};

/// Requests where none are asked for.
pub(crate) const REQUESTS: usize = 10_000_000;
/// The part of them after which memory must not grow any more.
const WARM_UP: usize = 10;
/// Streams that are held at a time; each is a connection of its own.
const STREAMS: usize = 400;

/// Runs the area with so many requests and gives its figures.
///
/// # Errors
/// Envoy does not start, or a request fails.
pub(crate) fn run(artefacts: &Path, requests: usize) -> Result<Vec<Figure>> {
    let ours = Ours::of(artefacts);
    Ok(vec![stream(&ours)?, growth(&ours, requests)?])
}

fn growth(ours: &Ours, requests: usize) -> Result<Figure> {
    let traffic = Traffic::post(order(1 << 10).to_string(), requests);
    let filters = vec![ours.native(&header_template()), ours.native(&json_job())];
    resident("transformation-soak", &Variant::of("native", filters, "native", &traffic).sets("large"))
}

/// How the memory of an Envoy that serves `variant` grows over all its requests, once it is warm.
///
/// # Errors
/// Envoy does not start, or a request fails.
pub(crate) fn resident(area: &str, variant: &Variant) -> Result<Figure> {
    let serving = Serving::start(std::slice::from_ref(variant))?;
    let address = *serving.addresses.first().context("no listener")?;
    let (traffic, requests) = (&variant.traffic, variant.traffic.requests);
    let send = |requests| serving.runtime.block_on(load::run(address, &traffic.to("/"), requests));
    variant.check(&serving.runtime.block_on(load::once(address, &traffic.to(PROOF)))?)?;
    send(requests / WARM_UP)?;
    let before = memory::resident(serving.envoy.id())?;
    send(requests - requests / WARM_UP)?;
    let after = memory::resident(serving.envoy.id())?;
    Ok(Figure::new(format!("{area}/resident"), 1.05, after, ("warm", before), "MB"))
}

/// What a filter adds to the memory of a stream that is held, beyond what Envoy's own header filter does: so Envoy's
/// bookkeeping for any filter does not count.
fn stream(ours: &Ours) -> Result<Figure> {
    let held =
        [held("header_mutation", &header_mutation()), held("native", &ours.native(&header_template()))];
    let serving = Serving::start(&held)?;
    let bytes =
        held.iter().zip(&serving.addresses).map(|(variant, address)| hold(&serving, variant, *address));
    let [builtin, native] = bytes.collect::<Result<Vec<_>>>()?[..] else { bail!("not two variants") };
    let beyond = (native - builtin) / CHAIN as f64;
    Ok(Figure::budget("transformation-soak/stream-beyond-header_mutation", beyond, 512.0, "B"))
}

/// A chain whose streams go on after an hour.
fn held(name: &str, filter: &Filter) -> Variant {
    let mut filters = vec![filter.clone(); CHAIN];
    filters.push(delay());
    Variant::of(name, filters, name, &Traffic::get(STREAMS))
}

/// Bytes that a stream takes while it is held.
fn hold(serving: &Serving, variant: &Variant, address: SocketAddr) -> Result<f64> {
    let request = variant.traffic.to("/");
    // One stream first, for what is allocated once.
    let first = serving.runtime.block_on(begin(address, &request, 1))?;
    wait_until_active(serving, variant, 1)?;
    let before = memory::allocated(&serving.envoy)?;
    let others = serving.runtime.block_on(begin(address, &request, STREAMS))?;
    wait_until_active(serving, variant, STREAMS + 1)?;
    let grown = memory::allocated(&serving.envoy)? - before;
    drop((first, others));
    Ok(grown / STREAMS as f64)
}

async fn begin(address: SocketAddr, request: &[u8], streams: usize) -> Result<Vec<TcpStream>> {
    let mut begun = Vec::with_capacity(streams);
    for _ in 0..streams {
        let mut stream = load::connect(address).await?;
        stream.write_all(request).await?;
        begun.push(stream);
    }
    Ok(begun)
}

fn wait_until_active(serving: &Serving, variant: &Variant, streams: usize) -> Result<()> {
    let admin = serving.envoy.admin().context("no admin interface")?;
    let name = format!("http.{}.downstream_rq_active", variant.name);
    let until = Instant::now() + Duration::from_secs(30);
    while !admin.get(&format!("/stats?filter=^{name}$"))?.body.contains(&format!("{name}: {streams}\n")) {
        ensure!(Instant::now() < until, "{} does not hold {streams} streams", variant.name);
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
