//! A connection, and which proxies have streams on it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tonic::transport::server::Connected;

use super::secure::Secured;
use crate::event::Peer;

/// A transport that may know who is at the other end.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The URI SANs of the other end's certificate; none without TLS.
    fn uris(&self) -> Arc<[String]>;
}

impl Transport for TcpStream {
    fn uris(&self) -> Arc<[String]> {
        Arc::default()
    }
}

impl Transport for UnixStream {
    fn uris(&self) -> Arc<[String]> {
        Arc::default()
    }
}

impl Transport for Secured {
    fn uris(&self) -> Arc<[String]> {
        Secured::uris(self)
    }
}

/// The other end of a connection, as every request of it knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Party {
    /// The URI SANs of its certificate.
    pub(super) uris: Arc<[String]>,
    peers: Arc<Mutex<Vec<Peer>>>,
}

impl Party {
    /// Who has a stream on this connection; the latest where there are several.
    pub(super) fn peer(&self) -> Option<Peer> {
        self.peers().last().cloned()
    }

    pub(super) fn join(&self, peer: Peer) {
        self.peers().push(peer);
    }

    pub(super) fn leave(&self, peer: &Peer) {
        self.peers().retain(|known| known != peer);
    }

    fn peers(&self) -> MutexGuard<'_, Vec<Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection.
pub(super) struct Line<IO> {
    transport: IO,
    party: Party,
}

impl<IO: Transport> Line<IO> {
    pub(super) fn new(transport: IO) -> Self {
        let party = Party { uris: transport.uris(), peers: Arc::default() };
        Self { transport, party }
    }
}

impl<IO: Transport> Connected for Line<IO> {
    type ConnectInfo = Party;

    fn connect_info(&self) -> Party {
        self.party.clone()
    }
}

impl<IO: Transport> AsyncRead for Line<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(cx, buffer)
    }
}

impl<IO: Transport> AsyncWrite for Line<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
