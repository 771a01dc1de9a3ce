//! Calls by gRPC.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, client};
use http::{HeaderMap, Request, Response};
use tokio::net::{TcpListener, TcpStream};

use super::route;
use crate::client::ask;
use crate::controller::Controller;
use crate::upstream::{Upstream, service};

/// An upstream of HTTP/2 only, which answers every call with its path and `grpc-status: 0`.
async fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    answer(&request, respond);
                }
            });
        }
    });
    port
}

fn answer(request: &Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let response = Response::builder().header("content-type", "application/grpc");
    let response = response.header("x-path", request.uri().path()).body(()).unwrap();
    let mut stream = respond.send_response(response, false).unwrap();
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    stream.send_trailers(trailers).unwrap();
}

/// Calls once; gives the status, which comes with the header section or after the message, and the path that was seen.
async fn call(at: SocketAddr, host: &str, path: &str) -> (String, Option<String>) {
    let stream = TcpStream::connect(at).await.unwrap();
    let (client, connection) = client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("http://{host}{path}"));
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    let mut client = client.ready().await.unwrap();
    let (answer, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
    let answer = answer.await.unwrap();
    let text = |headers: &HeaderMap, name: &str| Some(headers.get(name)?.to_str().unwrap().to_owned());
    let (early, saw) = (text(answer.headers(), "grpc-status"), text(answer.headers(), "x-path"));
    let mut body = answer.into_body();
    while let Some(piece) = body.data().await {
        drop(piece.unwrap());
    }
    let trailers = body.trailers().await.unwrap().unwrap_or_default();
    (early.or_else(|| text(&trailers, "grpc-status")).unwrap(), saw)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_to_grpc_routes_and_fail_as_calls_do() {
    let objects = format!(
        "---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {{name: calls}}
spec:
  hostnames: [calls.example.com]
  parentRefs: [{{name: quickstart}}]
  rules:
  - matches: [{{method: {{service: echo.Echo, method: Say}}}}]
    backendRefs: [{{name: echo, port: 80}}]
  - matches: [{{method: {{service: no.Backend}}}}]
    backendRefs: [{{name: gone, port: 80}}]
  - matches: [{{method: {{service: nothing.There}}}}]
{}{}",
        service("echo", "", &[upstream().await]),
        route("pages", "  - backendRefs: [{name: pages, port: 80}]\n")
            .replace("spec:\n", "spec:\n  hostnames: [calls.example.com]\n")
    );
    let pages = Upstream::plain("pages");
    let objects = objects + &pages.service("pages");
    let controller = tokio::task::spawn_blocking(move || Controller::beside(&objects)).await.unwrap();
    let at = controller.gateway;
    let called = |path| call(at, "calls.example.com", path);
    assert_eq!(called("/echo.Echo/Say").await, ("0".to_owned(), Some("/echo.Echo/Say".to_owned())));
    assert_eq!(called("/no.Backend/Say").await, ("14".to_owned(), None), "UNAVAILABLE");
    assert_eq!(called("/nothing.There/Say").await, ("14".to_owned(), None), "UNAVAILABLE");
    assert_eq!(
        call(at, "elsewhere.example.com", "/echo.Echo/Say").await,
        ("12".to_owned(), None),
        "UNIMPLEMENTED"
    );
    let page = ask(at, "GET", "/echo.Echo/Say", &[("host", "calls.example.com")]);
    assert_eq!((page.status, &page.json()["name"]), (200, &"pages".into()), "no call, no GRPCRoute");
}
