//! Stock Envoy and the xDS server over mutual TLS: who is served, and how certificates are replaced under way.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::resources::eds_cluster;
use envoy_bootstrap::{Address, Bootstrap, Envoy, Launch, XdsTls, fetch};
use ferrule_pki::{Authorities, Credentials, Lifetimes, authorize};
use ferrule_xds::{Event, Options, Server, Snapshot, Tls, TlsMaterial};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Only a failing test waits for it.
const LONG: Duration = Duration::from_secs(60);
const NAME: &str = "ferrule.example";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> SystemTime {
    SystemTime::now()
}

/// Of `days` ago, with credentials that live for a day.
fn authorities(days: u32) -> Authorities {
    Authorities::create(now() - days * DAY, Lifetimes::default()).unwrap()
}

/// A folder whose files are replaced all at once, as a kubelet replaces those of a mounted Secret.
struct Mounted {
    folder: TempDir,
    versions: u32,
}

impl Mounted {
    fn new(credentials: &Credentials) -> Self {
        let mut mounted = Self { folder: tempfile::tempdir().unwrap(), versions: 0 };
        mounted.put(credentials);
        for file in credentials.data().keys() {
            symlink(Path::new("..data").join(file), mounted.path().join(file)).unwrap();
        }
        mounted
    }

    fn put(&mut self, credentials: &Credentials) {
        self.versions += 1;
        let version = format!("..version-{}", self.versions);
        fs::create_dir(self.path().join(&version)).unwrap();
        for (file, content) in credentials.data() {
            fs::write(self.path().join(&version).join(file), content).unwrap();
        }
        symlink(&version, self.path().join("..data_tmp")).unwrap();
        fs::rename(self.path().join("..data_tmp"), self.path().join("..data")).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The server, serving.
struct Control {
    server: Server,
    events: mpsc::Receiver<Event>,
    tls: Tls,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

fn with_server<T>(authorities: &Authorities, using: impl Fn(TlsMaterial<'_>) -> T) -> T {
    let own = authorities.server(now(), &[NAME.to_owned()]).unwrap();
    let Credentials { certificate, key, authorities, .. } = &own;
    using(TlsMaterial { certificate, key, authorities })
}

impl Control {
    async fn start(authorities: &Authorities, address: &str) -> Self {
        let group_of = |node: &ferrule_xds::Node| {
            authorize(&node.uris, &node.cluster).map_err(|denied| denied.to_string())
        };
        let (server, events) = Server::new(Options { group_of: Arc::new(group_of), ..Options::default() });
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = with_server(authorities, |material| Tls::new(material).unwrap());
        let (stop, stopped) = oneshot::channel();
        let (serve, its_tls) = (server.clone(), tls.clone());
        let serving = tokio::spawn(async move {
            serve.serve_tls(listener, its_tls, async { stopped.await.unwrap_or_default() }).await.unwrap();
        });
        Self { server, events, tls, address, stop, serving }
    }

    async fn stop(self) -> String {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
        self.address.to_string()
    }

    /// The next event that `pick` picks.
    async fn event<T>(&mut self, pick: impl Fn(Event) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = pick(self.events.recv().await.unwrap()) {
                    return found;
                }
            }
        };
        tokio::time::timeout(LONG, found).await.expect("such an event")
    }

    /// Publishes a cluster of that name and waits until a proxy has it; the stream must not end meanwhile.
    async fn publish(&mut self, cluster: &str) {
        let snapshot: Snapshot = [eds_cluster(cluster, 1)].into_iter().collect();
        let wanted = self.server.publish("shop/web", snapshot);
        self.event(|event| match event {
            Event::Synced { generation, refused, .. } if generation == wanted => {
                assert_eq!(refused, []);
                Some(())
            }
            Event::Disconnected(peer) => panic!("{peer} has gone"),
            _ => None,
        })
        .await;
    }

    /// Waits until a counter is not 0.
    async fn counted(&self, counter: impl Fn(&Server) -> u64) {
        let counted = async {
            while counter(&self.server) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LONG, counted).await.expect("is counted");
    }
}

/// Starts a stock Envoy of `cluster` that has the credentials of a mounted Secret.
async fn envoy(control: &Control, cluster: &str, mounted: &Mounted) -> (Envoy, TempDir) {
    let sds = tempfile::tempdir().unwrap();
    let tls = XdsTls {
        credentials: mounted.path().to_owned(),
        sds: sds.path().to_owned(),
        server_name: NAME.to_owned(),
    };
    for (file, content) in tls.files() {
        fs::write(sds.path().join(file), content).unwrap();
    }
    let ads = Address::loopback(control.address.port());
    let bootstrap =
        Bootstrap { tls: Some(tls), ..Bootstrap::new("proxy", cluster, ads, Address::loopback(0)) };
    let envoy = tokio::task::spawn_blocking(move || {
        let mut launch = Launch::new(fetch().unwrap(), bootstrap.to_yaml());
        launch.concurrency = Some(1);
        launch.spawn().unwrap()
    });
    (envoy.await.unwrap(), sds)
}

/// How often Envoy has taken new credentials towards the controller.
fn updates(envoy: &Envoy) -> u64 {
    let stats = envoy.admin().unwrap().get("/stats?filter=xds_cluster.*ssl_context_update_by_sds").unwrap();
    let values = stats.body.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    values.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_goes_on_while_its_certificate_is_replaced_and_comes_back_with_the_new_one() {
    let old = authorities(40);
    let mut control = Control::start(&old, "127.0.0.1:0").await;
    let mut mounted = Mounted::new(&old.client(now(), "shop", "web").unwrap());
    let (envoy, _sds) = envoy(&control, "shop/web", &mounted).await;
    control.publish("first").await;

    let new = authorities(2);
    let own = new.client(now(), "shop", "web").unwrap();
    let before = tokio::task::block_in_place(|| updates(&envoy));
    // During the overlap each side trusts both authorities.
    let both = Credentials { authorities: format!("{}{}", old.bundle(), new.bundle()), ..own };
    mounted.put(&both);
    with_server(&new, |material| control.tls.replace(material)).unwrap();
    control.publish("second").await;

    let updated = async {
        while tokio::task::block_in_place(|| updates(&envoy)) == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, updated).await.expect("Envoy reads what was replaced");
    let address = control.stop().await;
    // This one knows nothing of the old authority.
    let mut control = Control::start(&new, &address).await;
    control.publish("third").await;
    assert_eq!(control.server.metrics().rejected_streams, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_another_gateway_is_refused_in_words() {
    let authorities = authorities(2);
    let control = Control::start(&authorities, "127.0.0.1:0").await;
    control.server.publish("shop/web", [eds_cluster("secret", 1)].into_iter().collect());
    let mounted = Mounted::new(&authorities.client(now(), "shop", "other").unwrap());
    let (envoy, _sds) = envoy(&control, "shop/web", &mounted).await;
    control.counted(|server| server.metrics().rejected_streams).await;
    let log = envoy.log().clone();
    let refused = |line: &str| line.contains("stream to xds_cluster closed: 7, ");
    let told = tokio::task::spawn_blocking(move || (log.wait(0, LONG, refused), log.since(0)));
    let (told, lines) = told.await.unwrap();
    let words = lines.iter().any(|line| refused(line) && line.contains("shop/other"));
    assert!(told && words, "Envoy's log says why: {lines:#?}");
    assert_eq!(control.server.metrics().resources, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_whose_certificate_has_run_out_is_refused() {
    let authorities = authorities(5);
    let control = Control::start(&authorities, "127.0.0.1:0").await;
    let mounted = Mounted::new(&authorities.client(now() - 2 * DAY, "shop", "web").unwrap());
    let (_envoy, _sds) = envoy(&control, "shop/web", &mounted).await;
    control.counted(|server| server.metrics().failed_handshakes).await;
    assert_eq!(control.server.metrics().requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_talks_to_no_server_of_another_name_or_authority() {
    let authorities = authorities(2);
    let control = Control::start(&authorities, "127.0.0.1:0").await;
    let own = authorities.client(now(), "shop", "web").unwrap();
    let stranger = Mounted::new(&Credentials { authorities: self::authorities(2).bundle(), ..own.clone() });
    let (_envoy, _sds) = envoy(&control, "shop/web", &stranger).await;
    control.counted(|server| server.metrics().failed_handshakes).await;

    let other = authorities.server(now(), &["other.example".to_owned()]).unwrap();
    let Credentials { certificate, key, authorities: trust, .. } = &other;
    let control = Control::start(&authorities, "127.0.0.1:0").await;
    control.tls.replace(TlsMaterial { certificate, key, authorities: trust }).unwrap();
    let (_envoy, _sds) = envoy(&control, "shop/web", &Mounted::new(&own)).await;
    control.counted(|server| server.metrics().failed_handshakes).await;
    assert_eq!(control.server.metrics().requests, 0);
}
