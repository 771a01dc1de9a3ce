//! What proxies say about what they were sent.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::Kind;

/// One stream of one proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The group whose snapshots the proxy is sent.
    pub group: Arc<str>,
    /// `node.id` of the proxy. Not unique: a restarting proxy has two streams for a while.
    pub node: Arc<str>,
    /// Unique within this process.
    pub stream: u64,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} (stream {})", self.node, self.group, self.stream)
    }
}

/// A resource that a proxy refused (NACK). It keeps the version it had before, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The kind of the resource.
    pub kind: Kind,
    /// Its name.
    pub name: Arc<str>,
    /// The version that was refused; `None` if it was the removal.
    pub version: Option<u64>,
    /// The proxy's own words, cut to 4 KiB.
    pub message: Arc<str>,
}

/// Something a proxy did. Events of one stream arrive in order, from `Connected` to `Disconnected`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A stream told its node for the first time.
    Connected(Peer),
    /// The stream has ended, for whatever reason.
    Disconnected(Peer),
    /// The proxy accepted a response.
    Acked {
        /// Who accepted.
        peer: Peer,
        /// The type of the response.
        kind: Kind,
        /// Names and versions that the proxy now has.
        accepted: Vec<(Arc<str>, u64)>,
        /// Names that it no longer has, or was told do not exist.
        removed: Vec<Arc<str>>,
    },
    /// The proxy refused a resource. A response of many resources that was refused as a whole is first taken apart
    /// by sending halves of it again, so the one named here is the very one that does not work.
    Nacked {
        /// Who refused.
        peer: Peer,
        /// What was refused and why.
        refused: Refused,
    },
    /// The proxy has accepted or refused all that it subscribes to of the snapshot published as `generation`, and
    /// has asked at least once for every kind that the snapshot contains.
    Synced {
        /// Who is up to date.
        peer: Peer,
        /// What [`Server::publish`](crate::Server::publish) returned for the snapshot.
        generation: u64,
        /// Everything of that snapshot that the proxy refuses; empty when it runs the whole of it.
        refused: Vec<Refused>,
    },
    /// A filter of the proxy has something to say: what was posted to [`REPORTS`](crate::REPORTS) on the proxy's connection, which is
    /// JSON by its own word alone.
    Reported {
        /// Whose filter.
        peer: Peer,
        /// What it says.
        body: Bytes,
    },
}

/// Counters since the start of the process, except `streams`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Streams open now.
    pub streams: u64,
    /// Requests received.
    pub requests: u64,
    /// Requests of a type that is not served.
    pub unknown_type_requests: u64,
    /// Requests whose nonce is not that of a response still awaited.
    pub stale_nonces: u64,
    /// Responses sent.
    pub responses: u64,
    /// Resources sent, over all responses.
    pub resources: u64,
    /// Names sent as removed, over all responses.
    pub removals: u64,
    /// Bytes of resource bodies sent.
    pub body_bytes: u64,
    /// Responses accepted.
    pub acks: u64,
    /// Responses refused.
    pub nacks: u64,
    /// Times that later types were sent although an earlier one was not answered in time.
    pub timeouts: u64,
    /// Streams refused or ended for exceeding a bound.
    pub rejected_streams: u64,
    /// Connections that ended with their TLS handshake.
    pub failed_handshakes: u64,
    /// Reports received.
    pub reports: u64,
}

macro_rules! counters {
    ($($name:ident),*) => {
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64),* }
        impl Counters {
            pub(crate) fn read(&self) -> Metrics {
                Metrics { $($name: self.$name.load(Ordering::Relaxed)),* }
            }
        }
    };
}

counters!(
    streams,
    requests,
    unknown_type_requests,
    stale_nonces,
    responses,
    resources,
    removals,
    body_bytes,
    acks,
    nacks,
    timeouts,
    rejected_streams,
    failed_handshakes,
    reports
);

pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
