//! The same over HTTP/2, at both ends.

use std::net::TcpListener;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

use super::place::{HOSTS, Host, Upstream, edits_headers, envoy};
use super::{PIECES, replaces_bodies};
use crate::rig::{PATIENCE, Rig};

type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// Requests that come to an upstream.
fn asked(listener: TcpListener) -> Receiver<Asked> {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let (send, receive) = channel(1);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok(asked)) = connection.accept().await {
            send.send(asked).await.unwrap();
        }
    });
    receive
}

pub(crate) async fn client(rig: &Rig) -> h2::client::SendRequest<Bytes> {
    let stream = TcpStream::connect(("127.0.0.1", rig.port)).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

/// Both ends of a stream whose two header sections have come through.
struct Ends {
    there: (SendStream<Bytes>, RecvStream),
    back: (SendStream<Bytes>, RecvStream),
    _rig: Rig,
}

fn assert_edited(fields: &HeaderMap) {
    assert_eq!((&fields["x-set"], &fields["x-added"]), (&"a!".parse().unwrap(), &"more".parse().unwrap()));
    assert!(!fields.contains_key("x-gone"), "{fields:?}");
}

impl Ends {
    /// A call as gRPC makes them, with `x-in` and `x-gone` in both sections; neither message has ended.
    async fn open(host: Host, config: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let rig = envoy(host, config, &listener, Upstream::Http2);
        let mut asked = asked(listener);
        let request = Request::post("http://test/package.Service/Method")
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let request = request.header("x-in", "a").header("x-gone", "b").body(()).unwrap();
        let (answer, to_upstream) = client(&rig).await.send_request(request, false).unwrap();
        let (request, mut respond) = asked.recv().await.unwrap();
        assert_edited(request.headers());
        let response = Response::builder().header("content-type", "application/grpc");
        let response = response.header("x-in", "a").header("x-gone", "b").body(()).unwrap();
        let to_client = respond.send_response(response, false).unwrap();
        let answer = answer.await.unwrap();
        assert_edited(answer.headers());
        Self { there: (to_upstream, request.into_body()), back: (to_client, answer.into_body()), _rig: rig }
    }
}

/// Sends a piece, and reads until all of it has come: then no byte is in flight.
async fn in_step((send, receive): &mut (SendStream<Bytes>, RecvStream), piece: &str) {
    send.send_data(Bytes::copy_from_slice(piece.as_bytes()), false).unwrap();
    let mut come = Vec::new();
    while come.len() < piece.len() {
        let part = receive.data().await.unwrap().unwrap();
        receive.flow_control().release_capacity(part.len()).unwrap();
        come.extend(part);
    }
    assert_eq!(String::from_utf8(come).unwrap(), piece);
}

/// Ends a message with a field in its trailers.
fn end(stream: &mut SendStream<Bytes>, name: &'static str, value: &'static str) {
    let fields = HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())]);
    stream.send_trailers(fields).unwrap();
}

/// What is left of a message: content and trailers.
pub(crate) async fn rest(stream: &mut RecvStream) -> (String, HeaderMap) {
    let mut come = Vec::new();
    while let Some(part) = stream.data().await {
        let part = part.unwrap();
        stream.flow_control().release_capacity(part.len()).unwrap();
        come.extend(part);
    }
    (String::from_utf8(come).unwrap(), stream.trailers().await.unwrap().unwrap_or_default())
}

pub(crate) async fn in_time(test: impl Future<Output = ()>) {
    timeout(PATIENCE, test).await.expect("something was held back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_two_streams_flows_message_by_message_and_keeps_its_trailers() {
    for host in HOSTS {
        let mut ends = Ends::open(host, &edits_headers()).await;
        in_time(async {
            for piece in 0..PIECES {
                in_step(&mut ends.there, &format!("<there {piece}>")).await;
                in_step(&mut ends.back, &format!("<back {piece}>")).await;
            }
            end(&mut ends.there.0, "x-sum", "1");
            assert_eq!(rest(&mut ends.there.1).await.1["x-sum"], "1");
            end(&mut ends.back.0, "grpc-status", "0");
            assert_eq!(rest(&mut ends.back.1).await.1["grpc-status"], "0");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_replaced_and_their_trailers_kept() {
    for host in HOSTS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let rig = envoy(host, &replaces_bodies(), &listener, Upstream::Http2);
        let mut asked = asked(listener);
        in_time(async {
            let request = Request::post("http://test/").body(()).unwrap();
            let (answer, mut stream) = client(&rig).await.send_request(request, false).unwrap();
            stream.send_data("a".into(), false).unwrap();
            stream.send_data("b".into(), false).unwrap();
            end(&mut stream, "x-sum", "1");
            let (request, mut respond) = asked.recv().await.unwrap();
            let (body, trailers) = rest(&mut request.into_body()).await;
            assert_eq!((body.as_str(), &trailers["x-sum"]), ("replaced ab", &"1".parse().unwrap()));
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data("c".into(), false).unwrap();
            end(&mut stream, "grpc-status", "0");
            let (body, trailers) = rest(&mut answer.await.unwrap().into_body()).await;
            assert_eq!((body.as_str(), &trailers["grpc-status"]), ("replaced c", &"0".parse().unwrap()));
        })
        .await;
    }
}
