//! The server over real gRPC: connections, groups, bounds, shutdown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3 as pb;
use ferrule_xds::{Event, Kind, Options, REPORTS, Resource, Server, Snapshot};
use pb::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient as Client;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

/// Only a failing test waits for it.
const LONG: Duration = Duration::from_secs(30);

struct Running {
    server: Server,
    events: mpsc::Receiver<Event>,
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

async fn serve(options: Options) -> Running {
    let (server, events) = Server::new(options);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, stopped) = oneshot::channel();
    let serve = server.clone();
    let serving = tokio::spawn(async move {
        serve.serve_tcp(listener, async { stopped.await.unwrap_or_default() }).await.unwrap();
    });
    Running { server, events, address, shutdown, serving }
}

struct Proxy {
    requests: mpsc::Sender<pb::DeltaDiscoveryRequest>,
    responses: Streaming<pb::DeltaDiscoveryResponse>,
}

impl Proxy {
    async fn over(channel: Channel) -> Result<Self, Status> {
        let (requests, receiver) = mpsc::channel(64);
        let mut client = Client::new(channel);
        let responses = client.delta_aggregated_resources(ReceiverStream::new(receiver)).await?.into_inner();
        Ok(Self { requests, responses })
    }

    async fn connect(running: &Running) -> Self {
        let channel =
            Endpoint::from_shared(format!("http://{}", running.address)).unwrap().connect().await.unwrap();
        Self::over(channel).await.unwrap()
    }

    async fn send(&self, request: pb::DeltaDiscoveryRequest) {
        self.requests.send(request).await.unwrap();
    }

    /// The first request of a stream, which names the node.
    async fn hello(&self, kind: Kind, cluster: &str) {
        let node = Node { id: format!("node of {cluster}"), cluster: cluster.into(), ..Default::default() };
        self.send(pb::DeltaDiscoveryRequest { node: Some(node), ..ask(kind) }).await;
    }

    async fn next(&mut self) -> Result<Option<pb::DeltaDiscoveryResponse>, Status> {
        tokio::time::timeout(LONG, self.responses.message()).await.expect("a response or the end")
    }

    /// Names in the next response, and its acceptance.
    async fn accept(&mut self) -> Vec<String> {
        let response = self.next().await.unwrap().unwrap();
        let answer = pb::DeltaDiscoveryRequest {
            type_url: response.type_url,
            response_nonce: response.nonce,
            ..Default::default()
        };
        self.send(answer).await;
        response.resources.into_iter().map(|resource| resource.name).collect()
    }
}

fn ask(kind: Kind) -> pb::DeltaDiscoveryRequest {
    pb::DeltaDiscoveryRequest { type_url: kind.type_url().into(), ..Default::default() }
}

fn clusters(names: &[&str]) -> Snapshot {
    names.iter().map(|name| (Kind::Cluster, Resource::new(*name, name.as_bytes().to_vec()))).collect()
}

async fn event(events: &mut mpsc::Receiver<Event>) -> Event {
    tokio::time::timeout(LONG, events.recv()).await.expect("an event").expect("the server is there")
}

#[tokio::test]
async fn a_proxy_is_sent_its_groups_snapshot_and_tells_what_it_accepted() {
    let mut running = serve(Options::default()).await;
    let generation = running.server.publish("ns/gw", clusters(&["a", "b"]));
    let mut proxy = Proxy::connect(&running).await;
    proxy.hello(Kind::Cluster, "ns/gw").await;
    assert_eq!(proxy.accept().await, ["a", "b"]);
    let Event::Connected(peer) = event(&mut running.events).await else { panic!("not connected") };
    assert_eq!((&*peer.group, &*peer.node), ("ns/gw", "node of ns/gw"));
    let Event::Acked { accepted, .. } = event(&mut running.events).await else { panic!("not accepted") };
    assert_eq!(accepted.len(), 2);
    let synced = Event::Synced { peer: peer.clone(), generation, refused: vec![] };
    assert_eq!(event(&mut running.events).await, synced);
    drop(proxy);
    assert_eq!(event(&mut running.events).await, Event::Disconnected(peer));
    assert_eq!(running.server.metrics().streams, 0);
}

#[tokio::test]
async fn several_proxies_are_served_and_each_gets_only_its_group() {
    let running = serve(Options::default()).await;
    for group in ["one", "two"] {
        running.server.publish(group, clusters(&[group]));
    }
    let mut proxies = Vec::new();
    for group in ["one", "two", "one", "two"] {
        let mut proxy = Proxy::connect(&running).await;
        proxy.hello(Kind::Cluster, group).await;
        assert_eq!(proxy.accept().await, [group]);
        proxies.push(proxy);
    }
    running.server.publish("two", clusters(&["two", "more"]));
    assert_eq!(proxies[1].accept().await, ["more"]);
    assert_eq!(proxies[3].accept().await, ["more"]);
    assert_eq!(running.server.metrics().streams, 4);
}

#[tokio::test]
async fn a_proxy_of_an_unknown_group_waits_until_it_is_published() {
    let mut running = serve(Options::default()).await;
    let mut proxy = Proxy::connect(&running).await;
    proxy.hello(Kind::Cluster, "later").await;
    assert!(matches!(event(&mut running.events).await, Event::Connected(_)));
    running.server.publish("later", clusters(&["a"]));
    assert_eq!(proxy.accept().await, ["a"]);
}

#[tokio::test]
async fn a_forgotten_group_leaves_its_proxies_what_they_have() {
    let running = serve(Options::default()).await;
    running.server.publish("gw", clusters(&["a"]));
    let mut proxy = Proxy::connect(&running).await;
    proxy.hello(Kind::Cluster, "gw").await;
    proxy.accept().await;
    running.server.forget("gw");
    assert_eq!(running.server.snapshot("gw"), None);
    running.server.publish("gw", clusters(&["a", "b"]));
    assert_eq!(proxy.accept().await, ["b"]);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_words() {
    let mut running = serve(Options::default()).await;
    running.server.publish("gw", clusters(&["a"]));
    let mut proxy = Proxy::connect(&running).await;
    proxy.hello(Kind::Cluster, "gw").await;
    let response = proxy.next().await.unwrap().unwrap();
    let detail =
        envoy_types::pb::google::rpc::Status { code: 13, message: "no such thing".into(), details: vec![] };
    let refusal = pb::DeltaDiscoveryRequest {
        response_nonce: response.nonce,
        error_detail: Some(detail),
        ..ask(Kind::Cluster)
    };
    proxy.send(refusal).await;
    event(&mut running.events).await;
    let Event::Nacked { refused, .. } = event(&mut running.events).await else { panic!("not refused") };
    assert_eq!((&*refused.name, &*refused.message), ("a", "no such thing"));
    assert_eq!(running.server.metrics().nacks, 1);
}

#[tokio::test]
async fn a_node_without_a_group_is_refused() {
    let running = serve(Options::default()).await;
    let mut proxy = Proxy::connect(&running).await;
    proxy.send(ask(Kind::Cluster)).await;
    assert_eq!(proxy.next().await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(running.server.metrics().rejected_streams, 1);
}

#[tokio::test]
async fn garbage_types_and_nonces_are_counted_and_ignored() {
    let running = serve(Options::default()).await;
    running.server.publish("gw", clusters(&["a"]));
    let mut proxy = Proxy::connect(&running).await;
    let node = Node { cluster: "gw".into(), ..Default::default() };
    let garbage =
        pb::DeltaDiscoveryRequest { node: Some(node), type_url: "☃".repeat(1000), ..Default::default() };
    proxy.send(garbage).await;
    for nonce in ["1", "0", "-1", "18446744073709551616", "☃"] {
        proxy.send(pb::DeltaDiscoveryRequest { response_nonce: nonce.into(), ..ask(Kind::Endpoints) }).await;
    }
    proxy.send(ask(Kind::Cluster)).await;
    assert_eq!(proxy.accept().await, ["a"]);
    let metrics = running.server.metrics();
    assert_eq!((metrics.unknown_type_requests, metrics.stale_nonces), (1, 5));
}

#[tokio::test]
async fn a_stream_that_subscribes_to_too_much_is_ended_and_others_are_not() {
    let running = serve(Options { subscription_bytes: 10_000, ..Options::default() }).await;
    running.server.publish("gw", clusters(&["a"]));
    let mut greedy = Proxy::connect(&running).await;
    let mut modest = Proxy::connect(&running).await;
    greedy.hello(Kind::Routes, "gw").await;
    let names = (0..1000).map(|i| format!("name-{i}")).collect();
    greedy.send(pb::DeltaDiscoveryRequest { resource_names_subscribe: names, ..ask(Kind::Endpoints) }).await;
    assert_eq!(greedy.next().await.unwrap_err().code(), Code::ResourceExhausted);
    modest.hello(Kind::Cluster, "gw").await;
    assert_eq!(modest.accept().await, ["a"]);
}

#[tokio::test]
async fn a_request_that_is_too_large_ends_its_stream() {
    let running = serve(Options { request_bytes: 1000, ..Options::default() }).await;
    let mut proxy = Proxy::connect(&running).await;
    let versions = HashMap::from([("n".repeat(2000), String::new())]);
    proxy.send(pb::DeltaDiscoveryRequest { initial_resource_versions: versions, ..ask(Kind::Cluster) }).await;
    assert_eq!(proxy.next().await.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused_until_one_ends() {
    let mut running = serve(Options { streams: 1, ..Options::default() }).await;
    let only = Proxy::connect(&running).await;
    only.hello(Kind::Cluster, "gw").await;
    event(&mut running.events).await;
    let channel =
        Endpoint::from_shared(format!("http://{}", running.address)).unwrap().connect().await.unwrap();
    let refused = Proxy::over(channel.clone()).await.err().expect("refused");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    drop(only);
    while Proxy::over(channel.clone()).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_proxy_that_closes_its_half_is_let_go() {
    let mut running = serve(Options::default()).await;
    let mut proxy = Proxy::connect(&running).await;
    proxy.hello(Kind::Cluster, "gw").await;
    event(&mut running.events).await;
    proxy.requests = mpsc::channel(1).0;
    assert_eq!(proxy.next().await.unwrap(), None);
    assert!(matches!(event(&mut running.events).await, Event::Disconnected(_)));
}

#[tokio::test]
async fn a_proxy_that_reads_nothing_holds_nobody_up() {
    let running = serve(Options { response_bytes: 1 << 20, ..Options::default() }).await;
    let large = |version: u64| -> Snapshot {
        let body = vec![version.to_le_bytes()[0]; 4 << 20];
        (0..8).map(|i| (Kind::Cluster, Resource::new(format!("c{i}"), body.clone()))).collect()
    };
    running.server.publish("slow", large(1));
    running.server.publish("quick", clusters(&["0"]));
    let slow = Proxy::connect(&running).await;
    slow.hello(Kind::Cluster, "slow").await;
    let mut quick = Proxy::connect(&running).await;
    quick.hello(Kind::Cluster, "quick").await;
    assert_eq!(quick.accept().await, ["0"]);
    for version in 2..20 {
        running.server.publish("slow", large(version));
        let changed = [Resource::new("0", version.to_string())];
        running.server.publish("quick", Snapshot::default().with(Kind::Cluster, changed));
        assert_eq!(quick.accept().await, ["0"]);
    }
    // One response was composed for the slow one, however many snapshots there were.
    assert!(running.server.metrics().body_bytes < 8 << 20);
}

#[tokio::test]
async fn an_unanswered_response_is_gone_on_without_after_the_patience_is_spent() {
    let running = serve(Options { patience: Duration::from_millis(10), ..Options::default() }).await;
    let listener = (Kind::Listener, Resource::new("l", "l"));
    running.server.publish("gw", clusters(&["a"]).with(Kind::Listener, [listener.1]));
    let mut proxy = Proxy::connect(&running).await;
    proxy.hello(Kind::Cluster, "gw").await;
    proxy.send(ask(Kind::Listener)).await;
    assert_eq!(proxy.next().await.unwrap().unwrap().type_url, Kind::Cluster.type_url());
    assert_eq!(proxy.next().await.unwrap().unwrap().type_url, Kind::Listener.type_url());
}

#[tokio::test]
async fn shutdown_ends_the_streams_and_returns() {
    let mut running = serve(Options::default()).await;
    let mut proxy = Proxy::connect(&running).await;
    proxy.hello(Kind::Cluster, "gw").await;
    event(&mut running.events).await;
    running.shutdown.send(()).unwrap();
    assert_eq!(proxy.next().await.unwrap_err().code(), Code::Unavailable);
    tokio::time::timeout(LONG, running.serving).await.expect("it returns").unwrap();
    assert!(matches!(event(&mut running.events).await, Event::Disconnected(_)));
}

#[tokio::test]
async fn state_of_the_world_is_not_served() {
    let running = serve(Options::default()).await;
    let channel =
        Endpoint::from_shared(format!("http://{}", running.address)).unwrap().connect().await.unwrap();
    let none = tokio_stream::empty::<pb::DiscoveryRequest>();
    let refused = Client::new(channel).stream_aggregated_resources(none).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_unix_socket_serves_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xds.sock");
    let (server, _events) = Server::new(Options::default());
    server.publish("gw", clusters(&["a"]));
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move { server.serve_unix(listener, std::future::pending()).await });
    let channel = Endpoint::from_shared(format!("unix:{}", path.display())).unwrap().connect().await.unwrap();
    let mut proxy = Proxy::over(channel).await.unwrap();
    proxy.hello(Kind::Cluster, "gw").await;
    assert_eq!(proxy.accept().await, ["a"]);
}

/// The status that the server answers a report with.
async fn report(channel: &Channel, kind: &str, body: String) -> u16 {
    let request = http::Request::post(format!("http://xds{REPORTS}")).header("content-type", kind);
    let request = request.body(tonic::body::Body::new(body)).unwrap();
    let answer = tower::ServiceExt::oneshot(channel.clone(), request);
    tokio::time::timeout(LONG, answer).await.expect("an answer").unwrap().status().as_u16()
}

#[tokio::test]
async fn a_report_is_that_of_the_proxy_whose_stream_is_on_the_connection() {
    let mut running = serve(Options::default()).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", running.address)).unwrap();
    let (channel, other) = (endpoint.connect().await.unwrap(), endpoint.connect().await.unwrap());
    let json = "application/json";
    assert_eq!(report(&channel, json, "{}".into()).await, 403, "without a stream");
    running.server.publish("g", clusters(&["a"]));
    let mut proxy = Proxy::over(channel.clone()).await.unwrap();
    proxy.hello(Kind::Cluster, "g").await;
    proxy.accept().await;
    let Event::Connected(peer) = event(&mut running.events).await else { panic!("not connected") };
    assert_eq!(report(&other, json, "{}".into()).await, 403, "another connection");
    assert_eq!(report(&channel, "text/plain", "{}".into()).await, 415);
    assert_eq!(report(&channel, json, "x".repeat((256 << 10) + 1)).await, 413);
    assert_eq!(report(&channel, json, "{}".into()).await, 204);
    let reported = async {
        loop {
            if let Event::Reported { peer, body } = event(&mut running.events).await {
                return (peer, body);
            }
        }
    };
    assert_eq!(reported.await, (peer.clone(), "{}".into()));
    assert_eq!(running.server.metrics().reports, 1);
    drop(proxy);
    while event(&mut running.events).await != Event::Disconnected(peer.clone()) {}
    assert_eq!(report(&channel, json, "{}".into()).await, 403, "its stream has ended");
}
