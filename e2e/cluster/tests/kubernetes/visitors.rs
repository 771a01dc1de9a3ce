//! Clients that ask without pause and count what fails.
//!
//! A connection that the server closes, or says it will close, between two requests is no failure; anything but a 200 is, and
//! so is a request that gets no answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::http::HeaderMap;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::stage::eventually;

/// Between two requests of a visitor.
const PAUSE: Duration = Duration::from_millis(5);
/// How long an answer may take; a proxy that hangs is one that fails.
const PATIENCE: Duration = Duration::from_secs(15);

/// What to ask for.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    /// Speaks TLS to it, on a connection for each request.
    pub(crate) tls: Option<TlsConnector>,
}

impl Target {
    /// Port 80 of an address.
    pub(crate) fn http(address: &str, host: &str) -> Self {
        Self {
            address: (address.parse::<std::net::IpAddr>().unwrap(), 80).into(),
            host: host.to_owned(),
            tls: None,
        }
    }

    /// Port 443 of an address.
    pub(crate) fn https(address: &str, host: &str, tls: TlsConnector) -> Self {
        let address = (address.parse::<std::net::IpAddr>().unwrap(), 443).into();
        Self { address, host: host.to_owned(), tls: Some(tls) }
    }

    /// The status of an answer.
    pub(crate) async fn ask(&self) -> Result<u16, String> {
        self.get("/", &[]).await.map(|answer| answer.status)
    }

    /// The answer to a GET request.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        self.fetch(Method::GET, path, headers, "").await
    }

    /// The answer to any request, on a connection of its own.
    pub(crate) async fn fetch(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let mut connection = self.connect().await?;
        send(&mut connection, request).await
    }

    /// Waits until it answers with a status.
    pub(crate) async fn answers(&self, status: u16) {
        eventually(&format!("{} answers {status}", self.host), async || {
            (self.ask().await == Ok(status)).then_some(())
        })
        .await;
    }

    async fn connect(&self) -> Result<Connection, String> {
        let stream =
            TcpStream::connect(self.address).await.map_err(|error| format!("connecting: {error}"))?;
        match &self.tls {
            None => handshake(stream).await,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).unwrap();
                handshake(tls.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?).await
            }
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// A field of its head.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Its body.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// What the echo server saw, as it tells; null if it is another's answer.
    pub(crate) fn saw(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

async fn send(connection: &mut Connection, request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let answer = async {
        let answer = connection.send_request(request).await.map_err(|error| format!("asking: {error}"))?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|error| format!("reading: {error}"))?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    };
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err("no answer".to_owned()))
}

type Connection = SendRequest<Full<Bytes>>;

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Connection, String> {
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| format!("connecting: {error}"))?;
    tokio::spawn(connection);
    Ok(sender)
}

/// What they saw.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    pub(crate) failures: Vec<String>,
}

/// Several that ask for the same.
pub(crate) struct Visitors {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<Tally>>,
}

impl Visitors {
    /// They begin when the target answers.
    pub(crate) async fn start(count: usize, target: &Target) -> Self {
        target.answers(200).await;
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let start = |_| tokio::spawn(visit(target.clone(), stop.clone(), answered.clone()));
        let tasks = (0..count).map(start).collect();
        Self { stop, answered, tasks }
    }

    /// Waits until they have had `count` more answers.
    pub(crate) async fn answered(&self, count: u64) {
        let goal = self.answered.load(Ordering::Relaxed) + count;
        eventually("answers", async || (self.answered.load(Ordering::Relaxed) >= goal).then_some(())).await;
    }

    /// Ends them; fails if a single request did.
    pub(crate) async fn leave_content(self) -> u64 {
        let tally = self.leave().await;
        let (failed, first) = (tally.failures.len(), &tally.failures[..tally.failures.len().min(10)]);
        assert!(failed == 0, "{failed} of {} requests failed: {first:?}", tally.answered + failed as u64);
        tally.answered
    }

    async fn leave(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut whole = Tally::default();
        for task in self.tasks {
            let one = task.await.unwrap();
            whole.answered += one.answered;
            whole.failures.extend(one.failures);
        }
        whole
    }
}

async fn visit(target: Target, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>) -> Tally {
    let mut tally = Tally::default();
    let mut kept: Option<Connection> = None;
    while !stop.load(Ordering::Relaxed) {
        match turn(&target, &mut kept).await {
            Ok(200) => {
                tally.answered += 1;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(status) => tally.failures.push(status.to_string()),
            Err(error) => tally.failures.push(error),
        }
        tokio::time::sleep(PAUSE).await;
    }
    tally
}

/// One request, on the connection that was kept if it still stands.
async fn turn(target: &Target, kept: &mut Option<Connection>) -> Result<u16, String> {
    let mut connection = match still_open(kept.take()).await {
        Some(connection) => connection,
        None => target.connect().await?,
    };
    let request = Request::get("/").header("host", &target.host).body(Full::default()).unwrap();
    let answer = send(&mut connection, request).await?;
    let is_of_use = answer.header("connection") != Some("close") && target.tls.is_none();
    *kept = Some(connection).filter(|_| is_of_use);
    Ok(answer.status)
}

async fn still_open(kept: Option<Connection>) -> Option<Connection> {
    let mut connection = kept?;
    connection.ready().await.ok().map(|()| connection)
}
