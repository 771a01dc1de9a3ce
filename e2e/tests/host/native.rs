//! The native adapter on real Envoy, where one case of request and response does not tell enough.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use e2e::free_port;
use envoy_bootstrap::{Launch, SpawnError, fetch};
use serde_json::{Value, json};

use crate::rig::{PATIENCE, Rig, bootstrap, listener, module, modules, per_route, probe, to_upstream};

/// What Envoy says when it refuses a listener with this filter and these routes.
fn refusal(filter: &Value, routes: &[Value]) -> String {
    let files = tempfile::tempdir().unwrap();
    let mut configuration: Value = serde_json::from_str(&bootstrap(files.path())).unwrap();
    configuration.as_object_mut().unwrap().remove("dynamic_resources");
    let mut listener = listener(free_port(), filter, routes);
    listener.as_object_mut().unwrap().remove("@type");
    configuration["static_resources"]["listeners"] = json!([listener]);
    let mut launch = Launch::new(fetch().unwrap(), configuration.to_string());
    launch.modules = Some(modules().to_owned());
    match launch.validate() {
        Err(SpawnError::Invalid(words)) => words,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_bad_configuration_is_refused_with_filter_field_and_reason() {
    let all = [to_upstream("/", &json!({}))];
    let words = refusal(&probe(&json!({"request": {"header": []}})), &all);
    assert!(
        words.contains("configuration of filter probe: request.header: unknown field `header`"),
        "{words}"
    );
    assert!(words.contains("Failed to initialize dynamic module"), "{words}");

    let words = refusal(&probe(&json!({"refuse": "two\nlines"})), &all);
    assert!(words.contains("configuration of filter probe: refuse: two lines"), "{words}");

    let words = refusal(&module("unheard", &json!({})), &all);
    assert!(words.contains(r#"no filter "unheard" in this module; it has: probe"#), "{words}");

    let routed = [to_upstream("/", &per_route("probe", &json!({"response": {"data": [{"panick": 1}]}})))];
    let words = refusal(&probe(&json!({})), &routed);
    assert!(
        words.contains("configuration of filter probe: response.data[0]: unknown variant `panick`"),
        "{words}"
    );

    let misnamed = [to_upstream("/", &per_route("unheard", &json!({})))];
    let words = refusal(&probe(&json!({})), &misnamed);
    assert!(words.contains(r#"no filter "unheard" in this module"#), "{words}");
}

#[test]
fn a_refused_update_leaves_the_last_good_configuration() {
    let all = [to_upstream("/", &json!({}))];
    let rig = Rig::new(
        &probe(&json!({"response": {"headers": [{"set": {"name": "x-is", "value": "good"}}]}})),
        &all,
    );
    rig.update(&probe(&json!({"response": {"headers": [{"set": {"name": "x-is"}}]}})), &all);
    rig.wait_for_stat("listener_manager.lds.update_rejected", 1);
    rig.wait_for_log(&["configuration of filter probe: response.headers[0].set: missing field `value`"]);
    assert_eq!(rig.client().ask("GET", "/", "").unwrap().field("x-is"), Some("good"));
}

#[test]
fn clients_that_go_away_while_held_leave_nothing_behind() {
    const CLIENTS: u64 = 200;
    let call = |path: &str| json!({"request": {"headers": [{"call": {"cluster": "callout", "path": path}}]}});
    let routes = [
        to_upstream("/held", &per_route("probe", &call("/silent"))),
        to_upstream("/", &per_route("probe", &call("/"))),
    ];
    let rig = Rig::new(&probe(&json!({})), &routes);
    let held = "POST /held HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf";
    let streams: Vec<_> = (0..CLIENTS).map(|_| rig.client().begin(held)).collect();
    rig.wait_for_stat("cluster.callout.upstream_rq_active", CLIENTS);
    drop(streams);
    rig.wait_for_stat("http.test.downstream_rq_active", 0);
    rig.wait_for_stat("cluster.callout.upstream_rq_active", 0);
    assert_eq!((rig.counted("done"), rig.counted("panicked")), (CLIENTS, 0));
    assert_eq!(rig.stat("cluster.upstream.upstream_rq_total"), 0);
    assert_eq!(rig.client().ask("POST", "/", "whole").unwrap().status(), 200);
}

#[test]
fn thousands_of_panics_end_no_more_than_their_own_streams() {
    const EACH: u64 = 1_500;
    let routes = [
        to_upstream("/headers", &per_route("probe", &json!({"request": {"headers": ["panic"]}}))),
        to_upstream("/body", &per_route("probe", &json!({"request": {"body": ["panic"]}}))),
        to_upstream("/response", &per_route("probe", &json!({"response": {"headers": ["panic"]}}))),
        to_upstream("/done", &per_route("probe", &json!({"done": ["panic"]}))),
        to_upstream("/", &json!({})),
    ];
    let rig = Rig::new(&probe(&json!({})), &routes);
    let mut client = rig.client();
    for _ in 0..EACH {
        assert_eq!(client.ask("POST", "/headers", "abc").unwrap().status(), 500);
        assert_eq!(client.ask("POST", "/body", "abc").unwrap().status(), 500);
        assert!(client.ask("GET", "/response", "").is_none(), "a response panic is a reset");
        assert_eq!(client.ask("GET", "/done", "").unwrap().status(), 200);
    }
    rig.wait_for_stat("http.test.downstream_rq_active", 0);
    assert_eq!((rig.counted("panicked"), rig.counted("done")), (4 * EACH, 4 * EACH));
    assert_eq!(client.ask("GET", "/", "").unwrap().body, "ok");
}

#[test]
fn a_configuration_is_replaced_under_load_and_no_request_is_lost() {
    const UPDATES: u32 = 30;
    let filter = |version: u32| {
        let set = json!({"set": {"name": "x-version", "value": version.to_string()}});
        probe(&json!({"request": {"body": []}, "response": {"headers": [set]}}))
    };
    let all = [to_upstream("/", &json!({}))];
    let rig = Rig::new(&filter(0), &all);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let load: Vec<_> = (0..4).map(|_| scope.spawn(|| versions_seen(&rig, &over))).collect();
        for version in 1..=UPDATES {
            rig.update(&filter(version), &all);
            let mut client = rig.client();
            while client.ask("GET", "/", "").unwrap().field("x-version") != Some(&*version.to_string()) {
                thread::sleep(Duration::from_millis(5));
            }
        }
        over.store(true, Ordering::Relaxed);
        for thread in load {
            let seen = thread.join().unwrap();
            assert!(seen.is_sorted(), "{seen:?}");
        }
    });
    assert_eq!(rig.client().ask("GET", "/", "").unwrap().field("x-version"), Some("30"));
    assert_eq!(rig.counted("panicked"), 0);
}

/// Asks until it is over; every request is answered.
fn versions_seen(rig: &Rig, over: &AtomicBool) -> Vec<u32> {
    let (mut client, mut seen) = (rig.client(), Vec::new());
    while !over.load(Ordering::Relaxed) {
        let answer = client.ask("POST", "/", "abc").expect("a request was lost");
        assert_eq!(answer.status(), 200);
        seen.push(answer.field("x-version").unwrap().parse().unwrap());
        thread::sleep(Duration::from_millis(1));
    }
    seen
}

#[test]
fn a_module_that_no_one_needs_is_let_go_and_comes_back() {
    let mark =
        |value: &str| probe(&json!({"response": {"headers": [{"set": {"name": "x-is", "value": value}}]}}));
    let other = json!({"name": "other", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer", "max_request_bytes": 1000,
    }});
    let all = [to_upstream("/", &json!({}))];
    let rig = Rig::with_drain_time(Duration::from_secs(1), &mark("before"), &all);
    for (filter, expected) in [(&other, None), (&mark("after"), Some("after")), (&other, None)] {
        rig.update(filter, &all);
        let until = Instant::now() + PATIENCE;
        while rig.client().ask("GET", "/", "").unwrap().field("x-is") != expected {
            assert!(Instant::now() < until, "x-is never became {expected:?}");
            thread::sleep(Duration::from_millis(5));
        }
        rig.wait_for_stat("listener_manager.total_filter_chains_draining", 0);
    }
    let loads =
        rig.envoy.log().since(0).iter().filter(|line| line.contains("ABI version v0.2.0 matched")).count();
    assert_eq!((loads, rig.envoy.exit_status()), (2, None));
}
