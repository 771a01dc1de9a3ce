//! The protocol of one delta ADS stream as a pure state machine: requests and snapshots in, responses out.
//!
//! It does no IO and owns no clock: the caller delivers what arrives, sends what is returned, and calls
//! [`Subscription::on_timeout`] when what [`Subscription::waiting`] names has lasted too long.
//!
//! Invariants:
//! - At most one response of a type is unanswered; what changes meanwhile is coalesced into the next.
//! - A resource is sent only if the proxy does not have its version, asked for it anew, or waits for it to warm a
//!   cluster that was sent. A refused version is not sent again until the subscription changes.
//! - Make before break: see the order below. A snapshot is carried through to its end before
//!   the next is begun, so a stream of new snapshots cannot starve the types that come last; secrets and endpoints
//!   refer to nothing and are always taken from the newest.
//!
//! The order, as Envoy 1.40 needs it:
//! - Secrets, clusters and endpoints are sent at once. Endpoints must not wait for the ACK of the clusters, because
//!   Envoy withholds that ACK until every new cluster is warm, that is, has its endpoints.
//! - Filter configurations, listeners, scopes and routes each wait until all types before them are accepted (or
//!   refused, or overdue).
//! - Removals come last and in the reverse order, and only once every type that may refer to them has accepted its
//!   update; a refused update keeps its old version in use, so it holds them back.
//! - A proxy that comes back tells what it has one type after the other. Until it had time to tell all, its listeners
//!   and routes wait for it to ask for clusters, and nothing is removed: what it has not yet asked for may use it.
//! - Envoy does not ask again for the endpoints of a cluster that changed, yet the changed cluster does not warm
//!   without them: they are sent again behind the cluster.

mod cluster;
mod flow;
mod interest;
mod message;
mod refusal;
mod targets;
mod watch;

use crate::{Kind, Snapshot};
pub use message::{Limits, Notice, Outcome, Request, Response, TooManyNames, Wait};
use targets::Targets;
use watch::Watch;

/// The state of one stream. See the [module](self) for its rules.
#[derive(Debug)]
pub struct Subscription {
    limits: Limits,
    watches: [Watch; Kind::COUNT],
    targets: Targets,
    last_nonce: u64,
    grace_spent: bool,
    synced: u64,
}

impl Subscription {
    /// A stream that has asked for nothing and been told nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            watches: Kind::ALL.map(Watch::new),
            targets: Targets::default(),
            last_nonce: 0,
            grace_spent: false,
            synced: 0,
        }
    }

    /// Takes in a request: the answer to an earlier response, changes of the subscription, or both.
    ///
    /// # Errors
    /// When the names subscribed to exceed the limit; the stream should be ended.
    pub fn on_request(&mut self, request: Request) -> Result<Outcome, TooManyNames> {
        let mut outcome = Outcome::default();
        let watch = &mut self.watches[request.kind.index()];
        if let Some(nonce) = request.nonce {
            outcome.notices.push(watch.answered(nonce, request.error.as_deref()));
        }
        watch.change_interest(&request, &self.targets);
        if self.watches.iter().map(Watch::cost).sum::<usize>() > self.limits.subscription_bytes {
            return Err(TooManyNames);
        }
        self.proceed(&mut outcome);
        Ok(outcome)
    }

    /// Takes in what the proxy should have from now on. `generation` must grow from call to call.
    pub fn on_snapshot(&mut self, generation: u64, snapshot: Snapshot) -> Outcome {
        for (kind, name) in self.targets.announce(generation, snapshot) {
            self.watches[kind.index()].touch(&name);
        }
        let mut outcome = Outcome::default();
        self.proceed(&mut outcome);
        outcome
    }

    /// What an unanswered proxy is holding up, if anything. While the value stays the same, nothing has moved.
    #[must_use]
    pub fn waiting(&self) -> Option<Wait> {
        if self.resuming() {
            return Some(Wait::Reconnect);
        }
        let nonce = self.watches.iter().filter_map(Watch::awaited_nonce).min()?;
        Some(Wait::Answer { nonce })
    }

    /// Stops waiting: what `wait` held up goes on as if it had been answered. A late answer still counts.
    pub fn on_timeout(&mut self, wait: Wait) -> Outcome {
        match wait {
            Wait::Reconnect => self.grace_spent = true,
            Wait::Answer { nonce } => self.watches.iter_mut().for_each(|watch| watch.give_up(nonce)),
        }
        let mut outcome = Outcome::default();
        self.proceed(&mut outcome);
        outcome
    }
}
