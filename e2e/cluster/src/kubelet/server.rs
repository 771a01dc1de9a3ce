//! What the API server asks the node: containers' logs, over mutual TLS.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::StreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use k8s_openapi::jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::Machine;
use super::logs::{self, Selection};
use crate::certificates::Certificates;

/// The kubelet's port.
pub(super) const PORT: u16 = 10250;

/// How often a log that is followed is looked at.
const FOLLOW: Duration = Duration::from_millis(200);

type Body = BoxBody<Bytes, Infallible>;

/// Serves logs.
pub(super) struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    machine: Arc<Machine>,
}

impl Server {
    /// Listens on the node's address.
    ///
    /// # Errors
    /// The address is taken, or the certificates are broken.
    pub(super) async fn bind(machine: &Arc<Machine>, certificates: &Certificates) -> anyhow::Result<Self> {
        let mut authorities = RootCertStore::empty();
        authorities.add(CertificateDer::from_pem_file(certificates.path("ca.crt"))?)?;
        let clients = WebPkiClientVerifier::builder(Arc::new(authorities)).build()?;
        let chain = vec![CertificateDer::from_pem_file(certificates.path("kubelet.crt"))?];
        let key = PrivateKeyDer::from_pem_file(certificates.path("kubelet.key"))?;
        let config =
            ServerConfig::builder().with_client_cert_verifier(clients).with_single_cert(chain, key)?;
        let address = (machine.plan.node(), PORT);
        let listener = TcpListener::bind(address).await.context("listening for the API server")?;
        Ok(Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)), machine: machine.clone() })
    }

    /// Serves for ever.
    pub(super) async fn serve(self) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(self.connection(stream))),
                Err(error) => {
                    tracing::warn!("accepting connections of the API server: {error}");
                    tokio::time::sleep(FOLLOW).await;
                }
            }
        }
    }

    fn connection(&self, stream: TcpStream) -> impl Future<Output = ()> + use<> {
        let (acceptor, machine) = (self.acceptor.clone(), self.machine.clone());
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| {
                let machine = machine.clone();
                async move { Ok::<_, Infallible>(answer(&machine, &request).await) }
            });
            // A client that goes away is no error of ours.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        }
    }
}

async fn answer(machine: &Machine, request: &Request<Incoming>) -> Response<Body> {
    let parts: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
    let ["containerLogs", namespace, pod, container] = parts[..] else {
        return plain(StatusCode::NOT_FOUND, "only /containerLogs/NAMESPACE/POD/CONTAINER is served here");
    };
    let selection = Selection::of_query(request.uri().query().unwrap_or_default(), Timestamp::now());
    let Some(path) = find(machine, namespace, pod, container, selection.previous) else {
        return plain(StatusCode::NOT_FOUND, &format!("no log of {container} in {namespace}/{pod}"));
    };
    let text = tokio::fs::read(&path).await.unwrap_or_default();
    let mut read = text.len();
    let first = selection.select(&String::from_utf8_lossy(&text));
    if !selection.follow {
        return plain(StatusCode::OK, &first);
    }
    let shown = Selection { timestamps: selection.timestamps, ..Selection::default() };
    let later = async_stream(path, move |text: &[u8]| {
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1).max(read);
        let fresh = shown.select(&String::from_utf8_lossy(&text[read..whole]));
        read = whole;
        fresh
    });
    let start = futures::stream::once(async move { first });
    let frames = start.chain(later).map(|text| Ok(Frame::data(Bytes::from(text))));
    Response::new(BodyExt::boxed(StreamBody::new(frames)))
}

/// What a file gains, until it is gone.
fn async_stream(
    path: std::path::PathBuf,
    fresh: impl FnMut(&[u8]) -> String + Send + Sync + 'static,
) -> impl futures::Stream<Item = String> + Send + Sync {
    futures::stream::unfold((path, fresh), |(path, mut fresh)| async move {
        loop {
            tokio::time::sleep(FOLLOW).await;
            let text = tokio::fs::read(&path).await.ok()?;
            let new = fresh(&text);
            if !new.is_empty() {
                return Some((new, (path, fresh)));
            }
        }
    })
}

fn find(
    machine: &Machine,
    namespace: &str,
    pod: &str,
    container: &str,
    previous: bool,
) -> Option<std::path::PathBuf> {
    let start = format!("{namespace}_{pod}_");
    let folders = std::fs::read_dir(&machine.folder).ok()?.filter_map(Result::ok);
    let ours = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with(&start));
    ours.filter_map(|folder| logs::find(&folder.path(), container, previous)).last()
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text.to_owned())).boxed());
    *response.status_mut() = status;
    response
}
