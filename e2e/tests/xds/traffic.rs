//! Upstreams that tell their name, and load that counts what went wrong.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Serves its name to every request until the test ends.
pub(crate) async fn upstream(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let answer = service_fn(move |_| async move {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(name.as_bytes()))))
            });
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(connection), answer));
        }
    });
    address
}

/// A port that nobody listens on yet.
pub(crate) async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

pub(crate) fn client() -> Client<HttpConnector, Empty<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// The status and the body, or what went wrong.
pub(crate) async fn get(
    client: &Client<HttpConnector, Empty<Bytes>>,
    at: SocketAddr,
) -> Result<(u16, String), String> {
    let request = Request::get(format!("http://{at}/")).body(Empty::new()).unwrap();
    let response = client.request(request).await.map_err(|error| format!("{error:?}"))?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// Requests without a pause from several clients at once.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    outcomes: Arc<Mutex<BTreeMap<String, u64>>>,
    done: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn on(at: SocketAddr) -> Self {
        let (stop, outcomes, done) = (Arc::default(), Arc::default(), Arc::default());
        let mut load = Self { stop, outcomes, done, clients: Vec::new() };
        for _ in 0..4 {
            let (stop, outcomes, done) = (load.stop.clone(), load.outcomes.clone(), load.done.clone());
            load.clients.push(tokio::spawn(async move {
                let client = client();
                while !stop.load(Ordering::Relaxed) {
                    let outcome = match get(&client, at).await {
                        Ok((200, name)) => name,
                        Ok((status, body)) => format!("{status} {body}"),
                        Err(error) => error,
                    };
                    *outcomes.lock().unwrap().entry(outcome).or_default() += 1;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        load
    }

    /// Waits until so many more requests have been answered.
    pub(crate) async fn requests(&self, count: u64) {
        let until = self.done.load(Ordering::Relaxed) + count;
        while self.done.load(Ordering::Relaxed) < until {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// How often each upstream answered, and each failure happened.
    pub(crate) async fn stop(self) -> BTreeMap<String, u64> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        let outcomes = self.outcomes.lock().unwrap();
        outcomes.clone()
    }
}
