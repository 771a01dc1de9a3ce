//! An API server in this process.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::StatusCode;
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::http;
use crate::listen::Listener;

/// What it was asked: method, path with query, and body.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Value,
}

/// Status and body of an answer.
pub(super) type Told = (u16, String);

/// Everything that a server was asked.
pub(super) type Log = Arc<Mutex<Vec<Asked>>>;

/// A client of a server that answers by `answer`; a watch that is not to end waits in there.
pub(super) async fn serve(
    answer: impl Fn(Asked) -> BoxFuture<'static, Told> + Clone + Send + Sync + 'static,
) -> (Client, Log) {
    let listener = Listener::bind(&envoy_bootstrap::Address::loopback(0), "test").await.unwrap();
    let uri = format!("http://{}", listener.address().unwrap()).parse().unwrap();
    let log = Log::default();
    let kept = log.clone();
    tokio::spawn(http::serve(listener, move |question| {
        let (answer, log) = (answer.clone(), kept.clone());
        async move {
            let (parts, body) = question.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let asked = Asked {
                method: parts.method.to_string(),
                path: parts.uri.to_string(),
                body: serde_json::from_slice(&body).unwrap_or_default(),
            };
            log.lock().unwrap().push(asked.clone());
            let (status, body) = answer(asked).await;
            http::answer(StatusCode::from_u16(status).unwrap(), "application/json", body)
        }
    }));
    (Client::try_from(Config::new(uri)).unwrap(), log)
}

/// An answer at once.
pub(super) fn now(status: u16, body: Value) -> BoxFuture<'static, Told> {
    futures::future::ready((status, body.to_string())).boxed()
}

/// No answer at all, as of a watch on which nothing happens.
pub(super) fn never() -> BoxFuture<'static, Told> {
    futures::future::pending().boxed()
}

pub(super) fn refusal(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason, "reason": reason, "code": code})
}

pub(super) fn list(version: &str, items: &[Value]) -> Value {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items})
}

/// Lines of a watch.
pub(super) fn lines(events: &[(&str, Value)]) -> BoxFuture<'static, Told> {
    let line = |(kind, object): &(&str, Value)| format!("{}\n", json!({"type": kind, "object": object}));
    futures::future::ready((200, events.iter().map(line).collect())).boxed()
}
