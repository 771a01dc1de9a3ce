//! A closed loop of HTTP/1.1 clients: sends one prepared request over and over and reads each answer to its end.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Connections that are open at a time.
const CONNECTIONS: usize = 4;

/// Sends `requests` requests to `address`, spread over the connections, each answered with 200.
///
/// # Errors
/// A refused connection, a closed one, or a status other than 200.
pub(crate) async fn run(address: SocketAddr, request: &[u8], requests: usize) -> Result<()> {
    let request = request.to_vec();
    run_each(address, requests, move |_, bytes| bytes.extend_from_slice(&request)).await
}

/// The same where `request` writes the bytes of each, by its number from 0 on.
///
/// # Errors
/// As of [`run`].
pub(crate) async fn run_each(
    address: SocketAddr,
    requests: usize,
    request: impl Fn(usize, &mut Vec<u8>) + Send + Sync + 'static,
) -> Result<()> {
    run_checked(address, 0..requests, request, |_, _| Ok(())).await
}

/// The same for requests of these numbers, where `check` is shown each answer.
///
/// # Errors
/// As of [`run`], and what `check` says.
pub(crate) async fn run_checked(
    address: SocketAddr,
    numbers: Range<usize>,
    request: impl Fn(usize, &mut Vec<u8>) + Send + Sync + 'static,
    check: impl Fn(usize, &[u8]) -> Result<()> + Send + Sync + 'static,
) -> Result<()> {
    let calls = Arc::new((request, check));
    let mut clients = tokio::task::JoinSet::new();
    for first in 0..CONNECTIONS {
        let (calls, numbers) = (Arc::clone(&calls), numbers.clone().skip(first).step_by(CONNECTIONS));
        clients.spawn(async move {
            let mut client = Client::connect(address).await?;
            let mut bytes = Vec::new();
            for number in numbers {
                bytes.clear();
                (calls.0)(number, &mut bytes);
                client.ask(&bytes).await?;
                (calls.1)(number, &client.answer)?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    /// The last answer, head and body.
    answer: Vec<u8>,
}

impl Client {
    /// # Errors
    /// The connection is refused.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self { stream: connect(address).await?, answer: Vec::with_capacity(128 * 1024) })
    }

    /// Sends a request, and reads its answer to the end.
    ///
    /// # Errors
    /// The connection is closed, or the status is another than 200.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        read_answer(&mut self.stream, &mut self.answer).await.map(drop)
    }
}

/// Sends one request and gives the head of its answer in lower case.
///
/// # Errors
/// As of [`run`].
pub(crate) async fn once(address: SocketAddr, request: &[u8]) -> Result<String> {
    let mut stream = connect(address).await?;
    stream.write_all(request).await?;
    read_answer(&mut stream, &mut Vec::new()).await
}

/// Connects without delays between small writes.
///
/// # Errors
/// The connection is refused.
pub(crate) async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<String> {
    buffer.clear();
    let body_start = loop {
        ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..body_start]).to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200"), "expected 200, got: {head}");
    let length = content_length(&head)?;
    while buffer.len() < body_start + length {
        ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
    }
    Ok(head)
}

fn content_length(head: &str) -> Result<usize> {
    let line = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    match line {
        Some(value) => Ok(value.trim().parse()?),
        None => bail!("the answer has no content-length: {head}"),
    }
}
