//! Plays one case on the running Envoy.

use std::collections::BTreeMap;
use std::time::Duration;

use super::access_log::{Entry, poll};
use super::running::Running;
use super::{Planned, client};
use crate::case::{Abort, Answer, CalloutAnswer, Exchange};
use crate::seen::{ClientSaw, Seen};
use crate::{Failure, check};

/// How long Envoy may take to tell what an exchange left behind.
const AFTERMATH: Duration = Duration::from_secs(2);

impl Running {
    /// Plays a case.
    ///
    /// # Errors
    /// The report of what was not as expected.
    pub(super) fn run(&self, planned: &Planned) -> Result<(), Failure> {
        let unplayable = |reason: String| Err(Failure::unplayable(&planned.case, reason));
        match (planned.case.refusal(), self.refusals.get(&planned.id)) {
            (None, None) => self.exchanges(planned),
            (Some(text), Some(refusal)) if refusal.says(text) => Ok(()),
            (Some(text), Some(refusal)) => {
                unplayable(format!("  Envoy refuses it, but not with {text:?}: {refusal}"))
            }
            (Some(text), None) => unplayable(format!("  Envoy does not refuse it; wanted {text:?}")),
            (None, Some(refusal)) => unplayable(format!("  Envoy refuses it: {refusal}")),
        }
    }

    fn exchanges(&self, planned: &Planned) -> Result<(), Failure> {
        for (at, exchange) in planned.case.exchanges().iter().enumerate() {
            std::thread::sleep(Duration::from_secs(exchange.after_seconds));
            let seen =
                self.play(planned, exchange).map_err(|error| Failure::unplayable(&planned.case, error))?;
            let mismatches = check(&exchange.expect, &seen);
            if !mismatches.is_empty() {
                return Err(Failure::mismatches(&planned.case, at, &seen, &mismatches));
            }
        }
        Ok(())
    }

    fn play(&self, planned: &Planned, exchange: &Exchange) -> Result<Seen, String> {
        let address = self.addresses.get(&planned.id).ok_or("Envoy has no listener for the case")?;
        let upstream = self.upstreams.get(&planned.id).ok_or("the case has no upstream")?;
        let (mark, counted) = (self.envoy.log().mark(), self.counters(planned, exchange));
        self.ended(&planned.id);
        upstream.play([exchange.upstream.clone()]);
        for (cluster, callout) in &self.callouts {
            callout.play(answers(&exchange.callouts, cluster));
        }
        let client = self.runtime.block_on(client::exchange(*address, &exchange.request, self.patience))?;
        if let Some(status) = self.envoy.exit_status() {
            return Err(format!("Envoy ended ({status}):\n{}", self.envoy.log().since(mark).join("\n")));
        }
        let entry = self.entry(planned, exchange, &client);
        let upstream = self.runtime.block_on(upstream.seen()).into_iter().next();
        Ok(Seen {
            upstream,
            client,
            callouts: self.callouts_seen(exchange),
            metrics: self.growth(planned, exchange, &counted),
            metadata: entry.metadata.into_iter().collect(),
            details: entry.details,
            log: self.log(exchange, mark),
        })
    }

    /// What Envoy wrote down of the stream, once that is over.
    fn entry(&self, planned: &Planned, exchange: &Exchange, client: &ClientSaw) -> Entry {
        let hangs = *client == ClientSaw::Hang || (exchange.request.abort == Some(Abort::BeforeEnd));
        let patience = if hangs { AFTERMATH / 4 } else { AFTERMATH };
        let entries = poll(patience, || {
            let entries = self.ended(&planned.id);
            (!entries.is_empty(), entries)
        });
        entries.into_iter().next_back().unwrap_or_default()
    }

    fn callouts_seen(&self, exchange: &Exchange) -> Vec<(String, crate::SeenRequest)> {
        let mut seen: BTreeMap<&String, _> = BTreeMap::new();
        if !exchange.callouts.is_empty() || exchange.expect.callouts.is_some() {
            for (cluster, callout) in &self.callouts {
                seen.insert(cluster, self.runtime.block_on(callout.seen()).into_iter());
            }
        }
        // Clusters do not know of each other; requests to one cluster are in order, and clusters in that of the script.
        let order = exchange.callouts.iter().map(|callout| &callout.cluster);
        let mut all: Vec<(String, crate::SeenRequest)> = Vec::new();
        for cluster in order {
            if let Some(request) = seen.get_mut(cluster).and_then(Iterator::next) {
                all.push((cluster.clone(), request));
            }
        }
        all.extend(
            seen.into_iter().flat_map(|(cluster, rest)| rest.map(move |request| (cluster.clone(), request))),
        );
        all
    }

    fn counters(&self, planned: &Planned, exchange: &Exchange) -> BTreeMap<String, Option<u64>> {
        let value = |name: &String| (name.clone(), self.counter(&planned.placement.counter(name)));
        exchange.expect.metrics.keys().map(value).collect()
    }

    /// By how much counters grew; waits for those that are to grow.
    fn growth(
        &self,
        planned: &Planned,
        exchange: &Exchange,
        before: &BTreeMap<String, Option<u64>>,
    ) -> BTreeMap<String, u64> {
        poll(AFTERMATH, || {
            let now = self.counters(planned, exchange).into_iter();
            let grown: BTreeMap<String, u64> = now
                .filter_map(|(name, now)| {
                    let before = before.get(&name).copied().flatten().unwrap_or(0);
                    Some((name, now?.saturating_sub(before)))
                })
                .collect();
            (grown == exchange.expect.metrics, grown)
        })
    }

    /// The log since `mark`; waits for lines that are to come.
    fn log(&self, exchange: &Exchange, mark: usize) -> Vec<String> {
        for text in &exchange.expect.log {
            self.envoy.log().wait(mark, AFTERMATH, |line| line.contains(text));
        }
        self.envoy.log().since(mark)
    }
}

fn answers(script: &[CalloutAnswer], cluster: &str) -> Vec<Answer> {
    script.iter().filter(|callout| callout.cluster == cluster).map(|callout| callout.answer.clone()).collect()
}
