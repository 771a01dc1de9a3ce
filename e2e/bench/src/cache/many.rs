//! Many objects: whether a hit costs the same among a million as among a thousand, and whether the budget holds.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{LINES, contents};
use crate::figure::{Figure, median};
use crate::ours::Ours;
use crate::rounds::Serving;
use crate::traffic::Traffic;
use crate::variant::Variant;
use crate::{cpu, endpoint, load, memory};

const FEW: usize = 1_000;
const MANY: usize = 1_000_000;
/// Requests of one round.
const ROUND: usize = 2_000;
const ROUNDS: usize = 40;

/// Bytes of the store in the soak.
const BUDGET: usize = 256 << 20;
/// Requests of the soak where none are asked for.
pub(crate) const REQUESTS: usize = 5_000_000;
/// Bodies of the soak have lengths up to this, bytes.
const SPREAD: usize = 2_000;

/// What a hit costs where all of a thousand objects, or of a million, are asked for in no order.
///
/// # Errors
/// Envoy does not start, or a request fails.
pub(super) fn flat(ours: &Ours) -> Result<Vec<Figure>> {
    let origin = origin(1)?;
    let variant = |name: &str| {
        let storage = json!({"storage": {"name": name, "bytes": 2_000_000_000}});
        Variant::of(name, vec![ours.native(&storage)], name, &Traffic::get(1)).before(origin)
    };
    let serving = Serving::start(&[variant("few"), variant("many")])?;
    let sets = [(serving.addresses[0], FEW), (serving.addresses[1], MANY)];
    for (address, objects) in sets {
        fill(&serving, address, objects)?;
    }
    let mut samples = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (place, (address, objects)) in sets.into_iter().enumerate() {
            samples[place].push(hits(&serving, address, objects, round)?);
        }
    }
    let [few, many] = samples.map(median);
    Ok(vec![Figure::new("cache/hit-of-a-million", 1.3, many, ("hit-of-a-thousand", few), "us")])
}

fn fill(serving: &Serving, address: SocketAddr, objects: usize) -> Result<()> {
    serving.runtime.block_on(load::run_each(address, objects, contents::request))
}

/// CPU microseconds of a hit among `objects`.
fn hits(serving: &Serving, address: SocketAddr, objects: usize, round: usize) -> Result<f64> {
    let request = move |number, bytes: &mut Vec<u8>| {
        contents::request(scattered(round * ROUND + number) % objects, bytes);
    };
    let before = cpu::nanoseconds(serving.envoy.id())?;
    serving.runtime.block_on(load::run_each(address, ROUND, request))?;
    let used = cpu::nanoseconds(serving.envoy.id())? - before;
    Ok(used as f64 / 1_000.0 / ROUND as f64)
}

/// Numbers without an order that a processor could learn (SplitMix64).
pub(super) fn scattered(number: usize) -> usize {
    let mut mixed = (number as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from(mixed >> 33).unwrap_or(0)
}

/// An origin of one object a path.
pub(super) fn origin(spread: usize) -> Result<SocketAddr> {
    endpoint::start_by(move |head, _| {
        contents::answer(LINES, &contents::body(contents::path_of(head), spread))
    })
}

/// Asks for a million keys, some of them far more often than others, through a store that holds a part of them: each answer is checked,
/// and memory is told once the store is full and at the end.
///
/// # Errors
/// Envoy does not start, a request fails, or an answer is not the one to its request.
pub(crate) fn soak(artefacts: &Path, requests: usize) -> Result<Vec<Figure>> {
    let (ours, origin) = (Ours::named(artefacts, "cache"), origin(SPREAD)?);
    let storage = json!({"storage": {"bytes": BUDGET}});
    let variant = Variant::of("native", vec![ours.native(&storage)], "native", &Traffic::get(requests));
    let serving = Serving::start(&[variant.before(origin)])?;
    let address = *serving.addresses.first().context("no listener")?;
    let empty = memory::resident(serving.envoy.id())?;
    let part = |numbers: std::ops::Range<usize>| {
        let sends = load::run_checked(
            address,
            numbers,
            |number, bytes| contents::request(popular(number), bytes),
            |number, answer| contents::check(popular(number), SPREAD, answer),
        );
        serving.runtime.block_on(sends)
    };
    part(0..requests / 4)?;
    let full = memory::resident(serving.envoy.id())?;
    ensure!(full - empty > 50.0, "the store was not filled: {full} MB after {empty} MB");
    part(requests / 4..requests)?;
    let end = memory::resident(serving.envoy.id())?;
    let budget = BUDGET as f64 / (1 << 20) as f64;
    Ok(vec![
        Figure::new("cache-soak/resident", 1.05, end, ("full", full), "MB"),
        Figure::new("cache-soak/beyond-empty", 1.25, end - empty, ("budget", budget), "MB"),
    ])
}

/// Half of all requests are for a thousandth of the keys.
fn popular(number: usize) -> usize {
    let mixed = scattered(number);
    if mixed & 1 == 0 { (mixed >> 1) % (MANY / 1_000) } else { (mixed >> 1) % MANY }
}
