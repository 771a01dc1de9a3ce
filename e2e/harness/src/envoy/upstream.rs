//! An upstream that answers as told and writes down, byte for byte, what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use super::http1::{self, Framing, Outgoing, Part, Reader};
use super::http2::{self, Rest};
use crate::case::{Answer, Lines, Protocol, ResetPoint};
use crate::seen::SeenRequest;

/// How long a request that is under way may take to end once nobody waits for its answer.
const SETTLING: Duration = Duration::from_secs(1);

/// How long a tunnel stays open for what still comes.
const TUNNEL: Duration = Duration::from_millis(100);

/// One upstream on a port of its own.
pub(super) struct Upstream {
    address: SocketAddr,
    script: Arc<Script>,
}

/// What to answer, and what was asked.
#[derive(Default)]
struct Script {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    seen: Vec<SeenRequest>,
    /// Requests whose end has not come.
    open: usize,
    /// Counts scripts, so that a late request of one does not show in the next.
    generation: usize,
}

/// A request under way.
struct Recording {
    script: Arc<Script>,
    generation: usize,
    at: usize,
}

impl Script {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a request's header section down; gives its answer, if there is one left.
    fn open(self: &Arc<Self>, request: SeenRequest) -> (Recording, Option<Answer>) {
        let mut state = self.state();
        state.seen.push(request);
        state.open += 1;
        let recording =
            Recording { script: self.clone(), generation: state.generation, at: state.seen.len() - 1 };
        (recording, state.answers.pop_front())
    }
}

impl Recording {
    fn take(&self, part: Part) {
        let mut state = self.script.state();
        if state.generation != self.generation {
            return;
        }
        let Some(request) = state.seen.get_mut(self.at) else { return };
        match part {
            Part::Body(bytes) => request.body.extend(bytes),
            Part::Trailers(lines) => request.trailers = lines,
            Part::End => request.complete = true,
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let mut state = self.script.state();
        if state.generation == self.generation {
            state.open -= 1;
        }
    }
}

impl Upstream {
    /// Listens on a free port of the loopback interface.
    pub(super) async fn start(protocol: Protocol) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, script) = (listener.local_addr()?, Arc::<Script>::default());
        let its = script.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let _ = connection.set_nodelay(true);
                match protocol {
                    Protocol::Http1 => tokio::spawn(serve_http1(connection, its.clone())),
                    Protocol::Http2 => tokio::spawn(serve_http2(connection, its.clone())),
                };
            }
        });
        Ok(Self { address, script })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forgets what it saw; answers the next requests so, further ones by a reset.
    pub(super) fn play(&self, answers: impl IntoIterator<Item = Answer>) {
        let mut state = self.script.state();
        let generation = state.generation + 1;
        *state = State { answers: answers.into_iter().collect(), generation, ..State::default() };
    }

    /// What it has seen, once the requests under way have ended.
    pub(super) async fn seen(&self) -> Vec<SeenRequest> {
        let until = Instant::now() + SETTLING;
        while self.script.state().open > 0 && Instant::now() < until {
            sleep(Duration::from_millis(2)).await;
        }
        self.script.state().seen.clone()
    }
}

fn head(method: String, path: String, mut lines: Lines, host: Option<String>) -> SeenRequest {
    let host = host.or_else(|| lines.text("host")).unwrap_or_default();
    lines.0.retain(|(name, _)| name != "host");
    SeenRequest { method, path, host, headers: lines, ..SeenRequest::default() }
}

async fn serve_http1(connection: TcpStream, script: Arc<Script>) {
    let (read, mut write) = connection.into_split();
    let mut reader = Reader::new(read);
    while let Ok(Some(request)) = reader.request_head().await {
        let method = request.method.clone();
        let mut framing = Framing::of(&request.lines, Framing::Length(0));
        let (recording, answer) = script.open(head(request.method, request.path, request.lines, None));
        let tunnel = answer.as_ref().is_some_and(Answer::opens_tunnel);
        if tunnel {
            framing = Framing::UntilClose;
        }
        let mut take = |part| recording.take(part);
        let early = answer.as_ref().is_some_and(|answer| answer.early);
        let answered = if early || tunnel {
            let answering = answer_http1(&mut write, answer, &method);
            tokio::join!(reader.content(framing, &mut take), answering).1
        } else {
            reader.content(framing, &mut take).await;
            drop(recording);
            answer_http1(&mut write, answer, &method).await
        };
        if answered.is_err() {
            return;
        }
    }
}

/// An error closes the connection.
async fn answer_http1(
    write: &mut (impl tokio::io::AsyncWrite + Unpin),
    answer: Option<Answer>,
    method: &str,
) -> std::io::Result<()> {
    let closed = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let answer = answer.ok_or_else(closed)?;
    prepare(&answer).await;
    if answer.reset == Some(ResetPoint::BeforeHeaders) {
        return Err(closed());
    }
    let lines = answer.lines(Protocol::Http1, method);
    let message = Outgoing {
        start: format!("HTTP/1.1 {} x", answer.status),
        lines: &lines,
        chunks: chunks(&answer, method),
        trailers: &answer.trailers,
        ends: answer.reset.is_none(),
    };
    http1::send(write, message).await?;
    if answer.opens_tunnel() {
        // Nothing tells the end of a tunnel but its close.
        sleep(TUNNEL).await;
        write.shutdown().await?;
    }
    if answer.reset.is_some() { Err(closed()) } else { Ok(()) }
}

async fn serve_http2(connection: TcpStream, script: Arc<Script>) {
    let Ok(mut connection) = h2::server::handshake(connection).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(exchange_http2(request, respond, script.clone()));
    }
}

async fn exchange_http2(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    script: Arc<Script>,
) {
    let (parts, body) = request.into_parts();
    let method = parts.method.to_string();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let host = parts.uri.authority().map(ToString::to_string);
    let (recording, answer) = script.open(head(method.clone(), path, http2::lines(&parts.headers), host));
    let mut take = |part| recording.take(part);
    if answer.as_ref().is_some_and(|answer| answer.early) {
        tokio::join!(http2::content(body, &mut take), answer_http2(&mut respond, answer, &method));
    } else {
        http2::content(body, &mut take).await;
        drop(recording);
        answer_http2(&mut respond, answer, &method).await;
    }
}

async fn answer_http2(respond: &mut h2::server::SendResponse<Bytes>, answer: Option<Answer>, method: &str) {
    let Some(answer) = answer else { return respond.send_reset(h2::Reason::REFUSED_STREAM) };
    prepare(&answer).await;
    if answer.reset == Some(ResetPoint::BeforeHeaders) {
        return respond.send_reset(h2::Reason::INTERNAL_ERROR);
    }
    let ends = answer.ends_with_headers(method);
    let Ok(headers) = http2::map(&answer.lines(Protocol::Http2, method)) else {
        return respond.send_reset(h2::Reason::INTERNAL_ERROR);
    };
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or_default();
    *response.headers_mut() = headers;
    let Ok(mut stream) = respond.send_response(response, ends) else { return };
    if ends {
        return;
    }
    let rest =
        Rest { chunks: chunks(&answer, method), trailers: &answer.trailers, ends: answer.reset.is_none() };
    // The peer may have gone, which then shows there.
    let _ = http2::send(&mut stream, rest).await;
    if answer.reset.is_some() {
        // Data that is still queued would be lost with the reset.
        sleep(http1::BETWEEN_CHUNKS).await;
        stream.send_reset(h2::Reason::INTERNAL_ERROR);
    }
}

/// Waits as long as the answer is to take; for ever if there is to be none.
async fn prepare(answer: &Answer) {
    if answer.silent {
        std::future::pending::<()>().await;
    }
    sleep(Duration::from_millis(answer.delay_ms)).await;
}

fn chunks<'a>(answer: &'a Answer, method: &str) -> &'a [Vec<u8>] {
    match &answer.body {
        Some(body) if method != "HEAD" && !matches!(answer.status, 204 | 304) => &body.chunks,
        _ => &[],
    }
}
