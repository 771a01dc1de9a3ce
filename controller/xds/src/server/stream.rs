//! One stream of one proxy: a [`Subscription`] between the network, the group's snapshots and the clock.
//!
//! Invariants: the task ends when the proxy closes its half, when the transport is gone, or when the server stops;
//! it holds no more than one response that the proxy has not taken; `Connected` is followed by `Disconnected`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tonic::{Status, Streaming};

use super::line::Party;
use super::{Node, Published, Shared};
use crate::event::{Event, Peer, count};
use crate::subscription::{Limits, Notice, Outcome, Response, Subscription, Wait};
use crate::wire::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

/// The ends of a stream that the transport holds the other ends of.
pub(super) struct Ends {
    pub(super) requests: Streaming<DeltaDiscoveryRequest>,
    pub(super) responses: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
    pub(super) stop: watch::Receiver<bool>,
    /// Who is at the other end of the connection.
    pub(super) party: Party,
}

/// The stream is over; the proxy is told why, unless it ended it.
struct Over(Option<Status>);

impl From<Status> for Over {
    fn from(status: Status) -> Self {
        Self(Some(status))
    }
}

/// Runs a stream to its end.
pub(super) async fn run(shared: Arc<Shared>, mut ends: Ends) {
    shared.counters.streams.fetch_add(1, Ordering::Relaxed);
    let Over(status) = greet(&shared, &mut ends).await;
    shared.counters.streams.fetch_sub(1, Ordering::Relaxed);
    if let Some(status) = status {
        tracing::debug!(%status, "ending xDS stream");
        // A proxy that takes nothing does not take this either.
        let _ = ends.responses.try_send(Err(status));
    }
}

/// Learns who the proxy is and serves it.
async fn greet(shared: &Arc<Shared>, ends: &mut Ends) -> Over {
    let first = match ends.receive().await {
        Ok(first) => first,
        Err(over) => return over,
    };
    let node = first.node.clone().unwrap_or_default();
    let node = Node { id: node.id, cluster: node.cluster, uris: Arc::clone(&ends.party.uris) };
    let group = match (shared.options.group_of)(&node) {
        Ok(group) => group,
        Err(reason) => {
            count(&shared.counters.rejected_streams, 1);
            tracing::info!(node = node.id, %reason, "refusing an xDS stream");
            return Status::permission_denied(format!("no group for node {:?}: {reason}", node.id)).into();
        }
    };
    let stream = shared.last_stream.fetch_add(1, Ordering::Relaxed) + 1;
    let peer = Peer { group: group.into(), node: node.id.into(), stream };
    let snapshots = shared.watch_group(&peer.group);
    shared.tell(Event::Connected(peer.clone())).await;
    ends.party.join(peer.clone());
    let mut session = Session::new(shared, ends, peer.clone(), snapshots);
    let over = session.serve(first).await;
    drop(session);
    ends.party.leave(&peer);
    shared.unwatch_group(&peer.group);
    shared.tell(Event::Disconnected(peer)).await;
    over
}

impl Ends {
    async fn receive(&mut self) -> Result<DeltaDiscoveryRequest, Over> {
        tokio::select! {
            message = self.requests.message() => match message {
                Ok(Some(request)) => Ok(request),
                Ok(None) => Err(Over(None)),
                Err(status) => Err(status.into()),
            },
            () = self.responses.closed() => Err(Over(None)),
            _ = self.stop.wait_for(|stop| *stop) => Err(Status::unavailable("shutting down").into()),
        }
    }

    async fn send(&mut self, response: DeltaDiscoveryResponse) -> Result<(), Over> {
        tokio::select! {
            sent = self.responses.send(Ok(response)) => sent.map_err(|_| Over(None)),
            _ = self.stop.wait_for(|stop| *stop) => Err(Status::unavailable("shutting down").into()),
        }
    }
}

/// A stream whose proxy is known.
struct Session<'s> {
    shared: &'s Shared,
    ends: &'s mut Ends,
    peer: Peer,
    snapshots: watch::Receiver<Option<Published>>,
    subscription: Subscription,
    timer: Option<(Wait, Instant)>,
}

impl<'s> Session<'s> {
    fn new(
        shared: &'s Shared,
        ends: &'s mut Ends,
        peer: Peer,
        mut snapshots: watch::Receiver<Option<Published>>,
    ) -> Self {
        let limits = Limits {
            response_bytes: shared.options.response_bytes,
            subscription_bytes: shared.options.subscription_bytes,
        };
        snapshots.mark_changed();
        Self { shared, ends, peer, snapshots, subscription: Subscription::new(limits), timer: None }
    }

    async fn serve(&mut self, first: DeltaDiscoveryRequest) -> Over {
        let mut result = self.on_request(first).await;
        while result.is_ok() {
            self.arm();
            let deadline = self.timer.map(|(_, deadline)| deadline);
            result = tokio::select! {
                request = self.ends.receive() => match request {
                    Ok(request) => self.on_request(request).await,
                    Err(over) => Err(over),
                },
                Ok(()) = self.snapshots.changed() => self.on_snapshot().await,
                () = sleep_until(deadline) => self.on_deadline().await,
            };
        }
        result.err().unwrap_or(Over(None))
    }

    /// Starts the clock when something new is waited for.
    fn arm(&mut self) {
        let wait = self.subscription.waiting();
        if self.timer.map(|(wait, _)| wait) != wait {
            let options = &self.shared.options;
            self.timer = wait.map(|wait| match wait {
                Wait::Reconnect => (wait, Instant::now() + options.reconnect_grace),
                Wait::Answer { .. } => (wait, Instant::now() + options.patience),
            });
        }
    }

    async fn on_request(&mut self, request: DeltaDiscoveryRequest) -> Result<(), Over> {
        count(&self.shared.counters.requests, 1);
        let Some(request) = request.into_request() else {
            count(&self.shared.counters.unknown_type_requests, 1);
            return Ok(());
        };
        match self.subscription.on_request(request) {
            Ok(outcome) => self.act(outcome).await,
            Err(error) => {
                count(&self.shared.counters.rejected_streams, 1);
                Err(Status::resource_exhausted(error.to_string()).into())
            }
        }
    }

    async fn on_snapshot(&mut self) -> Result<(), Over> {
        let published = self.snapshots.borrow_and_update().clone();
        match published {
            Some(Published { generation, snapshot }) => {
                let outcome = self.subscription.on_snapshot(generation, snapshot);
                self.act(outcome).await
            }
            None => Ok(()),
        }
    }

    async fn on_deadline(&mut self) -> Result<(), Over> {
        let Some((wait, _)) = self.timer.take() else { return Ok(()) };
        if wait != Wait::Reconnect {
            count(&self.shared.counters.timeouts, 1);
            tracing::warn!(proxy = %self.peer, ?wait, "no answer in time; going on without it");
        }
        let outcome = self.subscription.on_timeout(wait);
        self.act(outcome).await
    }

    async fn act(&mut self, outcome: Outcome) -> Result<(), Over> {
        for response in outcome.responses {
            self.count_response(&response);
            self.ends.send(response.into()).await?;
        }
        for notice in outcome.notices {
            self.tell(notice).await;
        }
        Ok(())
    }

    fn count_response(&self, response: &Response) {
        let counters = &self.shared.counters;
        count(&counters.responses, 1);
        count(&counters.resources, response.resources.len());
        count(&counters.removals, response.removed.len());
        count(&counters.body_bytes, response.resources.iter().map(|resource| resource.body.len()).sum());
        tracing::debug!(
            proxy = %self.peer, kind = ?response.kind, nonce = response.nonce,
            resources = response.resources.len(), removed = response.removed.len(), "sending"
        );
    }

    async fn tell(&self, notice: Notice) {
        let (counters, peer) = (&self.shared.counters, self.peer.clone());
        match notice {
            Notice::StaleNonce => count(&counters.stale_nonces, 1),
            Notice::Acked { kind, accepted, removed } => {
                count(&counters.acks, 1);
                self.shared.tell(Event::Acked { peer, kind, accepted, removed }).await;
            }
            Notice::Nacked { kind, message, refused } => {
                count(&counters.nacks, 1);
                tracing::info!(proxy = %self.peer, ?kind, at_fault = refused.len(), %message, "refused");
                for refused in refused {
                    self.shared.tell(Event::Nacked { peer: peer.clone(), refused }).await;
                }
            }
            Notice::Synced { generation, refused } => {
                self.shared.tell(Event::Synced { peer, generation, refused }).await;
            }
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
