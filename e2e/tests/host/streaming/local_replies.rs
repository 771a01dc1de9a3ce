//! Answers that Envoy makes itself, after the filter saw the request.

use bytes::Bytes;
use e2e::free_port;
use http::Request;
use serde_json::{Value, json};

use super::http2::{client, in_time, rest};
use super::place::{HOSTS, Host};
use super::wire::Wire;
use crate::rig::{PATIENCE, Rig, cluster, listener_manager, to_upstream};

/// Bytes of a request. Envoy then holds no more of the answer either.
const LIMIT: usize = 1000;

/// Shows the status in the body and in a field.
fn shows_status() -> Value {
    json!({"response": {
        "set": [{"name": "x-status", "value": "{{ header(':status') }}"}],
        "body": {"parseAs": "AsString", "value": "so {{ header(':status') }}: {{ body() }}"},
    }})
}

/// What follows the transformation, and refuses a second request or one of more than [`LIMIT`] bytes.
fn refusing() -> [Value; 2] {
    const FILTERS: &str = "type.googleapis.com/envoy.extensions.filters.http";
    let all = json!({"default_value": {"numerator": 100}});
    [
        json!({"name": "buffer", "typed_config": {
            "@type": format!("{FILTERS}.buffer.v3.Buffer"), "max_request_bytes": LIMIT}}),
        json!({"name": "local_ratelimit", "typed_config": {
            "@type": format!("{FILTERS}.local_ratelimit.v3.LocalRateLimit"),
            "stat_prefix": "test",
            "token_bucket": {"max_tokens": 1, "fill_interval": "3600s"},
            "filter_enabled": all,
            "filter_enforced": all,
        }}),
    ]
}

/// An Envoy whose upstream takes no connection.
fn refusing_envoy(host: Host) -> Rig {
    let routes = [to_upstream("/", &json!({}))];
    Rig::edited(PATIENCE, &host.filter(&shows_status()), &routes, |bootstrap, listener| {
        bootstrap["static_resources"]["clusters"] = json!([cluster("upstream", free_port())]);
        let filters = listener_manager(listener)["http_filters"].as_array_mut().unwrap();
        filters.splice(1..1, refusing());
    })
}

/// Lengths of requests, one after the other, and the status of Envoy's answers. The 413 leaves the one token to the next.
const ANSWERS: [(usize, u16); 3] = [(LIMIT + 1, 413), (1, 503), (1, 429)];

fn assert_shown(host: Host, status: u16, field: &str, body: &str) {
    assert_eq!(field, status.to_string(), "{host:?}");
    let original = body.strip_prefix(&format!("so {status}: "));
    assert!(original.is_some_and(|original| !original.is_empty()), "{host:?} {status}: {body:?}");
}

#[test]
fn local_replies_are_transformed_over_http1() {
    for host in HOSTS {
        let rig = refusing_envoy(host);
        for (length, status) in ANSWERS {
            let mut client = Wire::to(&rig);
            client.send("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
            client.send_chunk(&"x".repeat(length));
            client.send("0\r\n\r\n");
            let head = client.head();
            assert!(head.starts_with(&format!("http/1.1 {status} ")), "{host:?}: {head:?}");
            let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            let body = client.exactly(field("content-length: ").parse().unwrap());
            assert_shown(host, status, field("x-status: "), &body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local_replies_are_transformed_over_http2() {
    for host in HOSTS {
        let rig = refusing_envoy(host);
        for (length, status) in ANSWERS {
            in_time(async {
                let request = Request::post("http://test/").body(()).unwrap();
                let (answer, mut stream) = client(&rig).await.send_request(request, false).unwrap();
                // The buffer lets a body pass whose end comes with all of it.
                stream.send_data("x".repeat(length).into(), false).unwrap();
                stream.send_data(Bytes::new(), true).unwrap();
                let (head, mut body) = answer.await.unwrap().into_parts();
                assert_eq!(head.status.as_u16(), status, "{host:?}");
                let (body, _) = rest(&mut body).await;
                assert_eq!(head.headers["content-length"], body.len().to_string());
                assert_shown(host, status, head.headers["x-status"].to_str().unwrap(), &body);
            })
            .await;
        }
    }
}
