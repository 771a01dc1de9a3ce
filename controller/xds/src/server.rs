//! The gRPC service: who is connected, and which snapshot each group should have.
//!
//! Invariants: a stream never waits for another stream; a publisher never waits for a stream; a group that was never
//! published to is remembered only while proxies wait for it.

mod line;
mod report;
mod secure;
mod service;
mod stream;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::UnixListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::TcpIncoming;

use line::{Line, Transport};
pub use report::REPORTS;
use service::AggregatedDiscovery;

use crate::event::Counters;
use crate::{Event, Metrics, Snapshot, Tls};

/// Who is asking, from the first request of a stream and the connection that it came by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// `node.id` of Envoy's bootstrap.
    pub id: String,
    /// `node.cluster` of Envoy's bootstrap.
    pub cluster: String,
    /// URI SANs of the client's certificate; none without TLS.
    pub uris: Arc<[String]>,
}

const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
/// A proxy needs one.
const STREAMS_PER_CONNECTION: u32 = 16;
const HEADER_BYTES: u32 = 16 << 10;

type GroupOf = dyn Fn(&Node) -> Result<String, String> + Send + Sync;

/// How a [`Server`] behaves; start from `Options::default()`.
#[derive(Clone)]
pub struct Options {
    /// The group of a node, or why it has none, which the proxy is told as the stream is refused
    /// (`PERMISSION_DENIED`). By default `node.cluster`, unless it is empty, whatever a certificate says.
    pub group_of: Arc<GroupOf>,
    /// How long types that come later in the make-before-break order wait for an answer to an earlier one. Envoy
    /// withholds the ACK of a cluster while it warms, which slow health checks may stretch. Default 10 s.
    pub patience: Duration,
    /// How long a reconnected proxy may take to ask for all types that it uses. Until then nothing is removed from it,
    /// and its listeners and routes wait for it to ask for clusters. Default 500 ms.
    pub reconnect_grace: Duration,
    /// A response is closed once its bodies exceed this many bytes; the rest follows in the next. A stream keeps a buffer as
    /// large as its largest response. Default 1 MiB.
    pub response_bytes: usize,
    /// Largest request accepted, in bytes. Default 16 MiB.
    pub request_bytes: usize,
    /// Most memory that the names one stream subscribes to may take, in bytes (64 a name and its length).
    /// Default 32 MiB.
    pub subscription_bytes: usize,
    /// Most streams at once. Default 4096.
    pub streams: usize,
    /// HTTP/2 ping interval; a peer that does not answer within 10 s is disconnected. Default 30 s.
    pub keepalive: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            group_of: Arc::new(|node| match node.cluster.as_str() {
                "" => Err("node.cluster is empty".to_owned()),
                cluster => Ok(cluster.to_owned()),
            }),
            patience: Duration::from_secs(10),
            reconnect_grace: Duration::from_millis(500),
            response_bytes: 1 << 20,
            request_bytes: 16 << 20,
            subscription_bytes: 32 << 20,
            streams: 4096,
            keepalive: Duration::from_secs(30),
        }
    }
}

/// Serving failed; proxies that were connected no longer are.
#[derive(Debug, thiserror::Error)]
#[error("xDS server: {0}")]
pub struct ServeError(#[from] tonic::transport::Error);

#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) generation: u64,
    pub(crate) snapshot: Snapshot,
}

type Groups = HashMap<Arc<str>, watch::Sender<Option<Published>>>;

struct Shared {
    options: Options,
    groups: Mutex<Groups>,
    generation: AtomicU64,
    last_stream: AtomicU64,
    streams: Arc<Semaphore>,
    events: mpsc::Sender<Event>,
    counters: Counters,
}

/// The delta xDS server. Clones share everything.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

impl Server {
    /// A server and the events of its proxies.
    ///
    /// The event channel is bounded: when the receiver is not read, the streams pause, so read it. Dropping it is
    /// allowed and means that nobody listens.
    #[must_use]
    pub fn new(options: Options) -> (Self, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(1024);
        let shared = Shared {
            streams: Arc::new(Semaphore::new(options.streams.min(Semaphore::MAX_PERMITS))),
            last_stream: AtomicU64::new(0),
            options,
            groups: Mutex::default(),
            generation: AtomicU64::new(0),
            events,
            counters: Counters::default(),
        };
        (Self { shared: Arc::new(shared) }, receiver)
    }

    /// Makes `snapshot` what every proxy of `group` should have, now and when it connects later. Returns its
    /// generation: greater than that of every earlier call, and named by [`Event::Synced`].
    ///
    /// Never blocks. A snapshot that is superseded before a proxy got to it is skipped for that proxy.
    pub fn publish(&self, group: &str, snapshot: Snapshot) -> u64 {
        let generation = self.shared.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let mut groups = self.shared.groups();
        let sender = groups.entry(group.into()).or_insert_with(|| watch::Sender::new(None));
        sender.send_replace(Some(Published { generation, snapshot }));
        generation
    }

    /// Forgets a group. Its connected proxies keep what they have; those that connect later wait. To take
    /// everything from the proxies, publish an empty snapshot first.
    pub fn forget(&self, group: &str) {
        let mut groups = self.shared.groups();
        if let Some(sender) = groups.get(group) {
            sender.send_replace(None);
        }
        forget_if_unused(&mut groups, group);
    }

    /// What was last published for a group.
    #[must_use]
    pub fn snapshot(&self, group: &str) -> Option<Snapshot> {
        let groups = self.shared.groups();
        let published = groups.get(group)?.borrow();
        published.as_ref().map(|published| published.snapshot.clone())
    }

    /// The counters as of now.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared.counters.read()
    }

    /// Serves on `listener` until `shutdown` resolves, then ends the streams and returns.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve_tcp(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        self.serve(TcpIncoming::from(listener).with_nodelay(Some(true)), shutdown).await
    }

    /// Serves over TLS on `listener` until `shutdown` resolves, then ends the streams and returns. Clients have to show
    /// a certificate; [`Options::group_of`] hears of its names, and decides.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve_tls(
        &self,
        listener: TcpListener,
        tls: Tls,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        self.serve(secure::incoming(listener, tls, Arc::clone(&self.shared)), shutdown).await
    }

    /// Serves on a Unix socket until `shutdown` resolves, then ends the streams and returns. The caller owns the
    /// socket's file and its permissions.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve_unix(
        &self,
        listener: UnixListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        self.serve(UnixListenerStream::new(listener), shutdown).await
    }

    async fn serve<IO>(
        &self,
        connections: impl Stream<Item = io::Result<IO>>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError>
    where
        IO: Transport,
    {
        let connections = connections.map(|connection| connection.map(Line::new));
        let (stop, stopped) = watch::channel(false);
        let service = AggregatedDiscovery { shared: self.shared.clone(), stop: stopped.clone() };
        let signal = async {
            shutdown.await;
            stop.send_replace(true);
        };
        let serving = self.transport().serve_with_incoming_shutdown(service, connections, signal);
        tokio::select! {
            served = serving => Ok(served?),
            () = outstay(stopped) => Ok(()),
        }
    }

    fn transport(&self) -> tonic::transport::Server {
        tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(self.shared.options.keepalive))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(STREAMS_PER_CONNECTION)
            .http2_max_header_list_size(HEADER_BYTES)
    }
}

/// Resolves when proxies that do not take the end of their stream have been waited for long enough.
async fn outstay(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone and with it the server.
    let _ = stopped.wait_for(|stop| *stop).await;
    tokio::time::sleep(SHUTDOWN_GRACE).await;
}

fn forget_if_unused(groups: &mut Groups, group: &str) {
    if groups.get(group).is_some_and(|sender| sender.is_closed() && sender.borrow().is_none()) {
        groups.remove(group);
    }
}

impl Shared {
    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch_group(&self, group: &Arc<str>) -> watch::Receiver<Option<Published>> {
        self.groups().entry(group.clone()).or_insert_with(|| watch::Sender::new(None)).subscribe()
    }

    /// To be called after a receiver of the group was dropped.
    fn unwatch_group(&self, group: &Arc<str>) {
        forget_if_unused(&mut self.groups(), group);
    }

    async fn tell(&self, event: Event) {
        // Nobody has to listen.
        let _ = self.events.send(event).await;
    }
}
