//! The pinned Envoy itself: it takes what this crate writes, and ends as this crate says.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::Duration;

use envoy_bootstrap::{Address, Bootstrap, Launch, ReadyError, VERSION, fetch};

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
