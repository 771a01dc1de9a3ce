//! The pinned Envoy itself: it takes what this crate writes, and ends as this crate says.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::Duration;

use envoy_bootstrap::{
    Address, Admin, Bootstrap, Launch, Readiness, ReadyError, StatsServer, VERSION, XdsTls, drain, fetch,
};
use serde_json::json;

const LONG: Duration = Duration::from_secs(60);

fn envoy() -> PathBuf {
    #[allow(clippy::expect_used)]
    fetch().expect("no Envoy to test with")
}

/// A bootstrap whose controller does not exist.
fn lonely(admin: Address) -> Bootstrap {
    Bootstrap::new("n", "on", Address::loopback(1), admin)
}

/// A bootstrap that needs no controller.
fn standalone() -> String {
    r#"{"admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}}"#.to_owned()
}

#[test]
fn what_was_fetched_is_the_pinned_version() {
    let output = std::process::Command::new(envoy()).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    assert!(version.contains(&format!("/{VERSION}/")), "{version}");
}

#[test]
fn every_bootstrap_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let mut bootstrap = lonely(Address::Unix(folder.path().join("admin.sock")));
    bootstrap.max_heap_bytes = Some(1 << 30);
    bootstrap.node_metadata.insert("role".to_owned(), "edge".into());
    Launch::new(envoy(), bootstrap.to_yaml()).validate().unwrap();
    bootstrap.ads = "controller.invalid:18000".parse().unwrap();
    Launch::new(envoy(), bootstrap.to_json().to_string()).validate().unwrap();
}

#[test]
fn a_bootstrap_with_everything_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let tls = XdsTls {
        credentials: folder.path().to_owned(),
        sds: folder.path().to_owned(),
        server_name: "ferrule.example".to_owned(),
    };
    for (name, content) in tls.files() {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let bootstrap = Bootstrap {
        tls: Some(tls),
        readiness: Some(Readiness { port: 8082, proxy_protocol: true }),
        stats: Some(StatsServer {
            port: 9091,
            metrics: "/stats/prometheus?usedonly".into(),
            stats: Some("/stats".into()),
        }),
        stats_matcher: Some(
            json!({"inclusion_list": {"patterns": [{"prefix": "http", "ignore_case": true}]}}),
        ),
        log_format: Some(json!({"json_format": {"message": "%j"}})),
        udp_max_queries: Some(100),
        ..lonely(Address::loopback(0))
    };
    Launch::new(envoy(), bootstrap.to_yaml()).validate().unwrap();
}

/// A port that is free now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_drained_proxy_is_not_ready_and_its_ports_show_nothing_else_of_the_admin_interface() {
    let ports = [free_port(), free_port(), free_port()];
    let [ready, stats, admin] = ports.map(|port| Admin::new(Address::loopback(port)));
    let mut bootstrap = Bootstrap {
        readiness: Some(Readiness { port: ports[0], proxy_protocol: false }),
        stats: Some(StatsServer {
            port: ports[1],
            metrics: "/stats/prometheus?usedonly".into(),
            stats: None,
        }),
        ..lonely(Address::loopback(ports[2]))
    }
    .to_json();
    // Ready without a controller.
    bootstrap.as_object_mut().unwrap().remove("dynamic_resources");
    let envoy = Launch::new(envoy(), bootstrap.to_string()).spawn().unwrap();
    envoy.wait_until_ready(LONG).unwrap();
    let status = |admin: &Admin, target| admin.get(target).unwrap().status;
    assert_eq!(status(&ready, "/ready"), 200);
    let metrics = stats.get("/metrics").unwrap();
    assert!(metrics.status == 200 && metrics.body.contains("envoy_server_live"), "{metrics:?}");
    for hidden in ["/config_dump", "/stats", "/ready/../certs", "/metrics/../quitquitquit"] {
        assert_eq!((status(&ready, hidden), status(&stats, hidden)), (404, 404), "{hidden}");
    }
    assert_eq!(ready.post("/ready").unwrap().status, 404);
    drain(Address::loopback(ports[2]), Duration::ZERO).unwrap();
    assert_eq!(status(&ready, "/ready"), 503);
    assert_eq!(status(&admin, "/ready"), 503);
}

#[test]
fn envoy_becomes_ready_and_drains_when_stopped() {
    let envoy = Launch::new(envoy(), standalone()).spawn().unwrap();
    let admin = envoy.wait_until_ready(LONG).unwrap();
    assert!(admin.get("/server_info").unwrap().body.contains(VERSION));
    assert_eq!(envoy.exit_status(), None);
    let status = envoy.stop();
    assert!(status.success(), "{status}");
    assert!(envoy.log().since(0).iter().any(|line| line.contains("caught ENVOY_SIGTERM")));
}

#[test]
fn the_admin_interface_is_reached_over_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let bootstrap = lonely(Address::Unix(folder.path().join("admin.sock")));
    let envoy = Launch::new(envoy(), bootstrap.to_yaml()).spawn().unwrap();
    let Err(ReadyError::TimedOut { .. }) = envoy.wait_until_ready(Duration::from_secs(2)) else {
        panic!("ready without a controller")
    };
    let admin = envoy.admin().expect("the admin interface does not listen");
    assert_eq!(admin.get("/ready").unwrap().status, 503);
}

#[test]
fn a_refused_bootstrap_shows_in_the_error() {
    let launch = Launch::new(envoy(), "{\"no_such_field\": 1}");
    let error = launch.validate().unwrap_err().to_string();
    assert!(error.contains("no_such_field"), "{error}");
    let error = launch.spawn().unwrap().wait_until_ready(LONG).unwrap_err();
    assert!(
        matches!(error, ReadyError::Exited { .. }) && error.to_string().contains("no_such_field"),
        "{error}"
    );
}

#[test]
fn envoy_outlives_the_thread_that_asked_for_it() {
    let launch = Launch::new(envoy(), standalone());
    let envoy = std::thread::spawn(move || launch.spawn().unwrap()).join().unwrap();
    envoy.wait_until_ready(LONG).unwrap();
    assert_eq!(envoy.wait_for(Duration::from_millis(300)), None);
    assert_eq!(envoy.terminate().signal(), None);
}
