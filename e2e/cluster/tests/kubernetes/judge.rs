//! An authorization server in the test's own process, which decides by the token, over HTTP and over gRPC.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::json;
use tokio::net::TcpListener;

use crate::stage::Stage;

/// The only token that is good.
pub(crate) const TOKEN: &str = "let-me-in";

/// What it says to everybody else.
pub(crate) const REFUSAL: &str = "who are you?";

/// An answer of Envoy's protocol `envoy.service.auth.v3.Authorization`: a frame of gRPC with a `CheckResponse` in it, whose
/// status is OK as long as it says nothing.
const GRANTED: [u8; 5] = [0; 5];
/// The same with the status PERMISSION_DENIED: field 1, a `google.rpc.Status` of two bytes, whose field 1 is 7.
const DENIED: [u8; 9] = [0, 0, 0, 0, 4, 0x0a, 2, 8, 7];

/// A running server; it ends with the test.
pub(crate) struct Judge {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Judge {
    /// Starts one where pods can reach it.
    pub(crate) async fn start(stage: &Stage) -> Self {
        let listener = TcpListener::bind((stage.cluster.node(), 0)).await.unwrap();
        let judge = Self { port: listener.local_addr().unwrap().port(), asked: Arc::default() };
        let asked = Arc::clone(&judge.asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let asked = Arc::clone(&asked);
                let decide = service_fn(move |request| decide(request, Arc::clone(&asked)));
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    // A client that leaves in the middle is not ours to judge.
                    let _ = builder.serve_connection(TokioIo::new(stream), decide).await;
                });
            }
        });
        judge
    }

    /// Makes a Service of the namespace `web` that leads here.
    pub(crate) async fn publish(&self, stage: &Stage, name: &str, protocol: &str) {
        let port = json!({"name": "ask", "port": 80, "targetPort": self.port, "appProtocol": protocol});
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "web"},
            "spec": {"ports": [port]},
        });
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": "web", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"name": "ask", "port": self.port, "appProtocol": protocol}],
            "endpoints": [{"addresses": [stage.cluster.node()]}],
        });
        stage.apply(&format!("{service}\n---\n{slice}")).await;
    }

    /// The paths that it was asked about since this was called last.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

async fn decide(request: Request<Incoming>, asked: Arc<Mutex<Vec<String>>>) -> Result<Answer, hyper::Error> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    asked.lock().unwrap().push(path);
    if head.headers.get("content-type").is_some_and(|kind| kind == "application/grpc") {
        let question = body.collect().await?.to_bytes();
        let is_good = question.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes());
        return Ok(by_grpc(is_good));
    }
    let is_good = head.headers.get("authorization").is_some_and(|token| token == TOKEN);
    Ok(by_http(is_good))
}

fn by_http(is_good: bool) -> Answer {
    let answer = Response::builder();
    let answer = match is_good {
        true => answer.header("x-tenant", "t1").body(Full::default()),
        false => answer.status(401).body(Full::from(REFUSAL)),
    };
    answer.unwrap().map(BodyExt::boxed_unsync)
}

fn by_grpc(is_good: bool) -> Answer {
    let answer = if is_good { GRANTED.to_vec() } else { DENIED.to_vec() };
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    let body = Full::from(answer).with_trailers(std::future::ready(Some(Ok(trailers))));
    Response::builder().header("content-type", "application/grpc").body(body.boxed_unsync()).unwrap()
}
