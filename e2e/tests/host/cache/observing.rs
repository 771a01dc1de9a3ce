//! What operators see: access logs by metadata, and counters of what comes and goes.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::origin::answering;
use super::{before, counted, get, native, ok, origin};
use crate::rig::{self, PATIENCE, Rig, listener_manager, to_upstream};
use crate::streaming::wire::Wire;

/// The cache as wasm with this configuration.
fn wasm(config: &Value) -> Value {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).unwrap();
    let module = target.join("wasm/cache.wasm");
    assert!(module.is_file(), "{} is missing; build it by `just wasm`", module.display());
    let configuration = json!({"default": config}).to_string();
    json!({"name": "cache", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "cache",
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}},
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration},
            "allow_on_headers_stop_iteration": true,
        },
    }})
}

fn logging(listener: &TcpListener, filter: &Value, file: &Path, format: &Value) -> Rig {
    let port = listener.local_addr().unwrap().port();
    Rig::edited(PATIENCE, filter, &[to_upstream("/", &json!({}))], |bootstrap, listener| {
        bootstrap["static_resources"]["clusters"] = json!([rig::cluster("upstream", port)]);
        listener_manager(listener)["access_log"] = json!([{"name": "file", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": file,
            "log_format": {"json_format": format},
        }}]);
    })
}

/// What the access log says of a miss, a hit, and a request that the policy has pass by.
fn logged(filter: impl Fn(&Value) -> Value, format: &Value) -> Vec<Value> {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("access.log");
    let origin = origin();
    answering(&origin, |_| (ok(2, "") + "ok").into_bytes());
    let config = json!({
        "observe": {"metadata": true}, "bypass": [{"pathPrefix": "/by"}], "storage": {"name": "observed"},
    });
    let rig = logging(&origin, &filter(&config), &file, format);
    for path in ["/a", "/a", "/by"] {
        let mut client = Wire::to(&rig);
        client.send(get(path));
        client.head();
        assert_eq!(client.exactly(2), "ok");
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let lines = fs::read_to_string(&file).unwrap_or_default();
        let entries: Vec<Value> =
            lines.split_inclusive('\n').map_while(|line| serde_json::from_str(line).ok()).collect();
        if entries.len() == 3 {
            return entries;
        }
        assert!(Instant::now() < until, "{lines}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn access_logs_show_what_became_of_a_request_by_dynamic_metadata() {
    let entries = logged(native, &json!({"cache": "%DYNAMIC_METADATA(ferrule.cache)%"}));
    let told = |place: usize, key: &str| entries[place]["cache"][key].clone();
    let key = "http://test/a";
    for (place, result, reason) in
        [(0, "miss", json!("uri-miss")), (1, "hit", Value::Null), (2, "bypass", json!("rule"))]
    {
        assert_eq!((told(place, "result"), told(place, "reason")), (json!(result), reason), "{entries:?}");
        assert_eq!(told(place, "storage"), "observed");
    }
    assert_eq!((told(0, "key"), told(1, "key")), (json!(key), json!(key)));
    assert!(told(1, "age").as_f64().is_some_and(|age| age < 60.0), "{entries:?}");
    assert!(told(1, "ttl").as_f64().is_some_and(|ttl| ttl > 0.0), "{entries:?}");
    assert_eq!((told(0, "age"), told(2, "ttl")), (Value::Null, Value::Null));
}

#[test]
fn as_wasm_access_logs_show_it_by_filter_state() {
    let format = json!({
        "result": "%FILTER_STATE(wasm.ferrule.cache.result:PLAIN)%",
        "reason": "%FILTER_STATE(wasm.ferrule.cache.reason:PLAIN)%",
    });
    // One worker's store is not another's, so that the second request may be a miss as well.
    let entries = logged(wasm, &format);
    assert_eq!(entries[0], json!({"result": "miss", "reason": "uri-miss"}));
    assert!(entries[1]["result"] == "hit" || entries[1]["reason"] == "uri-miss", "{entries:?}");
    assert_eq!(entries[2], json!({"result": "bypass", "reason": "rule"}));
}

#[test]
fn what_comes_and_goes_is_counted() {
    const BYTES: u64 = 1 << 20;
    let listener = origin();
    let rig = before(&listener, &json!({"storage": {"bytes": BYTES}}));
    let large = "x".repeat(20_000);
    answering(&listener, move |_| (ok(large.len(), "") + &large).into_bytes());
    let mut client = Wire::to(&rig);
    for key in 0..100 {
        client.send(get(&format!("/{key}")));
        client.head();
        client.exactly(20_000);
    }
    let until = Instant::now() + PATIENCE;
    let there = |what: &str| {
        counted(&rig, &format!("{what}_added")).saturating_sub(counted(&rig, &format!("{what}_removed")))
    };
    // Counters come a moment after the answers.
    while counted(&rig, "stored") < 100 || counted(&rig, "objects_added") < 100 {
        assert!(Instant::now() < until, "{} stored", counted(&rig, "stored"));
        std::thread::sleep(Duration::from_millis(20));
    }
    let (objects, bytes, evicted) = (there("objects"), there("bytes"), counted(&rig, "evicted"));
    assert!((30..=52).contains(&objects), "{objects} objects");
    assert!(bytes > objects * 20_000 && bytes <= BYTES, "{bytes} bytes");
    assert_eq!(objects + evicted, 100);
}
