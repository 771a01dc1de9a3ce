//! The server over TLS: who is let in, what it is told, and what happens when certificates change or run out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3 as pb;
use ferrule_pki::{Authorities, Credentials, Lifetimes, authorize};
use ferrule_xds::{Kind, Options, Resource, Server, Snapshot, Tls, TlsMaterial};
use hyper_util::rt::TokioIo;
use pb::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

/// Only a failing test waits for it.
const LONG: Duration = Duration::from_secs(30);
const NAME: &str = "ferrule.example";

fn now() -> SystemTime {
    SystemTime::now()
}

fn authorities() -> Authorities {
    Authorities::create(now(), Lifetimes::default()).unwrap()
}

fn material(credentials: &Credentials) -> TlsMaterial<'_> {
    let Credentials { certificate, key, authorities, .. } = credentials;
    TlsMaterial { certificate, key, authorities }
}

struct Running {
    server: Server,
    tls: Tls,
    address: SocketAddr,
}

/// A server for proxies with certificates of these authorities, with a resource for `shop/web`.
async fn serve(authorities: &Authorities) -> Running {
    let group_of =
        |node: &ferrule_xds::Node| authorize(&node.uris, &node.cluster).map_err(|denied| denied.to_string());
    let (server, _) = Server::new(Options { group_of: Arc::new(group_of), ..Options::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = Tls::new(material(&authorities.server(now(), &[NAME.to_owned()]).unwrap())).unwrap();
    let (serve, its_tls) = (server.clone(), tls.clone());
    tokio::spawn(async move { serve.serve_tls(listener, its_tls, std::future::pending()).await });
    let cluster = Resource { name: "cluster".into(), version: 1, body: "body".into() };
    server.publish("shop/web", [(Kind::Cluster, cluster)].into_iter().collect::<Snapshot>());
    Running { server, tls, address }
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

async fn connect(
    address: SocketAddr,
    credentials: Option<&Credentials>,
    trust: &str,
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    certificates(trust).into_iter().for_each(|root| roots.add(root).unwrap());
    let config = ClientConfig::builder().with_root_certificates(roots);
    let mut config = match credentials {
        None => config.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            config.with_client_auth_cert(certificates(&own.certificate), key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(NAME.try_into().unwrap(), stream).await
}

/// What the server says to a client: with TLS 1.3 a refusal comes only after the client's side of the handshake.
async fn refusal(address: SocketAddr, credentials: Option<&Credentials>, trust: &str) -> String {
    let mut stream = match connect(address, credentials, trust).await {
        Ok(stream) => stream,
        Err(error) => return error.to_string(),
    };
    let read = tokio::time::timeout(LONG, stream.read(&mut [0; 64])).await.unwrap();
    read.map(|bytes| format!("let in, {bytes} bytes")).unwrap_or_else(|error| error.to_string())
}

async fn channel(address: SocketAddr, credentials: &Credentials) -> Channel {
    let credentials = credentials.clone();
    let connector = tower::service_fn(move |_| {
        let credentials = credentials.clone();
        async move { connect(address, Some(&credentials), &credentials.authorities).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://xds").connect_with_connector(connector).await.unwrap()
}

struct Proxy {
    _requests: mpsc::Sender<pb::DeltaDiscoveryRequest>,
    responses: Streaming<pb::DeltaDiscoveryResponse>,
}

/// Asks for clusters as a proxy of the Gateway `cluster`.
async fn ask(channel: &Channel, cluster: &str) -> Proxy {
    let (requests, receiver) = mpsc::channel(8);
    let node = Node { id: "proxy".into(), cluster: cluster.into(), ..Default::default() };
    let request = pb::DeltaDiscoveryRequest {
        node: Some(node),
        type_url: Kind::Cluster.type_url().into(),
        ..Default::default()
    };
    requests.send(request).await.unwrap();
    let mut client = AggregatedDiscoveryServiceClient::new(channel.clone());
    let responses =
        client.delta_aggregated_resources(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    Proxy { _requests: requests, responses }
}

impl Proxy {
    async fn next(&mut self) -> Result<Vec<String>, Status> {
        let next = tokio::time::timeout(LONG, self.responses.message()).await.expect("a response");
        let response = next?.expect("a response");
        Ok(response.resources.into_iter().map(|resource| resource.name).collect())
    }
}

#[tokio::test]
async fn a_proxy_gets_the_resources_of_the_gateway_that_its_certificate_names_and_no_others() {
    let authorities = authorities();
    let running = serve(&authorities).await;
    let web = channel(running.address, &authorities.client(now(), "shop", "web").unwrap()).await;
    assert_eq!(ask(&web, "shop/web").await.next().await.unwrap(), ["cluster"]);
    let other = channel(running.address, &authorities.client(now(), "shop", "other").unwrap()).await;
    let denied = ask(&other, "shop/web").await.next().await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    let words = "no group for node \"proxy\": node.cluster is \"shop/web\", \
                 but the client certificate is of Gateway \"shop/other\"";
    assert_eq!(denied.message(), words);
    assert_eq!(running.server.metrics().rejected_streams, 1);
}

#[tokio::test]
async fn clients_that_cannot_be_trusted_are_not_let_in() {
    let authorities = authorities();
    let running = serve(&authorities).await;
    let trust = authorities.bundle();
    let refused =
        async |credentials: Option<&Credentials>| refusal(running.address, credentials, &trust).await;
    assert!(refused(None).await.contains("CertificateRequired"), "without a certificate");
    let yesterday = now() - Duration::from_secs(2 * 24 * 3600);
    let expired = authorities.client(yesterday, "shop", "web").unwrap();
    assert!(refused(Some(&expired)).await.contains("CertificateExpired"), "with an old certificate");
    let foreign = self::authorities().client(now(), "shop", "web").unwrap();
    let words = refused(Some(&foreign)).await;
    assert!(words.contains("received fatal alert"), "with somebody else's certificate: {words}");
    let server = authorities.server(now(), &[NAME.to_owned()]).unwrap();
    let words = refused(Some(&server)).await;
    assert!(words.contains("received fatal alert"), "with a server's certificate: {words}");
    assert_eq!(running.server.metrics().failed_handshakes, 4);
}

#[tokio::test]
async fn the_servers_credentials_are_replaced_while_streams_go_on() {
    let old = authorities();
    let running = serve(&old).await;
    let before = channel(running.address, &old.client(now(), "shop", "web").unwrap()).await;
    let mut stream = ask(&before, "shop/web").await;
    stream.next().await.unwrap();
    let new = authorities();
    running.tls.replace(material(&new.server(now(), &[NAME.to_owned()]).unwrap())).unwrap();
    let after = channel(running.address, &new.client(now(), "shop", "web").unwrap()).await;
    assert_eq!(ask(&after, "shop/web").await.next().await.unwrap(), ["cluster"]);
    let old_client = old.client(now(), "shop", "web").unwrap();
    let words = refusal(running.address, Some(&old_client), &new.bundle()).await;
    assert!(words.contains("received fatal alert"), "{words}");
    // The second of two streams on the connection of before.
    assert_eq!(ask(&before, "shop/web").await.next().await.unwrap(), ["cluster"]);
}

#[tokio::test]
async fn credentials_that_cannot_be_used_leave_the_ones_before() {
    let authorities = authorities();
    let running = serve(&authorities).await;
    let good = authorities.server(now(), &[NAME.to_owned()]).unwrap();
    let other = authorities.server(now(), &[NAME.to_owned()]).unwrap();
    let broken = [
        TlsMaterial { certificate: "", ..material(&good) },
        TlsMaterial { key: "", ..material(&good) },
        TlsMaterial { key: &other.key, ..material(&good) },
        TlsMaterial { authorities: "", ..material(&good) },
        TlsMaterial {
            authorities: "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            ..material(&good)
        },
    ];
    for broken in broken {
        running.tls.replace(broken).unwrap_err();
    }
    let web = channel(running.address, &authorities.client(now(), "shop", "web").unwrap()).await;
    assert_eq!(ask(&web, "shop/web").await.next().await.unwrap(), ["cluster"]);
}

#[tokio::test]
async fn a_connection_ends_with_the_certificate_that_opened_it() {
    let authorities = authorities();
    let running = serve(&authorities).await;
    // Issued so long ago that a second or two are left.
    let almost = now() - Lifetimes::default().credentials + Duration::from_secs(2);
    let web = channel(running.address, &authorities.client(almost, "shop", "web").unwrap()).await;
    let mut stream = ask(&web, "shop/web").await;
    assert_eq!(stream.next().await.unwrap(), ["cluster"]);
    let ended = tokio::time::timeout(LONG, stream.responses.message()).await.expect("the connection ends");
    assert!(ended.is_err(), "{ended:?}");
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_handshake_holds_up_nobody() {
    let authorities = authorities();
    let running = serve(&authorities).await;
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(TcpStream::connect(running.address).await.unwrap());
    }
    let web = channel(running.address, &authorities.client(now(), "shop", "web").unwrap()).await;
    assert_eq!(ask(&web, "shop/web").await.next().await.unwrap(), ["cluster"]);
}
