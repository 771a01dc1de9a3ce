//! A plain HTTP/1.1 server for a few endpoints.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::listen::Listener;

/// A request and its answer.
pub(crate) type Question = Request<Incoming>;
pub(crate) type Answer = Response<Full<Bytes>>;

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `answer` on `listener` until it is dropped.
pub(crate) async fn serve<F, R>(listener: Listener, answer: F)
where
    F: Fn(Question) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    loop {
        let accepted = match &listener {
            Listener::Tcp(tcp) => {
                tcp.accept().await.map(|(stream, _)| drop(tokio::spawn(converse(stream, answer.clone()))))
            }
            Listener::Unix(unix, _) => {
                unix.accept().await.map(|(stream, _)| drop(tokio::spawn(converse(stream, answer.clone()))))
            }
        };
        if let Err(error) = accepted {
            // Out of file descriptors, most likely: others will be closed.
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn converse<S, F, R>(stream: S, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Question) -> R,
    R: Future<Output = Answer>,
{
    let service = service_fn(|request| {
        let answered = answer(request);
        async { Ok::<_, Infallible>(answered.await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    // A client that breaks off is its own affair.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// An answer with a body of this type.
pub(crate) fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
