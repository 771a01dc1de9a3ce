//! Events and answers beside those of Envoy's built-in filter, for the same requests: equal but for what is named here.

use serde_json::{Value, json};

use super::endpoint::{Answer, Endpoint};
use super::rig::Rig;
use super::wire::Wire;
use super::{before, calls, native};

const RESULT: &str = r#"{"statusCode": 203, "headers": {"content-type": "text/plain", "x-made": "yes"},
    "cookies": ["a=1", "b=2"], "body": "bWFkZQ==", "isBase64Encoded": true}"#;

fn builtin() -> Value {
    json!({"name": "aws_lambda", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.aws_lambda.v3.Config",
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:hello",
        "credentials": {"access_key_id": "AKID", "secret_access_key": "s3cret-key"},
    }})
}

/// One of the two filters before an endpoint that returns [`RESULT`].
struct Side {
    endpoint: Endpoint,
    rig: Rig,
}

impl Side {
    fn of(filter: &Value) -> Self {
        let endpoint = Endpoint::answering(|_| Answer::ok(RESULT));
        Self { rig: before(endpoint.port, filter), endpoint }
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
    let (ours, theirs) = (Side::of(&native("lambda", &calls(&json!({})))), Side::of(&builtin()));
    let json_type = "content-type: application/json\r\n";
    for request in [
        request("GET", "/", "", ""),
        request("GET", "/a/b%20c?x=1&y=%C3%A9&empty=&x=2", "x-a: 1\r\nX-A: 2\r\ncookie: a=1; b=2\r\n", ""),
        request("DELETE", "/a?", "", ""),
        request("POST", "/", json_type, "{\"a\": \"caf\u{e9} \\u0000 <&>\"}"),
        request("PUT", "/x", "content-type: text/csv\r\n", "a,b\r\n\"\t\u{1f600}"),
        request("POST", "/x", "content-type: application/octet-stream\r\n", "\u{0}\u{1}bytes"),
        request("POST", "/x", "", "of no type"),
        request("PATCH", "/x", "content-type: application/xml\r\n", "<a/>"),
    ] {
        assert_eq!(ours.event(&request), theirs.event(&request), "{request:?}");
    }
    // A media type has parameters, and is text all the same.
    let request = request("POST", "/", "content-type: application/json; charset=utf-8\r\n", "{}");
    let (mine, other) = (ours.event(&request), theirs.event(&request));
    assert_eq!((&mine["body"], &mine["is_base64_encoded"]), (&json!("{}"), &json!(false)));
    assert_eq!((&other["body"], &other["is_base64_encoded"]), (&json!("e30="), &json!(true)));
}

#[test]
fn calls_carry_nothing_of_the_client_where_the_builtin_filter_signs_and_sends_all() {
    let (ours, theirs) = (Side::of(&native("lambda", &calls(&json!({})))), Side::of(&builtin()));
    let asked = request("GET", "/", "cookie: secret=1\r\nx-client: 1\r\n", "");
    for side in [&ours, &theirs] {
        side.event(&asked);
    }
    let call = |side: &Side| side.endpoint.requests().pop().unwrap();
    assert_eq!((call(&ours).field("cookie"), call(&ours).field("x-client")), (None, None));
    assert_eq!(
        (call(&theirs).field("cookie"), call(&theirs).field("x-client")),
        (Some("secret=1"), Some("1"))
    );
    assert_eq!(
        call(&ours)
            .field("authorization")
            .unwrap()
            .split_once("SignedHeaders=")
            .unwrap()
            .1
            .split_once(", ")
            .unwrap()
            .0,
        "content-type;host;x-amz-date;x-amz-invocation-type"
    );
}
