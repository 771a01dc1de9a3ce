//! The `lambda` and `aws_signing` filters on real Envoy, where time matters: results that come piece by piece, credentials that
//! change while they are in use, and what the log tells.

mod builtin;
mod credentials;
mod endpoint;
mod frames;
mod source;

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::{self, PATIENCE, Rig, to_upstream};
use crate::streaming::wire::Wire;
use frames::{chunk, complete};
use source::Source as _;

/// Pieces that a result comes in.
const PIECES: usize = 8;

/// A filter of the native module with its listener's configuration.
fn native(filter: &str, config: &Value) -> Value {
    let module = rig::modules().join("libferrule.so");
    assert!(module.is_file(), "{} is missing; build it by `just native`", module.display());
    json!({"name": filter, "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
        "dynamic_module_config": {"name": "ferrule"},
        "filter_name": filter,
        "filter_config": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": config},
    }})
}

/// The same filter as a wasm module.
fn wasm(filter: &str, config: &Value) -> Value {
    let module = envoy_harness::envoy::Built::here().unwrap().target().join(format!("wasm/{filter}.wasm"));
    assert!(module.is_file(), "{} is missing; build it by `just wasm`", module.display());
    json!({"name": filter, "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": filter,
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}},
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": json!({"default": config}).to_string(),
            },
            "allow_on_headers_stop_iteration": true,
        },
    }})
}

/// A configuration that calls `hello` with these more members.
fn calls(more: &Value) -> Value {
    let mut config = json!({"functionName": "hello", "region": "us-east-1",
        "credentials": {"static": {"accessKey": "AKID", "secretKey": "s3cret-key"}}});
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

/// Envoy with the filter before an upstream on that port, which may be asked to call functions, and with changes to the bootstrap.
fn before(port: u16, filter: &Value, edit: impl FnOnce(&mut Value)) -> Rig {
    Rig::edited(PATIENCE, filter, &[to_upstream("/", &json!({}))], |bootstrap, _| {
        let mut cluster = rig::cluster("upstream", port);
        cluster["metadata"] = json!({"filter_metadata": {"com.amazonaws.lambda": {"egress_gateway": true}}});
        bootstrap["static_resources"]["clusters"] = json!([cluster]);
        edit(bootstrap);
    })
}

/// Envoy, a client that has made a request, and the endpoint's end, which has read it.
fn streaming(mode: &str) -> (Rig, Wire, Wire) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = calls(&json!({"invocationMode": "ResponseStream", "payloadMode": mode}));
    let rig = before(listener.local_addr().unwrap().port(), &native("lambda", &config), |_| {});
    let mut client = Wire::to(&rig);
    client.send("GET /events HTTP/1.1\r\nhost: test\r\n\r\n");
    let mut endpoint = Wire::accept(&listener);
    let head = endpoint.head();
    assert!(head.starts_with("post /2021-11-15/functions/hello/response-streaming-invocations "), "{head}");
    endpoint.send(
        "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    (rig, client, endpoint)
}

#[test]
fn a_streamed_result_is_read_before_the_next_piece_of_it_is_sent() {
    let (_rig, mut client, mut endpoint) = streaming("ApiGatewayV2");
    let head = br#"{"statusCode": 203, "headers": {"content-type": "text/event-stream"}}"#;
    endpoint.send_bytes(&chunk(&[head, &[0; 8][..]].concat()));
    let head = client.head();
    assert!(head.starts_with("http/1.1 203 ") && head.contains("content-type: text/event-stream"), "{head}");
    for piece in 0..PIECES {
        let piece = format!("data: {piece}\n\n");
        endpoint.send_bytes(&chunk(piece.as_bytes()));
        client.until(&piece);
    }
    endpoint.send_bytes(&complete(b"{}"));
    endpoint.send("0\r\n\r\n");
    client.until("\r\n0\r\n\r\n");
}

#[test]
fn a_frame_goes_on_as_soon_as_it_is_whole_whatever_it_comes_with() {
    let (_rig, mut client, mut endpoint) = streaming("None");
    let (first, second) = (chunk(b"first"), chunk(b"second"));
    let (begun, rest) = second.split_at(second.len() / 2);
    endpoint.send_bytes(&[&first, begun].concat());
    client.head();
    client.until("first");
    endpoint.send_bytes(rest);
    client.until("second");
}

#[test]
fn a_frame_that_was_changed_on_its_way_resets_what_has_begun() {
    let (rig, mut client, mut endpoint) = streaming("None");
    endpoint.send_bytes(&chunk(b"good"));
    client.head();
    client.until("good");
    let mut wrong = chunk(b"evil");
    let at = wrong.iter().rposition(|byte| *byte == b'e').unwrap();
    wrong[at] ^= 1;
    endpoint.send_bytes(&wrong);
    rig.wait_for_stat("dynamicmodulescustom.lambda.broken_stream", 1);
    client.until_closed("evil");
}

#[test]
fn neither_events_nor_results_nor_secrets_reach_the_log() {
    let endpoint = endpoint::Endpoint::answering(|request| {
        let body = if request.body.contains("malformed") {
            r#"{"statusCode": "h1dden-result"}"#
        } else {
            r#"{"statusCode": 200, "body": "h1dden-result"}"#
        };
        endpoint::Answer::ok(body)
    });
    let config = calls(&json!({"payloadMode": "ApiGatewayV2"}));
    let rig = before(endpoint.port, &native("lambda", &config), |_| {});
    let mut client = rig.client();
    for (path, status) in [("/?h1dden-event", 200), ("/malformed?h1dden-event", 502)] {
        assert_eq!(client.ask("POST", path, "h1dden-event").unwrap().status(), status, "{path}");
    }
    let log = wait_for("a line of the log", || {
        let log = rig.envoy.log().since(0).join("\n");
        log.contains("has a statusCode that is none").then_some(log)
    });
    for secret in ["h1dden-event", "h1dden-result", "s3cret-key"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

/// The bootstrap of the filter's README, with an endpoint of ours behind it.
#[test]
fn the_readmes_bootstrap_calls_the_function() {
    let endpoint = endpoint::Endpoint::answering(|_| endpoint::Answer::ok(r#"{"body": "called"}"#));
    let secret = source::File::new();
    secret.put(r#"{"accessKey": "AKID", "secretKey": "s3cret-key"}"#);
    let readme = include_str!("../../../../filters/lambda/README.md");
    let example = readme.split("```yaml\n").find(|block| block.starts_with("node:")).unwrap();
    let example = example.split("```").next().unwrap();
    let example = example.replace("/etc/aws/secret.yaml", &secret.path().display().to_string());
    let mut bootstrap: Value = serde_saphyr::from_str(&example).unwrap();
    let resources = &mut bootstrap["static_resources"];
    resources["clusters"] = json!([rig::cluster("lambda", endpoint.port)]);
    let port = e2e::free_port();
    resources["listeners"][0]["address"]["socket_address"]["port_value"] = port.into();
    let mut launch = envoy_bootstrap::Launch::new(envoy_bootstrap::fetch().unwrap(), bootstrap.to_string());
    launch.modules = Some(rig::modules().to_owned());
    let envoy = launch.spawn().unwrap();
    let mut client = rig::Client::to(port);
    let answer = wait_for("an answer", || client.ask("GET", "/hello", ""));
    assert_eq!(
        (answer.status(), answer.body.as_str()),
        (200, "called"),
        "{}",
        envoy.log().since(0).join("\n")
    );
    let request = endpoint.requests().pop().unwrap();
    assert_eq!(
        (request.access_key(), request.field("host")),
        (Some("AKID"), Some("lambda.eu-west-1.amazonaws.com"))
    );
}

/// Asks `look` until it gives something.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} never came");
        thread::sleep(Duration::from_millis(5));
    }
}
