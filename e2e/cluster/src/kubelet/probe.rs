//! Startup, readiness and liveness probes.

use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::worker::Worker;

/// Probes a running container; returns when its liveness or startup probe says that it has to be started again.
pub(super) async fn watch_container(worker: &Worker, container: &Container) {
    if let Some(probe) = &container.startup_probe {
        if !await_start(worker, container, probe).await {
            return;
        }
        change(worker, container, |state| {
            state.started = true;
            state.ready = container.readiness_probe.is_none();
        });
    }
    tokio::select! {
        () = watch_readiness(worker, container) => {}
        () = watch_liveness(worker, container) => {}
    }
}

fn change(worker: &Worker, container: &Container, change: impl Fn(&mut super::state::ContainerState)) {
    worker.state.send_modify(|state| {
        if let Some(state) = state.containers.get_mut(&container.name) {
            change(state);
        }
    });
}

async fn await_start(worker: &Worker, container: &Container, probe: &Probe) -> bool {
    let mut failures = 0;
    delay(probe).await;
    while !ask(worker, container, probe).await {
        failures += 1;
        if failures >= probe.failure_threshold.unwrap_or(3) {
            tracing::warn!("{}/{} did not start in time", worker.name, container.name);
            return false;
        }
        period(probe).await;
    }
    true
}

/// Follows the readiness probe for ever.
async fn watch_readiness(worker: &Worker, container: &Container) {
    let Some(probe) = &container.readiness_probe else { return std::future::pending().await };
    delay(probe).await;
    let (mut successes, mut failures) = (0, 0);
    loop {
        if ask(worker, container, probe).await {
            (successes, failures) = (successes + 1, 0);
        } else {
            (successes, failures) = (0, failures + 1);
        }
        let ready = worker.state.borrow().containers.get(&container.name).is_some_and(|state| state.ready);
        if !ready && successes >= probe.success_threshold.unwrap_or(1) {
            change(worker, container, |state| state.ready = true);
        } else if ready && failures >= probe.failure_threshold.unwrap_or(3) {
            change(worker, container, |state| state.ready = false);
        }
        // Until it is first ready, ask at once again: tests wait for it.
        if ready || successes > 0 { period(probe).await } else { tokio::time::sleep(EAGER).await }
    }
}

/// How often readiness is asked for while a container is not ready.
const EAGER: Duration = Duration::from_millis(250);

/// Returns when the liveness probe has failed often enough.
async fn watch_liveness(worker: &Worker, container: &Container) {
    let Some(probe) = &container.liveness_probe else { return std::future::pending().await };
    delay(probe).await;
    let mut failures = 0;
    loop {
        failures = if ask(worker, container, probe).await { 0 } else { failures + 1 };
        if failures >= probe.failure_threshold.unwrap_or(3) {
            tracing::warn!("{}/{} is not alive; it is started again", worker.name, container.name);
            return;
        }
        period(probe).await;
    }
}

async fn delay(probe: &Probe) {
    tokio::time::sleep(seconds(probe.initial_delay_seconds, 0)).await;
}

async fn period(probe: &Probe) {
    tokio::time::sleep(seconds(probe.period_seconds, 10)).await;
}

fn seconds(given: Option<i32>, default: u64) -> Duration {
    Duration::from_secs(given.and_then(|given| u64::try_from(given).ok()).unwrap_or(default))
}

async fn ask(worker: &Worker, container: &Container, probe: &Probe) -> bool {
    let timeout = seconds(probe.timeout_seconds, 1).max(Duration::from_secs(1));
    tokio::time::timeout(timeout, answer(worker, container, probe)).await.unwrap_or(false)
}

async fn answer(worker: &Worker, container: &Container, probe: &Probe) -> bool {
    let address = worker.state.borrow().address.map(|address| address.to_string()).unwrap_or_default();
    if let Some(get) = &probe.http_get {
        return answers_http(&address, container, get).await;
    }
    let port = match (&probe.tcp_socket, &probe.grpc) {
        (Some(socket), _) => port(container, &socket.port),
        // That it listens is what can be known without its protocol.
        (_, Some(grpc)) => u16::try_from(grpc.port).ok(),
        _ => {
            tracing::warn!("{}/{}: exec probes are not known here", worker.name, container.name);
            return true;
        }
    };
    match port {
        Some(port) => tokio::net::TcpStream::connect((address.as_str(), port)).await.is_ok(),
        None => false,
    }
}

async fn answers_http(address: &str, container: &Container, get: &HTTPGetAction) -> bool {
    let Some(port) = port(container, &get.port) else { return false };
    let host = get.host.as_deref().unwrap_or(address);
    let path = get.path.as_deref().unwrap_or("/");
    let mut request = hyper::Request::get(format!("http://{host}:{port}{path}"));
    for header in get.http_headers.as_deref().unwrap_or_default() {
        request = request.header(&header.name, &header.value);
    }
    let Ok(request) = request.body(Empty::<Bytes>::new()) else { return false };
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(Duration::from_secs(1)));
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    let answer = client.request(request).await;
    answer.is_ok_and(|answer| (200..400).contains(&answer.status().as_u16()))
}

/// A port by number or by the name that the container gives it.
fn port(container: &Container, port: &IntOrString) -> Option<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let ports = container.ports.as_deref().unwrap_or_default();
            ports.iter().find(|port| port.name.as_deref() == Some(name))?.container_port
        }
    };
    u16::try_from(number).ok()
}
