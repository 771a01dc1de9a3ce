//! Connections over TLS: handshakes beside each other, and who is at the other end.
//!
//! Invariants: a client that is slow with its handshake holds up nobody; a connection lasts no longer than the
//! certificate that opened it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Shared;
use crate::event::count;
use crate::tls::Tls;

/// Handshakes at once.
const HANDSHAKES: usize = 512;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// After the kernel had no connection to give, as when files have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The connections of a listener whose handshakes succeed.
pub(super) fn incoming(
    listener: TcpListener,
    tls: Tls,
    shared: Arc<Shared>,
) -> impl Stream<Item = io::Result<Secured>> {
    let (connections, receiver) = mpsc::channel(1);
    tokio::spawn(accept(listener, tls, shared, connections));
    ReceiverStream::new(receiver)
}

type Connections = mpsc::Sender<io::Result<Secured>>;

/// Accepts until nobody takes connections any more.
async fn accept(listener: TcpListener, tls: Tls, shared: Arc<Shared>, connections: Connections) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    while let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = connections.closed() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let acceptor = TlsAcceptor::from(tls.config());
                tokio::spawn(shake(stream, acceptor, Arc::clone(&shared), connections.clone(), permit));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting an xDS connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn shake(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    shared: Arc<Shared>,
    connections: Connections,
    permit: OwnedSemaphorePermit,
) {
    let peer = stream.peer_addr();
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no handshake in time");
    let shaken = timeout(HANDSHAKE_TIMEOUT, secure(stream, acceptor)).await.unwrap_or_else(|_| Err(late()));
    drop(permit);
    match shaken {
        // An error means that the server has stopped.
        Ok(secured) => drop(connections.send(Ok(secured)).await),
        Err(error) => {
            count(&shared.counters.failed_handshakes, 1);
            // Who only looks whether the port is open says nothing.
            if error.kind() == io::ErrorKind::UnexpectedEof {
                tracing::debug!(?peer, %error, "no xDS connection");
            } else {
                tracing::info!(?peer, %error, "no xDS connection: the TLS handshake failed");
            }
        }
    }
}

async fn secure(stream: TcpStream, acceptor: TlsAcceptor) -> io::Result<Secured> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or_default();
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the client's certificate cannot be read");
    let (uris, left) = chain.first().and_then(|leaf| read(leaf)).ok_or_else(invalid)?;
    Ok(Secured { stream, uris, expiry: Box::pin(sleep(left)) })
}

/// The URI SANs of a certificate, and how long it is valid from now.
fn read(certificate: &[u8]) -> Option<(Arc<[String]>, Duration)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok()?;
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let uris = names.filter_map(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    });
    let end = Duration::from_secs(u64::try_from(certificate.validity().not_after.timestamp()).ok()?);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some((uris.collect(), end.saturating_sub(now)))
}

/// A connection over TLS. Once the client's certificate has run out, it breaks; the client comes back with another.
pub(super) struct Secured {
    stream: TlsStream<TcpStream>,
    uris: Arc<[String]>,
    expiry: Pin<Box<Sleep>>,
}

impl Secured {
    /// The URI SANs of the client's certificate.
    pub(super) fn uris(&self) -> Arc<[String]> {
        Arc::clone(&self.uris)
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.expiry.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::Error::other("the client's certificate has run out")));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
