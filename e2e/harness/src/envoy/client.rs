//! A client that sends what a case says and writes down what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::http1::{self, Content, Framing, Outgoing, Reader};
use super::http2::{self, Rest};
use crate::case::{Abort, Lines, Protocol, Request};
use crate::seen::{ClientSaw, SeenResponse};

/// What a client that goes away sent gets this long to arrive where it can.
const BEFORE_ABORT: Duration = Duration::from_millis(100);

/// Sends the request and waits for the end of the exchange, for so long.
///
/// # Errors
/// The request could not be sent at all: no connection, or HTTP/2 cannot carry it.
pub(super) async fn exchange(
    address: SocketAddr,
    request: &Request,
    patience: Duration,
) -> Result<ClientSaw, String> {
    let connection =
        TcpStream::connect(address).await.map_err(|error| format!("connecting to Envoy: {error}"))?;
    let _ = connection.set_nodelay(true);
    let exchange = async {
        match request.protocol {
            Protocol::Http1 => Ok(over_http1(connection, request).await),
            Protocol::Http2 => over_http2(connection, request).await,
        }
    };
    timeout(patience, exchange).await.unwrap_or(Ok(ClientSaw::Hang))
}

async fn over_http1(connection: TcpStream, request: &Request) -> ClientSaw {
    let mut lines = Lines(vec![("host".to_owned(), request.host.clone().into_bytes())]);
    lines.0.extend(request.lines().0);
    let (read, mut write) = connection.into_split();
    let message = Outgoing {
        start: format!("{} {} HTTP/1.1", request.method(), request.path),
        lines: &lines,
        chunks: chunks(request),
        trailers: &request.trailers,
        ends: request.abort != Some(Abort::BeforeEnd),
    };
    if request.abort.is_some() {
        let _ = http1::send(&mut write, message).await;
        sleep(BEFORE_ABORT).await;
        return ClientSaw::Nothing;
    }
    // The answer may come, and the connection end, before all is sent.
    let (_, saw) =
        tokio::join!(http1::send(&mut write, message), receive_http1(Reader::new(read), request.method()));
    saw
}

async fn receive_http1<R: tokio::io::AsyncRead + Unpin>(mut reader: Reader<R>, method: &str) -> ClientSaw {
    let Ok(Some(head)) = reader.response_head().await else { return ClientSaw::Reset(None) };
    let framing = match head.status {
        _ if method == "HEAD" => Framing::Length(0),
        101 => Framing::UntilClose,
        204 | 304 => Framing::Length(0),
        _ => Framing::of(&head.lines, Framing::UntilClose),
    };
    let mut content = Content::default();
    reader.content(framing, &mut |part| content.take(part)).await;
    saw(head.status, head.lines, content)
}

async fn over_http2(connection: TcpStream, request: &Request) -> Result<ClientSaw, String> {
    let (client, connection) = h2::client::handshake(connection).await.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(async move {
        // Its errors show in the streams.
        let _ = connection.await;
    });
    let saw = stream_http2(client, request).await;
    driver.abort();
    saw
}

async fn stream_http2(
    client: h2::client::SendRequest<Bytes>,
    request: &Request,
) -> Result<ClientSaw, String> {
    let text = |error: h2::Error| error.to_string();
    let mut client = client.ready().await.map_err(text)?;
    let ends = request.ends_with_headers();
    let (response, mut stream) = client.send_request(head(request)?, ends).map_err(text)?;
    let rest = Rest {
        chunks: chunks(request),
        trailers: &request.trailers,
        ends: request.abort != Some(Abort::BeforeEnd),
    };
    if request.abort.is_some() {
        if !ends {
            http2::send(&mut stream, rest).await?;
        }
        sleep(BEFORE_ABORT).await;
        return Ok(ClientSaw::Nothing);
    }
    let sending = async { if ends { Ok(()) } else { http2::send(&mut stream, rest).await } };
    let (_, saw) = tokio::join!(sending, receive_http2(response));
    Ok(saw)
}

async fn receive_http2(response: h2::client::ResponseFuture) -> ClientSaw {
    let Ok(response) = response.await else { return ClientSaw::Reset(None) };
    let (parts, body) = response.into_parts();
    let mut content = Content::default();
    http2::content(body, &mut |part| content.take(part)).await;
    saw(parts.status.as_u16(), http2::lines(&parts.headers), content)
}

fn head(request: &Request) -> Result<http::Request<()>, String> {
    let mut head = http::Request::builder()
        .method(request.method())
        .uri(format!("http://{}{}", request.host, request.path))
        .body(())
        .map_err(|error| format!("HTTP/2 cannot carry the request: {error}"))?;
    *head.headers_mut() = http2::map(&request.lines())?;
    Ok(head)
}

fn chunks(request: &Request) -> &[Vec<u8>] {
    request.body.as_ref().map_or(&[], |body| &body.chunks)
}

fn saw(status: u16, headers: Lines, content: Content) -> ClientSaw {
    let Content { body, trailers, complete } = content;
    let response = SeenResponse { status, headers, body, trailers };
    if complete { ClientSaw::Response(response) } else { ClientSaw::Reset(Some(response)) }
}
