//! The admin interface: what a running controller tells about itself, over HTTP on loopback or a Unix socket.
//!
//! It has no access control, so it refuses to listen where other machines could ask.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use envoy_bootstrap::Address;
use http_body_util::{BodyExt, Limited};
use hyper::header::{CONTENT_TYPE, ORIGIN};
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::time::timeout;

use crate::http::{self, Answer, Question};
use crate::listen::Listener;
use crate::orders;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
/// Where orders to caches are given.
const ORDERS: &str = "/cache/orders";
const PATIENCE: Duration = Duration::from_secs(10);
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the admin interface shows.
pub(crate) trait Exhibit: Send + Sync + 'static {
    /// The objects and their status, as JSON.
    fn status(&self) -> String;
    /// What proxies are sent, as JSON.
    fn config(&self) -> String;
    /// The counters, as Prometheus reads them.
    fn metrics(&self) -> String;
    /// Gives an order to caches, or says what is wrong with it.
    fn order(&self, order: &[u8]) -> Result<String, String>;
    /// What became of an order, as JSON.
    fn account(&self, order: &str) -> Option<String>;
    /// Why proxies cannot be served yet, if so.
    fn unready(&self) -> Option<String>;
}

/// Listens; fails where others than this machine could ask.
pub(crate) async fn bind(address: &Address) -> anyhow::Result<Listener> {
    if let Address::Tcp { host, .. } = address
        && !is_loopback(host)
    {
        bail!("--admin {address}: only a loopback address or a unix:/path, for anyone could ask there");
    }
    Listener::bind(address, "--admin").await
}

/// Whether only this machine can reach a host.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Serves for ever.
pub(crate) async fn serve(listener: Listener, exhibit: Arc<impl Exhibit>) {
    http::serve(listener, move |question| {
        let exhibit = Arc::clone(&exhibit);
        async move {
            match (question.method(), question.uri().path()) {
                (&Method::POST, ORDERS) => take_order(question, exhibit.as_ref()).await,
                _ => answer(&question, exhibit.as_ref()),
            }
        }
    })
    .await;
}

/// Takes an order from who is not a page in a browser: that may post to this machine, but not JSON, and not without saying where it
/// comes from.
async fn take_order(question: Question, exhibit: &impl Exhibit) -> Answer {
    let refuse = |status, why: &str| http::answer(status, TEXT, format!("{why}\n"));
    if question.headers().contains_key(ORIGIN) {
        return refuse(StatusCode::FORBIDDEN, "not from a browser");
    }
    if question.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != JSON) {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "only application/json");
    }
    let body = Limited::new(question.into_body(), orders::LARGEST).collect();
    let Ok(Ok(body)) = timeout(PATIENCE, body).await else {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "too large, or not whole in time");
    };
    match exhibit.order(&body.to_bytes()) {
        Ok(id) => http::answer(StatusCode::OK, JSON, json!({"id": id}).to_string()),
        Err(why) => refuse(StatusCode::BAD_REQUEST, &why),
    }
}

/// Serves for ever what anyone may know.
pub(crate) async fn serve_health(listener: Listener, exhibit: Arc<impl Exhibit>) {
    http::serve(listener, move |question| std::future::ready(answer_health(&question, exhibit.as_ref())))
        .await;
}

fn answer_health(question: &Question, exhibit: &impl Exhibit) -> Answer {
    match question.uri().path() {
        "/healthz" | "/readyz" | "/metrics" => answer(question, exhibit),
        _ => http::answer(StatusCode::NOT_FOUND, TEXT, "/healthz /readyz /metrics\n"),
    }
}

fn answer(question: &Question, exhibit: &impl Exhibit) -> Answer {
    if !matches!(*question.method(), Method::GET | Method::HEAD) {
        return http::answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET, and POST to /cache/orders\n");
    }
    let order = question.uri().path().strip_prefix(ORDERS).and_then(|rest| rest.strip_prefix('/'));
    if let Some(order) = order {
        return match exhibit.account(order) {
            Some(account) => http::answer(StatusCode::OK, JSON, account),
            None => http::answer(StatusCode::NOT_FOUND, TEXT, "no such order, or none any more\n"),
        };
    }
    match question.uri().path() {
        "/status" => http::answer(StatusCode::OK, JSON, exhibit.status()),
        "/config" => http::answer(StatusCode::OK, JSON, exhibit.config()),
        "/metrics" => http::answer(StatusCode::OK, METRICS, exhibit.metrics()),
        "/healthz" => http::answer(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => match exhibit.unready() {
            None => http::answer(StatusCode::OK, TEXT, "ok\n"),
            Some(why) => http::answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
        },
        _ => http::answer(
            StatusCode::NOT_FOUND,
            TEXT,
            "/status /config /metrics /healthz /readyz /cache/orders/ID\n",
        ),
    }
}

#[cfg(test)]
mod tests {
    use envoy_bootstrap::Admin;

    use super::*;

    struct Fixed;

    impl Exhibit for Fixed {
        fn status(&self) -> String {
            "[]".into()
        }
        fn config(&self) -> String {
            "{}".into()
        }
        fn metrics(&self) -> String {
            "a 1\n".into()
        }
        fn order(&self, order: &[u8]) -> Result<String, String> {
            if order == b"{}" { Ok("one".into()) } else { Err("no order".into()) }
        }
        fn account(&self, order: &str) -> Option<String> {
            (order == "one").then(|| "{}".into())
        }
        fn unready(&self) -> Option<String> {
            Some("nothing read".into())
        }
    }

    #[tokio::test]
    async fn other_machines_cannot_ask() {
        for address in ["0.0.0.0:0", "[::]:0", "example.com:0"] {
            assert!(bind(&address.parse().unwrap()).await.is_err(), "{address}");
        }
        assert!(
            bind(&"[::1]:0".parse().unwrap()).await.is_ok()
                || !std::path::Path::new("/proc/net/if_inet6").exists()
        );
    }

    #[tokio::test]
    async fn each_path_shows_its_exhibit() {
        let listener = bind(&Address::loopback(0)).await.unwrap();
        let address = listener.address().unwrap();
        tokio::spawn(serve(listener, Arc::new(Fixed)));
        let asked = tokio::task::spawn_blocking(move || {
            let admin = Admin::new(address);
            let get = |path| {
                let answer = admin.get(path).unwrap();
                (answer.status, answer.body)
            };
            assert_eq!(get("/status"), (200, "[]".into()));
            assert_eq!(get("/readyz"), (503, "nothing read\n".into()));
            assert_eq!(get("/nothing").0, 404);
            assert_eq!(admin.post("/status").unwrap().status, 405);
            assert_eq!(admin.post("/cache/orders").unwrap().status, 415, "what a page may post");
            let order = |text: &str| admin.post_json("/cache/orders", text).unwrap();
            assert_eq!((order("{}").status, order("{}").body), (200, r#"{"id":"one"}"#.into()));
            assert_eq!((order("[]").status, order("[]").body), (400, "no order\n".into()));
            assert_eq!(order(&" ".repeat(orders::LARGEST + 1)).status, 413);
            assert_eq!(get("/cache/orders/one"), (200, "{}".into()));
            assert_eq!(get("/cache/orders/two").0, 404);
        });
        asked.await.unwrap();
    }
}
