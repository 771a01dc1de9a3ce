#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn read(mode: PayloadMode, json: &str) -> Result<(u16, Vec<String>, Vec<u8>), Malformed> {
    let reader = Reader::new(mode);
    let answer = reader.read(json.as_bytes())?;
    let fields = answer.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    Ok((answer.status, fields, answer.body.into_owned()))
}

const MODES: [PayloadMode; 4] =
    [PayloadMode::Envoy, PayloadMode::ApiGatewayV1, PayloadMode::ApiGatewayV2, PayloadMode::Alb];

#[test]
fn all_formats_have_status_fields_and_body() {
    let json = r#"{"statusCode": "201", "headers": {"Content-Type": "text/plain", "X-N": 5, "x-b": true, "x-0": null},
        "isBase64Encoded": null, "body": "a\u0000\n\"é", "multiValueHeaders": null, "cookies": null, "other": [1]}"#;
    for mode in MODES {
        let wanted = ["content-type: text/plain", "x-n: 5", "x-b: true"].map(str::to_owned).to_vec();
        assert_eq!(read(mode, json), Ok((201, wanted, "a\0\n\"é".as_bytes().to_vec())), "{mode:?}");
    }
}

#[test]
fn bytes_are_exact_whatever_their_padding() {
    for body in ["/wAB", "/wABAA==", "/wABAA", "", "\\/wAB"] {
        let json = format!(r#"{{"statusCode": 200.0, "body": "{body}", "isBase64Encoded": true}}"#);
        let bytes: &[u8] = match body.len() {
            0 => b"",
            4 | 5 => &[255, 0, 1],
            _ => &[255, 0, 1, 0],
        };
        assert_eq!(read(PayloadMode::Alb, &json).unwrap().2, bytes, "{body}");
    }
}

#[test]
fn lists_of_values_win_over_single_ones() {
    let json = r#"{"statusCode": 200, "headers": {"X-A": "0", "x-b": "1"}, "multiValueHeaders": {"x-a": ["1", 2], "x-c": "3"}}"#;
    let (_, fields, _) = read(PayloadMode::ApiGatewayV1, json).unwrap();
    assert_eq!(fields, ["x-a: 1", "x-a: 2", "x-c: 3", "x-b: 1", "content-type: application/json"]);
}

#[test]
fn cookies_are_lines_of_their_own_where_the_format_has_them() {
    let json = r#"{"statusCode": 200, "headers": {"content-type": "x/y"}, "cookies": ["a=1", "b=2"]}"#;
    let cookies = |mode| read(mode, json).unwrap().1.split_off(1);
    assert_eq!(cookies(PayloadMode::ApiGatewayV2), ["set-cookie: a=1", "set-cookie: b=2"]);
    assert_eq!(cookies(PayloadMode::Envoy), ["set-cookie: a=1", "set-cookie: b=2"]);
    assert!(cookies(PayloadMode::ApiGatewayV1).is_empty());
}

#[test]
fn format_2_infers_what_is_missing() {
    for (json, body) in [
        (r#"{"message": "hi"}"#, &br#"{"message": "hi"}"#[..]),
        (r#" [1, 2] "#, b"[1, 2]"),
        (r#""Hello \"you\"""#, b"Hello \"you\""),
        ("null", b"null"),
        (r#"{"statusCode": null}"#, br#"{"statusCode": null}"#),
    ] {
        let wanted = (200, vec!["content-type: application/json".to_owned()], body.to_vec());
        assert_eq!(read(PayloadMode::ApiGatewayV2, json), Ok(wanted), "{json}");
    }
    assert_eq!(read(PayloadMode::Envoy, "{}").unwrap().0, 200);
    for mode in [PayloadMode::ApiGatewayV1, PayloadMode::Alb] {
        assert_eq!(read(mode, "{}"), Err(Malformed::NoStatus));
        assert_eq!(read(mode, "[]"), Err(Malformed::NoObject));
    }
}

#[test]
fn framing_and_pseudo_fields_are_not_the_functions() {
    let json = r#"{"statusCode": 200, "headers": {":status": "500", "Content-Length": "9", "Transfer-Encoding": "x",
        "connection": "close", "content-type": "a/b"}}"#;
    assert_eq!(read(PayloadMode::Envoy, json).unwrap().1, ["content-type: a/b"]);
}

#[test]
fn wrong_types_are_refused() {
    for (member, error) in [
        (r#""statusCode": 600"#, Malformed::Status),
        (r#""statusCode": 199"#, Malformed::Status),
        (r#""statusCode": 200.5"#, Malformed::Status),
        (r#""statusCode": "ok""#, Malformed::Status),
        (r#""statusCode": "NaN""#, Malformed::Status),
        (r#""statusCode": []"#, Malformed::Status),
        (r#""statusCode": true"#, Malformed::Status),
        (r#""headers": []"#, Malformed::Type("headers")),
        (r#""headers": {"a": {}}"#, Malformed::Type("a header's value")),
        (r#""headers": {"a b": "1"}"#, Malformed::Name),
        (r#""headers": {"": "1"}"#, Malformed::Name),
        (r#""headers": {"a\u0000": "1"}"#, Malformed::Name),
        (r#""multiValueHeaders": "x""#, Malformed::Type("multiValueHeaders")),
        (r#""multiValueHeaders": {"a": {}}"#, Malformed::Type("multiValueHeaders")),
        (r#""multiValueHeaders": {"a": [[]]}"#, Malformed::Type("a header's value")),
        (r#""cookies": "a=1""#, Malformed::Type("cookies")),
        (r#""body": {}"#, Malformed::Type("a body")),
        (r#""body": 5"#, Malformed::Type("a body")),
        (r#""body": "a", "isBase64Encoded": "yes""#, Malformed::Type("isBase64Encoded")),
        (r#""body": "a*", "isBase64Encoded": true"#, Malformed::Base64),
        (r#""body": "\ud800""#, Malformed::Surrogate),
    ] {
        // Of equal members the last one counts.
        let json = format!(r#"{{"statusCode": 200, {member}}}"#);
        assert_eq!(read(PayloadMode::ApiGatewayV2, &json), Err(error), "{json}");
    }
    for wrong in ["", "{", "{}x", "\u{0}", "{\"a\":\"\n\"}"] {
        assert!(matches!(read(PayloadMode::Envoy, wrong), Err(Malformed::Json(_))), "{wrong}");
    }
}

#[test]
fn more_headers_than_a_client_could_take_are_refused() {
    let many: Vec<String> = (0..600).map(|number| format!("\"x-{number}\":\"\"")).collect();
    let large = format!("\"x\":\"{}\"", "y".repeat(5_000_000));
    for headers in [many.join(","), large] {
        let json = format!("{{\"statusCode\":200,\"headers\":{{{headers}}}}}");
        assert_eq!(read(PayloadMode::ApiGatewayV1, &json), Err(Malformed::Fields));
    }
}
