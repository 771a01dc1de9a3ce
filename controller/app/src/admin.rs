//! The admin interface: what a running controller tells about itself, over HTTP on loopback or a Unix socket.
//!
//! It has no access control, so it refuses to listen where other machines could ask.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::bail;
use envoy_bootstrap::Address;
use hyper::{Method, StatusCode};

use crate::http::{self, Answer, Question};
use crate::listen::Listener;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the admin interface shows.
pub(crate) trait Exhibit: Send + Sync + 'static {
    /// The objects and their status, as JSON.
    fn status(&self) -> String;
    /// What proxies are sent, as JSON.
    fn config(&self) -> String;
    /// The counters, as Prometheus reads them.
    fn metrics(&self) -> String;
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
    http::serve(listener, move |question| std::future::ready(answer(&question, exhibit.as_ref()))).await;
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
        return http::answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n");
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
        _ => http::answer(StatusCode::NOT_FOUND, TEXT, "/status /config /metrics /healthz /readyz\n"),
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
        });
        asked.await.unwrap();
    }
}
