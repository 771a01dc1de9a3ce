//! Variants measured in turn, round by round, on one Envoy with one worker.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::figure::{Figure, median};
use crate::variant::{PROOF, Variant};
use crate::{cpu, load};

/// Envoy CPU microseconds a request, by variant and round.
pub(crate) struct Costs(Vec<(Variant, Vec<f64>)>);

impl Costs {
    /// What one request costs.
    pub(crate) fn of(&self, name: &str) -> f64 {
        median(self.rounds(name).to_vec())
    }

    /// What one filter of a chain adds: compared round by round, because the speed of a machine changes over time.
    pub(crate) fn added(&self, name: &str) -> f64 {
        let Some((variant, rounds)) = self.0.iter().find(|(known, _)| known.name == name) else {
            return f64::NAN;
        };
        let pairs = rounds.iter().zip(self.rounds(&variant.base));
        median(pairs.map(|(with, without)| (with - without) / variant.filters() as f64).collect())
    }

    /// What one filter of ours adds beside what one of the baseline's does.
    pub(crate) fn figure(&self, name: &str, goal: f64, ours: &str, baseline: &str) -> Figure {
        let (ours, against) = (self.added(ours), self.added(baseline));
        Figure::new(name, goal, ours, (baseline, against), "us")
    }

    fn rounds(&self, name: &str) -> &[f64] {
        self.0.iter().find(|(known, _)| known.name == name).map_or(&[], |(_, rounds)| rounds)
    }
}

/// Starts one Envoy that serves all `variants`, makes sure that each does its work, and measures them.
///
/// # Errors
/// Envoy does not start, a request fails, or a variant does not do its work.
pub(crate) fn measure(variants: Vec<Variant>, rounds: usize) -> Result<Costs> {
    measure_beside(variants, Vec::new(), rounds)
}

/// The same, in turn with other servers.
///
/// # Errors
/// As of [`measure`].
pub(crate) fn measure_beside(variants: Vec<Variant>, peers: Vec<Peer>, rounds: usize) -> Result<Costs> {
    let serving = Serving::start(&variants)?;
    for (variant, address) in variants.iter().zip(&serving.addresses) {
        variant.check(&serving.runtime.block_on(load::once(*address, &variant.traffic.to(PROOF)))?)?;
    }
    let ours = variants.into_iter().zip(&serving.addresses);
    let envoy = serving.envoy.id();
    let ours = ours.map(|(variant, address)| Peer { variant, address: *address, process: envoy });
    let peers: Vec<Peer> = ours.chain(peers).collect();
    let mut samples = vec![Vec::with_capacity(rounds); peers.len()];
    for round in 0..=rounds {
        for turn in 0..peers.len() {
            let at = (turn + round) % peers.len();
            let cost = peers[at].cost(&serving.runtime)?;
            if round > 0 {
                samples[at].push(cost);
            }
        }
    }
    Ok(Costs(peers.into_iter().map(|peer| peer.variant).zip(samples).collect()))
}

/// A server under measurement.
pub(crate) struct Peer {
    /// What it is called and sent.
    pub(crate) variant: Variant,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Whose CPU time counts, with that of its children.
    pub(crate) process: u32,
}

impl Peer {
    /// CPU microseconds of a request, over one round.
    fn cost(&self, runtime: &tokio::runtime::Runtime) -> Result<f64> {
        let (request, requests) = (self.variant.traffic.to("/"), self.variant.traffic.requests);
        let before = cpu::of_family(self.process)?;
        runtime.block_on(load::run(self.address, &request, requests))?;
        let used = cpu::of_family(self.process)? - before;
        Ok(used as f64 / 1_000.0 / requests as f64)
    }
}

/// An Envoy with a listener for each variant, and what it takes to send it requests.
pub(crate) struct Serving {
    pub(crate) envoy: envoy_bootstrap::Envoy,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Serving {
    /// Starts it.
    ///
    /// # Errors
    /// Envoy does not start.
    pub(crate) fn start(variants: &[Variant]) -> Result<Self> {
        let listeners: Vec<Value> = variants.iter().map(Variant::listener).collect();
        let clusters: Vec<Value> = variants.iter().filter_map(Variant::cluster).collect();
        let resources = json!({"listeners": listeners, "clusters": clusters});
        let envoy = crate::envoy::start(&json!({"static_resources": resources}))?;
        let addresses = addresses(&envoy, variants)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { envoy, addresses, runtime })
    }
}

/// Where each variant's listener is: Envoy chooses the ports, so that no other process can take them meanwhile.
fn addresses(envoy: &envoy_bootstrap::Envoy, variants: &[Variant]) -> Result<Vec<SocketAddr>> {
    let admin = envoy.admin().context("no admin interface")?;
    let listeners: Value = serde_json::from_str(&admin.get("/listeners?format=json")?.body)?;
    let statuses = listeners["listener_statuses"].as_array().context("no `listener_statuses`")?;
    let address = |variant: &Variant| {
        let status = statuses.iter().find(|status| status["name"] == *variant.name);
        let port = status.and_then(|status| status["local_address"]["socket_address"]["port_value"].as_u64());
        let port = port.with_context(|| format!("no listener {}", variant.name))?;
        Ok(SocketAddr::from(([127, 0, 0, 1], u16::try_from(port)?)))
    };
    variants.iter().map(address).collect()
}
