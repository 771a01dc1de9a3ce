//! A control plane in this process and stock Envoys that are connected to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use envoy_bootstrap::{Address, Admin, Bootstrap, Envoy, Launch, fetch};
use ferrule_xds::{Event, Kind, Options, Refused, Server, Snapshot};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::resources::Item;

/// Far beyond what anything here takes; only a failing test waits for it.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Control {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    events: Arc<(Mutex<Vec<Event>>, Notify)>,
    shutdown: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Control {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        // Patience that no working test needs: an order that depends on it would show as a time-out.
        let options = Options { patience: 2 * LONG, ..Options::default() };
        let (server, mut receiver) = Server::new(options);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, stopped) = oneshot::channel();
        let serve = server.clone();
        let serving = tokio::spawn(async move {
            serve.serve_tcp(listener, async { stopped.await.unwrap_or_default() }).await.unwrap();
        });
        let events = Arc::new((Mutex::new(Vec::new()), Notify::new()));
        let sink = events.clone();
        tokio::spawn(async move {
            while let Some(event) = receiver.recv().await {
                sink.0.lock().unwrap().push(event);
                sink.1.notify_waiters();
            }
        });
        Self { server, address, events, shutdown, serving }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.send(()).unwrap();
        self.serving.await.unwrap();
    }

    pub(crate) fn publish(&self, group: &str, items: impl IntoIterator<Item = Item>) -> u64 {
        self.server.publish(group, items.into_iter().collect::<Snapshot>())
    }

    /// Publishes and waits until a proxy of the group has settled on it; returns what it refuses.
    pub(crate) async fn settle(&self, group: &str, items: impl IntoIterator<Item = Item>) -> Vec<Refused> {
        let generation = self.publish(group, items);
        self.synced(generation).await
    }

    pub(crate) async fn synced(&self, wanted: u64) -> Vec<Refused> {
        self.event(|event| match event {
            Event::Synced { generation, refused, .. } if *generation == wanted => Some(refused.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the first event, of the past too, that `pick` picks.
    pub(crate) async fn event<T>(&self, pick: impl Fn(&Event) -> Option<T>) -> T {
        let found = async {
            loop {
                let told = self.events.1.notified();
                if let Some(found) = self.events.0.lock().unwrap().iter().find_map(&pick) {
                    return found;
                }
                told.await;
            }
        };
        tokio::time::timeout(LONG, found)
            .await
            .unwrap_or_else(|_| panic!("no such event: {:#?}", self.events()))
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.0.lock().unwrap().clone()
    }

    /// The responses accepted so far, as kind, names added, names removed.
    pub(crate) fn accepted(&self) -> Vec<(Kind, Vec<String>, Vec<String>)> {
        let of = |event: Event| match event {
            Event::Acked { kind, accepted, removed, .. } => {
                let accepted = accepted.iter().map(|(name, _)| name.to_string()).collect();
                Some((kind, accepted, removed.iter().map(ToString::to_string).collect()))
            }
            _ => None,
        };
        self.events().into_iter().filter_map(of).collect()
    }
}

/// Starts a stock Envoy of the group.
pub(crate) async fn envoy(control: &Control, node: &str, group: &str) -> Envoy {
    let ads = Address::loopback(control.address.port());
    let bootstrap = Bootstrap::new(node, group, ads, Address::loopback(0));
    tokio::task::spawn_blocking(move || {
        let mut launch = Launch::new(fetch().unwrap(), bootstrap.to_yaml());
        launch.concurrency = Some(1);
        launch.component_log_level = Some("config:debug,upstream:debug".to_owned());
        launch.spawn().unwrap()
    })
    .await
    .unwrap()
}

pub(crate) async fn ready(envoy: Envoy) -> (Envoy, Admin) {
    tokio::task::spawn_blocking(move || {
        let admin = envoy.wait_until_ready(LONG).unwrap();
        (envoy, admin)
    })
    .await
    .unwrap()
}

/// The value of a counter or gauge; 0 if Envoy does not have it yet.
pub(crate) fn stat(admin: &Admin, name: &str) -> u64 {
    let answer = admin.get(&format!("/stats?filter=^{}$", name.replace('.', "\\."))).unwrap();
    answer.body.trim().rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0)
}
