//! What goes in and out of a [`Subscription`](super::Subscription), free of protobuf.

use std::sync::Arc;

use crate::{Kind, Refused, Resource};

/// A `DeltaDiscoveryRequest` of a known type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The type asked for.
    pub kind: Kind,
    /// Names to subscribe to; `*` is everything.
    pub subscribe: Vec<Arc<str>>,
    /// Names to unsubscribe from.
    pub unsubscribe: Vec<Arc<str>>,
    /// What the proxy has from an earlier stream, by name; `None` is a version that nobody here can have sent.
    /// Heeded in the first request of a type only, as the protocol says.
    pub initial_versions: Vec<(Arc<str>, Option<u64>)>,
    /// The nonce of the response that this answers.
    pub nonce: Option<u64>,
    /// Why that response was refused; without it, it was accepted.
    pub error: Option<String>,
}

impl Request {
    /// A request that asks for nothing by name.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            subscribe: Vec::new(),
            unsubscribe: Vec::new(),
            initial_versions: Vec::new(),
            nonce: None,
            error: None,
        }
    }
}

/// A `DeltaDiscoveryResponse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The type of all resources in it.
    pub kind: Kind,
    /// Unique within the stream, growing.
    pub nonce: u64,
    /// Resources added, changed, or sent again.
    pub resources: Vec<Resource>,
    /// Names that no longer exist, or never did.
    pub removed: Vec<Arc<str>>,
}

/// What a request told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A response was accepted.
    Acked {
        /// Its type.
        kind: Kind,
        /// Names and versions that the proxy now has.
        accepted: Vec<(Arc<str>, u64)>,
        /// Names that it no longer has, or knows not to exist.
        removed: Vec<Arc<str>>,
    },
    /// A response was refused.
    Nacked {
        /// Its type.
        kind: Kind,
        /// The proxy's words, cut to 4 KiB.
        message: Arc<str>,
        /// What is now known to be at fault. Empty while a response of many resources is being taken apart.
        refused: Vec<Refused>,
    },
    /// The request answered no response that is still awaited.
    StaleNonce,
    /// The proxy is up to date; see [`Event::Synced`](crate::Event::Synced).
    Synced {
        /// The generation of the snapshot.
        generation: u64,
        /// What the proxy refuses of it.
        refused: Vec<Refused>,
    },
}

/// What follows from an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// To be sent, in this order.
    pub responses: Vec<Response>,
    /// To be told to whom it may concern.
    pub notices: Vec<Notice>,
}

/// What the stream is held up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A proxy came back with what it has and may not yet have asked for all types. Nothing tells when it has.
    Reconnect,
    /// The response of this nonce is unanswered.
    Answer {
        /// Its nonce.
        nonce: u64,
    },
}

/// The bounds of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A response is closed once its bodies exceed this many bytes.
    pub response_bytes: usize,
    /// Most memory for the names subscribed to, in bytes: the length of each plus 64.
    pub subscription_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { response_bytes: 1 << 20, subscription_bytes: 32 << 20 }
    }
}

/// A stream subscribes to more names than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many resource names subscribed to on one stream")]
pub struct TooManyNames;
