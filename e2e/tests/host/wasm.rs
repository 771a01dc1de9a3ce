//! The proxy-wasm adapter on real Envoy, where one case of request and response does not tell enough.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::{PATIENCE, Rig, to_upstream};

/// The module under test, where wasm-build puts it.
fn module() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).unwrap();
    let module = target.join("wasm/probe.wasm");
    assert!(module.is_file(), "{} is missing; build it by `just wasm`", module.display());
    module
}

/// The probe as a plugin with this configuration.
fn plugin(configuration: &Value) -> Value {
    json!({"name": "probe", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "probe",
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module()}}},
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration.to_string()},
            "allow_on_headers_stop_iteration": true,
            "failure_policy": "FAIL_RELOAD",
        },
    }})
}

/// A route for a prefix to the upstream, with a name.
fn named(name: &str, prefix: &str) -> Value {
    let mut route = to_upstream(prefix, &json!({}));
    route["name"] = name.into();
    route
}

fn marks(value: &str) -> Value {
    json!({"response": {"headers": [{"set": {"name": "x-is", "value": value}}]}})
}

fn counted(rig: &Rig, counter: &str) -> u64 {
    rig.stat(&format!("wasmcustom.probe.{counter}"))
}

#[test]
fn a_refused_update_names_the_field_and_leaves_the_last_good_configuration() {
    let all = [named("all", "/")];
    let rig = Rig::new(&plugin(&json!({"default": marks("good")})), &all);
    let refused = [
        (json!({"default": {"responce": {}}}), "default.responce: unknown field `responce`"),
        (json!({"configs": {"a": {"refuse": "not today"}}}), "configs.a.refuse: not today"),
        (json!({"routes": {"all": "b"}}), "routes.all: no configuration \"b\" in `configs`"),
        (marks("plain"), "unknown field `response`, expected one of `default`, `configs`"),
    ];
    for (count, (configuration, reason)) in (1..).zip(&refused) {
        rig.update(&plugin(configuration), &all);
        rig.wait_for_stat("listener_manager.lds.update_rejected", count);
        rig.wait_for_log(&["configuration of filter probe: ", reason]);
        assert_eq!(rig.client().ask("GET", "/", "").unwrap().field("x-is"), Some("good"));
    }
}

#[test]
fn a_route_gets_its_own_configuration_by_name_else_the_default_else_none() {
    let routes = [named("own", "/own"), named("other", "/other"), to_upstream("/", &json!({}))];
    let own = json!({"configs": {"a": marks("own")}, "routes": {"own": "a", "unheard": "a"}});
    let mut with_default = own.clone();
    with_default["default"] = marks("default");
    let cases = [
        (own, [Some("own"), None, None]),
        (with_default, [Some("own"), Some("default"), Some("default")]),
        (json!({"default": marks("default")}), [Some("default"); 3]),
        (json!({}), [None; 3]),
    ];
    for (configuration, expected) in cases {
        let rig = Rig::new(&plugin(&configuration), &routes);
        let mut client = rig.client();
        for (path, expected) in ["/own", "/other", "/"].into_iter().zip(expected) {
            let answer = client.ask("POST", path, "abc").unwrap();
            assert_eq!((answer.status(), answer.field("x-is")), (200, expected), "{path} of {configuration}");
        }
    }
}

#[test]
fn a_panic_costs_its_workers_streams_and_the_next_request_finds_a_new_machine() {
    const PANICS: u64 = 3;
    let configuration = json!({
        "configs": {
            "headers": {"request": {"headers": ["panic"]}},
            "body": {"request": {"body": ["panic"]}},
            "response": {"response": {"headers": ["panic"]}},
        },
        "routes": {"headers": "headers", "body": "body", "response": "response"},
        "default": marks("alive"),
    });
    let routes = [
        named("headers", "/headers"),
        named("body", "/body"),
        named("response", "/response"),
        named("all", "/"),
    ];
    let rig = Rig::new(&plugin(&configuration), &routes);
    for (place, path) in (0..).zip(["/headers", "/body", "/response"]) {
        for panic in 1..=PANICS {
            let answer = rig.client().ask("POST", path, "abc");
            assert_eq!(answer.map(|answer| answer.status()), Some(503), "{path}");
            // A worker may count once the client has its answer already.
            rig.wait_for_stat("wasmcustom.probe.panicked", place * PANICS + panic);
            recovers(&rig);
        }
    }
    rig.wait_for_log(&["the filter panicked: "]);
}

/// Both workers serve again, each with a machine that is new or was not concerned.
fn recovers(rig: &Rig) {
    let until = Instant::now() + PATIENCE;
    let mut alive = 0;
    while alive < 20 {
        let answer = rig.client().ask("POST", "/alive", "abc").unwrap();
        alive = if answer.field("x-is") == Some("alive") { alive + 1 } else { 0 };
        assert!(Instant::now() < until, "status {} for ever", answer.status());
    }
}

#[test]
fn clients_that_go_away_while_held_leave_no_stream_behind() {
    const CLIENTS: u64 = 200;
    let call = |path: &str| json!({"request": {"headers": [{"call": {"cluster": "callout", "path": path}}]}});
    let configuration = json!({
        "configs": {"held": call("/silent"), "free": call("/")},
        "routes": {"held": "held", "free": "free"},
    });
    let rig = Rig::new(&plugin(&configuration), &[named("held", "/held"), named("free", "/")]);
    let held = "POST /held HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf";
    let streams: Vec<_> = (0..CLIENTS).map(|_| rig.client().begin(held)).collect();
    rig.wait_for_stat("cluster.callout.upstream_rq_active", CLIENTS);
    drop(streams);
    rig.wait_for_stat("http.test.downstream_rq_active", 0);
    rig.wait_for_stat("wasmcustom.probe.done", CLIENTS);
    // Their callouts are over only now, by Envoy's timeout; no one is left to be told.
    rig.wait_for_stat("cluster.callout.upstream_rq_active", 0);
    assert_eq!(counted(&rig, "panicked"), 0);
    assert_eq!(rig.stat("cluster.upstream.upstream_rq_total"), 0);
    assert_eq!(rig.client().ask("POST", "/", "whole").unwrap().status(), 200);
}

#[test]
fn a_configuration_is_replaced_under_load_and_no_request_is_lost() {
    const UPDATES: u32 = 10;
    let configuration = |version: u32| {
        let set = json!({"set": {"name": "x-version", "value": version.to_string()}});
        plugin(&json!({"default": {"request": {"body": []}, "response": {"headers": [set]}}}))
    };
    let all = [named("all", "/")];
    let rig = Rig::new(&configuration(0), &all);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let load: Vec<_> = (0..4).map(|_| scope.spawn(|| versions_seen(&rig, &over))).collect();
        for version in 1..=UPDATES {
            rig.update(&configuration(version), &all);
            let mut client = rig.client();
            while client.ask("GET", "/", "").unwrap().field("x-version") != Some(&*version.to_string()) {
                thread::sleep(Duration::from_millis(5));
            }
        }
        over.store(true, Ordering::Relaxed);
        for versions in load.into_iter().map(|load| load.join().unwrap()) {
            assert!(versions.is_sorted(), "an old configuration came back");
            assert!(versions.last() > Some(&0), "no new configuration came");
        }
    });
}

/// Asks until it is over; every request must be answered by some version.
fn versions_seen(rig: &Rig, over: &AtomicBool) -> Vec<u32> {
    let (mut client, mut versions) = (rig.client(), Vec::new());
    while !over.load(Ordering::Relaxed) {
        let answer = client.ask("POST", "/", "abc").expect("a request was lost");
        assert_eq!((answer.status(), answer.body.as_str()), (200, "ok"));
        versions.push(answer.field("x-version").unwrap().parse().unwrap());
    }
    versions
}
