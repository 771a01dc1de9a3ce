//! What filters get from Envoy, and give it, besides messages, on real Envoy: secrets, spans, metrics, access logs.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::memory::growth;
use crate::rig::{PATIENCE, Rig, cluster, listener_manager, per_route, probe, to_upstream};

/// The probe as a plugin with this configuration on all routes.
fn plugin(config: &Value) -> Value {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).unwrap();
    let module = target.join("wasm/probe.wasm");
    assert!(module.is_file(), "{} is missing; build it by `just wasm`", module.display());
    json!({"name": "probe", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "probe",
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}},
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": json!({"default": config, "bufferLimit": 1 << 30}).to_string(),
            },
            "allow_on_headers_stop_iteration": true,
        },
    }})
}

fn all() -> [Value; 1] {
    [to_upstream("/", &json!({}))]
}

/// Asks `look` until it gives something.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} never came");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Puts a secret in the place of the one in the file, at once as Envoy's watch wants it.
fn write_secret(file: &Path, secret: &str) {
    let next = file.with_extension("next");
    let resource = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": "rotated",
        "generic_secret": {"secret": {"inline_string": secret}},
    });
    fs::write(&next, json!({"resources": [resource]}).to_string()).unwrap();
    fs::rename(&next, file).unwrap();
}

/// Shows secrets in fields of the response.
fn shows(secrets: &[&str]) -> Value {
    let show = |secret: &&str| json!({"secret": {"secret": secret, "into": {"name": format!("x-{secret}")}}});
    json!({"headers": secrets.iter().map(show).collect::<Vec<_>>()})
}

#[test]
fn secrets_are_read_from_the_bootstrap_and_by_sds_and_follow_their_rotation() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("secret.json");
    write_secret(&file, "first");
    let source = json!({"path_config_source": {"path": file}, "resource_api_version": "V3"}).to_string();
    let listener = json!({
        "secrets": {"fixed": null, "rotated": source},
        "response": shows(&["fixed", "rotated", "unheard"]),
    });
    let routes = [
        to_upstream("/own", &per_route("probe", &json!({"response": shows(&["fixed", "rotated"])}))),
        to_upstream("/", &json!({})),
    ];
    let rig = Rig::edited(PATIENCE, &probe(&listener), &routes, |bootstrap, _| {
        bootstrap["static_resources"]["secrets"] =
            json!([{"name": "fixed", "generic_secret": {"secret": {"inline_string": "static"}}}]);
    });
    let mut client = rig.client();
    for (path, unheard) in [("/", Some("none")), ("/own", None)] {
        let answer = client.ask("GET", path, "").unwrap();
        let fields = ["x-fixed", "x-rotated", "x-unheard"].map(|name| answer.field(name));
        assert_eq!(fields, [Some("static"), Some("first"), unheard], "{path}");
    }
    write_secret(&file, "second");
    for path in ["/", "/own"] {
        wait_for("the new secret", || {
            (client.ask("GET", path, "").unwrap().field("x-rotated") == Some("second")).then_some(())
        });
    }
}

#[test]
fn a_secret_that_its_source_does_not_have_reads_as_none_until_it_comes() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("secret.json");
    fs::write(&file, json!({"resources": []}).to_string()).unwrap();
    let source = json!({"path_config_source": {"path": file}, "resource_api_version": "V3"}).to_string();
    let config = json!({"secrets": {"rotated": source}, "response": shows(&["rotated"])});
    let rig = Rig::new(&probe(&config), &all());
    let mut client = rig.client();
    assert_eq!(client.ask("GET", "/", "").unwrap().field("x-rotated"), Some("none"));
    write_secret(&file, "come");
    wait_for("the secret", || {
        (client.ask("GET", "/", "").unwrap().field("x-rotated") == Some("come")).then_some(())
    });
}

#[test]
fn a_secret_that_envoy_cannot_follow_is_refused_by_its_name() {
    let rig = Rig::new(&probe(&json!({})), &all());
    let sources = [
        (
            json!({"missing": null}),
            r#"secret "missing": the bootstrap has no static generic secret of that name"#,
        ),
        (json!({"odd": "{\"pathy\": 1}"}), r#"secret "odd": its source is no ConfigSource that Envoy takes"#),
        (json!({"odd": "no json"}), r#"secret "odd": its source is no ConfigSource that Envoy takes"#),
    ];
    for (count, (secrets, words)) in (1..).zip(sources) {
        rig.update(&probe(&json!({"secrets": secrets})), &all());
        rig.wait_for_stat("listener_manager.lds.update_rejected", count);
        rig.wait_for_log(&[words]);
    }
    assert_eq!(rig.client().ask("GET", "/", "").unwrap().status(), 200);
}

/// A collector of spans in Zipkin's JSON: its port, and what it is sent.
fn collector() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, receive) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let send = send.clone();
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(1..) = stream.read(&mut bytes) {
                    let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
                    bytes = [0; 4096];
                    let _ = stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
                }
            });
        }
    });
    (port, receive)
}

/// Has all streams traced, and their spans sent to the port as soon as they are over.
fn traced(port: u16, bootstrap: &mut Value, listener: &mut Value) {
    bootstrap["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster("collector", port));
    bootstrap["layered_runtime"] = json!({"layers": [{"name": "static", "static_layer": {
        "tracing.zipkin.min_flush_spans": 1, "tracing.zipkin.flush_interval_ms": 50}}]});
    listener_manager(listener)["tracing"] = json!({"random_sampling": {"value": 100}, "provider": {
        "name": "envoy.tracers.zipkin",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig",
            "collector_cluster": "collector",
            "collector_endpoint": "/spans",
            "collector_hostname": "collector",
            "collector_endpoint_version": "HTTP_JSON",
        },
    }});
}

/// The names of the spans of one request.
fn span_named(filter: &Value, expected: &str) {
    let (port, spans) = collector();
    let rig = Rig::edited(PATIENCE, filter, &all(), |bootstrap, listener| traced(port, bootstrap, listener));
    assert_eq!(rig.client().ask("GET", "/", "").unwrap().status(), 200);
    let mut seen = String::new();
    let name = format!(r#""name":"{expected}""#);
    while !seen.contains(&name) {
        match spans.recv_timeout(PATIENCE) {
            Ok(span) => seen.push_str(&span),
            Err(_) => panic!("no span {expected:?}: {seen}"),
        }
    }
}

#[test]
fn native_filters_name_the_span_at_any_time() {
    let name = json!([{"spanName": "checkout"}]);
    span_named(&probe(&json!({"request": {"headers": name}})), "checkout");
    span_named(&probe(&json!({"response": {"headers": name}})), "checkout");
}

#[test]
fn a_name_for_a_span_does_nothing_on_wasm_or_untraced() {
    let name = json!({"request": {"headers": [{"spanName": "checkout"}]}});
    span_named(&plugin(&name), "test");
    let rig = Rig::new(&probe(&name), &all());
    assert_eq!(rig.client().ask("GET", "/", "").unwrap().status(), 200);
}

/// One request to a filter yields these lines of Envoy's statistics.
fn measured(filter: &Value, expected: &[&str]) {
    let rig = Rig::new(filter, &all());
    assert_eq!(rig.client().ask("GET", "/", "").unwrap().status(), 200);
    let stats = |path: &str| rig.admin.get(path).unwrap().body;
    for line in expected {
        wait_for(line, || {
            let seen = stats("/stats") + &stats("/stats/prometheus");
            seen.lines().any(|seen| seen == *line).then_some(())
        });
    }
}

#[test]
fn metrics_of_a_prefix_stand_beside_the_filters_own() {
    let config = json!({"statPrefix": "shop", "request": {"headers": [{"count": 3}, {"record": 20}]}});
    measured(
        &probe(&config),
        &[
            "dynamicmodulescustom.probe.counted: 3",
            "dynamicmodulescustom.probe.route.counted.stat_prefix.shop: 3",
            "envoy_dynamicmodulescustom_probe_counted{} 3",
            "envoy_dynamicmodulescustom_probe_route_counted{stat_prefix=\"shop\"} 3",
            "envoy_dynamicmodulescustom_probe_recorded_count{} 1",
            "envoy_dynamicmodulescustom_probe_route_recorded_count{stat_prefix=\"shop\"} 1",
            "envoy_dynamicmodulescustom_probe_route_recorded_bucket{stat_prefix=\"shop\",le=\"25\"} 1",
        ],
    );
    measured(
        &plugin(&config),
        &[
            "wasmcustom.probe.counted: 3",
            "wasmcustom.probe.shop.counted: 3",
            "probe_counted{} 3",
            "probe_shop_counted{} 3",
            "probe_recorded_count{} 1",
            "probe_shop_recorded_count{} 1",
        ],
    );
}

#[test]
fn without_a_prefix_there_are_no_metrics_of_one() {
    let config = json!({"request": {"headers": [{"count": 3}, {"record": 20}]}});
    let rig = Rig::new(&probe(&config), &all());
    assert_eq!(rig.client().ask("GET", "/", "").unwrap().status(), 200);
    rig.wait_for_stat("dynamicmodulescustom.probe.counted", 3);
    let seen = rig.admin.get("/stats").unwrap().body;
    assert!(!seen.contains("probe.route"), "{seen}");
}

/// What the access log says of a filter's streams: one that is answered, and one whose client goes away before.
fn logged(filter: &Value, format: &Value) -> [Value; 2] {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("access.log");
    let rig = Rig::edited(PATIENCE, filter, &all(), |_, listener| {
        listener_manager(listener)["access_log"] = json!([{"name": "file", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": file,
            "log_format": {"json_format": format},
        }}]);
    });
    assert_eq!(rig.client().ask("GET", "/", "").unwrap().status(), 200);
    let gone = rig.client().begin("GET /silent HTTP/1.1\r\nhost: test\r\n\r\n");
    rig.wait_for_stat("cluster.upstream.upstream_rq_active", 1);
    drop(gone);
    wait_for("the access log", || {
        let lines = fs::read_to_string(&file).unwrap_or_default();
        let entries: Vec<Value> =
            lines.split_inclusive('\n').map_while(|line| serde_json::from_str(line).ok()).collect();
        entries.try_into().ok()
    })
}

/// Attributes and fields that can be read when a stream is over: name, then as they are for a stream that is answered, and
/// for one that is not.
const READ_AT_THE_END: [(&str, &str, &str); 10] = [
    ("request.method", "text:GET", "text:GET"),
    ("request.path", "text:/", "text:/silent"),
    ("request.protocol", "text:HTTP/1.1", "text:HTTP/1.1"),
    ("response.code", "int:200", "none"),
    ("response.code_details", "text:via_upstream", "text:downstream_remote_disconnect"),
    ("response.flags", "int:0", "int:16384"),
    ("response.size", "int:2", "int:0"),
    ("xds.cluster_name", "text:upstream", "text:upstream"),
    ("requestHeaders", "text:/", "text:/silent"),
    ("responseHeaders", "text:200", "none"),
];

/// A probe that keeps them all for the access log.
fn keeps_at_the_end() -> Value {
    let keep = |(key, ..): (&str, &str, &str)| match key {
        "requestHeaders" => json!({"keep": {"field": {"name": ":path", "in": key}, "key": key}}),
        "responseHeaders" => json!({"keep": {"field": {"name": ":status", "in": key}, "key": key}}),
        attribute => json!({"keep": {"attribute": attribute, "key": key}}),
    };
    json!({"done": READ_AT_THE_END.map(keep)})
}

#[test]
fn what_a_filter_sets_when_a_stream_is_over_is_logged() {
    let all = |pick: fn(&(&str, &'static str, &'static str)) -> &'static str| -> Value {
        READ_AT_THE_END.iter().map(|read| (read.0.to_owned(), Value::from(pick(read)))).collect()
    };
    let expected = [all(|read| read.1), all(|read| read.2)];
    let native = logged(&probe(&keeps_at_the_end()), &json!({"kept": "%DYNAMIC_METADATA(probe)%"}));
    assert_eq!(native.map(|mut entry| entry["kept"].take()), expected);
    let state =
        |(key, ..): (&str, _, _)| (key.to_owned(), format!("%FILTER_STATE(wasm.probe.{key}:PLAIN)%").into());
    let format: Value = READ_AT_THE_END.map(state).into_iter().collect::<serde_json::Map<_, _>>().into();
    assert_eq!(logged(&plugin(&keeps_at_the_end()), &format), expected);
}

#[test]
fn a_large_body_that_is_taken_and_put_back_is_held_twice_at_most() {
    const BODY: usize = 64 * 1024 * 1024;
    let length = json!({"set": {"name": "content-length", "value": (BODY + 2).to_string()}});
    let config = json!({"request": {"body": [{"encloseBody": {"before": "<", "after": ">"}}, length]}});
    for filter in [probe(&config), plugin(&config)] {
        let rig = Rig::edited(PATIENCE, &filter, &all(), |_, listener| {
            listener["per_connection_buffer_limit_bytes"] = (2 * BODY).into();
        });
        let ((), grown) = growth(rig.envoy.id(), || {
            assert_eq!(rig.client().ask("POST", "/", &"x".repeat(BODY)).unwrap().status(), 200);
        });
        // Envoy takes a tenth more than a body to hold it.
        assert!(grown < 2 * BODY + BODY / 4, "{grown} bytes for {BODY}");
    }
}
