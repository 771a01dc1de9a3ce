//! How long hits take while others press objects out of the store.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::json;

use super::{contents, many};
use crate::figure::Figure;
use crate::load;
use crate::ours::Ours;
use crate::rounds::Serving;
use crate::traffic::Traffic;
use crate::variant::Variant;

/// Bytes of the store.
const BUDGET: usize = 16 << 20;
/// Hits that are timed.
const HITS: usize = 20_000;
/// Objects that are asked for again and again.
const HOT: usize = 100;
/// Bodies have lengths up to this, bytes.
const SPREAD: usize = 2_000;

/// # Errors
/// Envoy does not start, or a request fails.
pub(super) fn under_eviction(ours: &Ours) -> Result<Vec<Figure>> {
    let origin = many::origin(SPREAD)?;
    let storage = json!({"storage": {"bytes": BUDGET}});
    let variant = Variant::of("native", vec![ours.native(&storage)], "native", &Traffic::get(1));
    let serving = Serving::start(&[variant.before(origin)])?;
    let address = *serving.addresses.first().context("no listener")?;
    let hot = |number: usize, bytes: &mut Vec<u8>| contents::request(number % HOT, bytes);
    serving.runtime.block_on(load::run_each(address, 4 * HOT, hot))?;
    let pressure = Pressure::start(address);
    let times = serving.runtime.block_on(times(address))?;
    drop(pressure);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    Ok(vec![Figure::new("cache/hit-p99-under-eviction", 3.0, at(0.99), ("p50", at(0.5)), "us")])
}

/// Microseconds of each hit, sorted.
async fn times(address: SocketAddr) -> Result<Vec<f64>> {
    let mut client = load::Client::connect(address).await?;
    let mut times = Vec::with_capacity(HITS);
    let mut request = Vec::new();
    for number in 0..HITS {
        request.clear();
        contents::request(number % HOT, &mut request);
        let begun = Instant::now();
        client.ask(&request).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// A client that asks for ever new objects, on a thread of its own.
struct Pressure(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Pressure {
    fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            let mut first = HOT;
            while !stopped.load(Ordering::Relaxed) {
                let from = first;
                first += 100;
                let request = move |number, bytes: &mut Vec<u8>| contents::request(from + number, bytes);
                if runtime.block_on(load::run_each(address, 100, request)).is_err() {
                    return;
                }
            }
        });
        Self(stop, Some(thread))
    }
}

impl Drop for Pressure {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        if let Some(thread) = self.1.take() {
            // It has ended with an error of its own, which the hits have had, too.
            let _ = thread.join();
        }
    }
}
