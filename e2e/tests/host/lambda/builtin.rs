//! Events and answers beside those of Envoy's built-in filter, for the same requests: equal but for what is named here.

use serde_json::{Value, json};

use super::endpoint::{Answer, Endpoint};
use super::{before, calls, native, wasm};
use crate::rig::Rig;
use crate::streaming::wire::Wire;

const RESULT: &str = r#"{"statusCode": 203, "headers": {"content-type": "text/plain", "x-made": "yes"},
    "cookies": ["a=1", "b=2"], "body": "bWFkZQ==", "isBase64Encoded": true}"#;

fn builtin() -> Value {
    json!({"name": "aws_lambda", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.aws_lambda.v3.Config",
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:hello",
        "credentials": {"access_key_id": "AKID", "secret_access_key": "s3cret-key"},
    }})
}

/// Our filter on both hosts.
fn both() -> [Side; 2] {
    let config = calls(&json!({}));
    [Side::of(&native("lambda", &config)), Side::of(&wasm("lambda", &config))]
}

/// One of the filters before an endpoint that returns [`RESULT`].
struct Side {
    endpoint: Endpoint,
    rig: Rig,
}

impl Side {
    fn of(filter: &Value) -> Self {
        let endpoint = Endpoint::answering(|_| Answer::ok(RESULT));
        Self { rig: before(endpoint.port, filter, |_| {}), endpoint }
    }

    /// The event of a request; it must be answered as the result says.
    fn event(&self, request: &str) -> Value {
        let mut client = Wire::to(&self.rig);
        client.send(request);
        let head = client.head();
        assert!(head.starts_with("http/1.1 203 "), "{head}");
        for line in
            ["content-type: text/plain\r\n", "x-made: yes\r\n", "set-cookie: a=1\r\n", "set-cookie: b=2\r\n"]
        {
            assert!(head.contains(line), "{line:?} is missing in {head:?}");
        }
        client.until("made");
        let mut event: Value = serde_json::from_str(&self.endpoint.requests().last().unwrap().body).unwrap();
        // Random, and so another one at each filter.
        event["headers"].as_object_mut().unwrap().remove("x-request-id");
        event
    }
}

fn request(method: &str, target: &str, fields: &str, body: &str) -> String {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{fields}{length}\r\n{body}")
}

#[test]
fn events_are_those_of_the_builtin_filter_but_for_named_differences() {
    let (ours, theirs) = (both(), Side::of(&builtin()));
    for request in [
        request("GET", "/", "", ""),
        request("GET", "/a/b%20c?x=1&y=%C3%A9&empty=&x=2", "x-a: 1\r\nX-A: 2\r\ncookie: a=1; b=2\r\n", ""),
        request("DELETE", "/a?", "", ""),
        request("POST", "/", "content-type: application/json\r\n", "{\"a\": \"caf\u{e9} \\u0000 <&>\"}"),
        request("PUT", "/x", "content-type: text/csv\r\n", "a,b\r\n\"\t\u{1f600}"),
        request("POST", "/x", "content-type: application/octet-stream\r\n", "\u{0}\u{1}bytes"),
        request("POST", "/x", "", "of no type"),
        request("PATCH", "/x", "content-type: application/xml\r\n", "<a/>"),
    ] {
        let wanted = theirs.event(&request);
        ours.iter().for_each(|side| assert_eq!(side.event(&request), wanted, "{request:?}"));
    }
    // A media type has parameters and is text all the same; what is compressed is not.
    for (fields, mine, other) in [
        ("content-type: application/json; charset=utf-8\r\n", ("{}", false), ("e30=", true)),
        ("content-type: application/json\r\ncontent-encoding: gzip\r\n", ("e30=", true), ("{}", false)),
    ] {
        let request = request("POST", "/", fields, "{}");
        let body = |side: &Side| {
            let event = side.event(&request);
            (event["body"].as_str().unwrap().to_owned(), event["is_base64_encoded"].as_bool().unwrap())
        };
        let named = |(body, encoded): (&str, bool)| (body.to_owned(), encoded);
        ours.iter().for_each(|side| assert_eq!(body(side), named(mine), "{fields}"));
        assert_eq!(body(&theirs), named(other), "{fields}");
    }
}

#[test]
fn calls_carry_nothing_of_the_client_where_the_builtin_filter_signs_and_sends_all() {
    let asked = request("GET", "/", "cookie: secret=1\r\nx-client: 1\r\n", "");
    let signed = |side: &Side| {
        side.event(&asked);
        let call = side.endpoint.requests().pop().unwrap();
        let names = call.field("authorization").unwrap().split_once("SignedHeaders=").unwrap().1;
        let sent = ["cookie", "x-client"].map(|name| call.field(name).is_some());
        (sent, names.split(", ").next().unwrap().to_owned())
    };
    for side in both() {
        let names = "content-type;host;x-amz-date;x-amz-invocation-type";
        assert_eq!(signed(&side), ([false, false], names.to_owned()));
    }
    let (sent, names) = signed(&Side::of(&builtin()));
    assert!(sent == [true, true] && names.contains("cookie;") && names.contains("x-client"), "{names}");
}
