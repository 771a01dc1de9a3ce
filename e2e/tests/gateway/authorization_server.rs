//! Authorization servers of both protocols, which decide by the token and tell what they were asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes, BytesMut};
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::rpc::Status;
use http::{HeaderMap, Response};
use prost::Message;

/// What a server was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Status, header fields and body of an answer. 200 lets a request pass, with these fields in it.
pub(crate) type Verdict = (u16, Vec<(String, String)>, &'static str);

/// Decides about a question.
pub(crate) type Judge = fn(&Question) -> Verdict;

/// A running server.
pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl Server {
    /// One that speaks HTTP/1.1.
    pub(crate) fn http(judge: Judge) -> Self {
        Self::start(move |stream, asked| drop(by_http(stream, judge, asked)))
    }

    /// One that speaks Envoy's protocol over gRPC.
    pub(crate) fn grpc(judge: Judge) -> Self {
        Self::start(move |stream, asked| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(by_grpc(stream, judge, asked));
        })
    }

    fn start(serve: impl Fn(TcpStream, &Mutex<Vec<Question>>) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<Question>>> = Arc::default();
        let sink = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (serve, sink) = (serve.clone(), Arc::clone(&sink));
                std::thread::spawn(move || serve(stream, &sink));
            }
        });
        Self { port, asked }
    }

    /// What it was asked since this was called last.
    pub(crate) fn asked(&self) -> Vec<Question> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// Answers once.
fn by_http(stream: TcpStream, judge: Judge, asked: &Mutex<Vec<Question>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let question = Question { method, path, headers, body: String::from_utf8(body).unwrap() };
    let (status, headers, body) = judge(&question);
    asked.lock().unwrap().push(question);
    let mut head =
        format!("HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.get_mut().write_all(format!("{head}\r\n{body}").as_bytes())
}

async fn by_grpc(stream: TcpStream, judge: Judge, asked: &Mutex<Vec<Question>>) {
    stream.set_nonblocking(true).unwrap();
    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let mut body = request.into_body();
        let mut message = BytesMut::new();
        while let Some(Ok(piece)) = next_piece(&mut connection, &mut body).await {
            let _ = body.flow_control().release_capacity(piece.len());
            message.extend_from_slice(&piece);
        }
        // A message has five bytes of its own in front: whether it is compressed, and its length.
        let question = question(&CheckRequest::decode(&message[5..]).unwrap());
        let answer = response(judge(&question)).encode_to_vec();
        asked.lock().unwrap().push(question);
        let mut framed = BytesMut::new();
        framed.put_u8(0);
        framed.put_u32(u32::try_from(answer.len()).unwrap());
        framed.extend_from_slice(&answer);
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        stream.send_data(framed.freeze(), false).unwrap();
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
        stream.send_trailers(trailers).unwrap();
    }
}

/// The next piece of a body; the connection brings it, so that is kept going meanwhile.
async fn next_piece(
    connection: &mut h2::server::Connection<tokio::net::TcpStream, Bytes>,
    body: &mut h2::RecvStream,
) -> Option<Result<Bytes, h2::Error>> {
    std::future::poll_fn(|context| {
        let _ = connection.poll_closed(context);
        body.poll_data(context)
    })
    .await
}

fn question(check: &CheckRequest) -> Question {
    let attributes = check.attributes.clone().unwrap_or_default();
    let http = attributes.request.unwrap_or_default().http.unwrap_or_default();
    let headers = http.headers.into_iter().collect();
    Question { method: http.method, path: http.path, headers, body: http.body }
}

fn response((status, headers, body): Verdict) -> CheckResponse {
    let headers = headers.into_iter().map(|(key, value)| HeaderValueOption {
        header: Some(HeaderValue { key, value, ..HeaderValue::default() }),
        ..HeaderValueOption::default()
    });
    let headers = headers.collect();
    let answer = if status == 200 {
        HttpResponse::OkResponse(OkHttpResponse { headers, ..OkHttpResponse::default() })
    } else {
        let status = Some(HttpStatus { code: status.into() });
        HttpResponse::DeniedResponse(DeniedHttpResponse { status, headers, body: body.to_owned() })
    };
    // PERMISSION_DENIED, or OK.
    let code = if status == 200 { 0 } else { 7 };
    CheckResponse {
        status: Some(Status { code, ..Status::default() }),
        http_response: Some(answer),
        ..CheckResponse::default()
    }
}
