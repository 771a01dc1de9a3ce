#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::format::Format;
use crate::frames::tests::framing::{chunk, complete, frame};
use crate::prelude::{MAX_HEAD, SEPARATOR};

fn with_head(reported: &[u8]) -> Streaming {
    Streaming::with_head(Arc::new(Reader::new(Format::ApiGatewayV2)), reported)
}

type Played = Result<(Option<Head>, Vec<u8>), Broken>;

fn play(mut streaming: Streaming, stream: &[u8], size: usize) -> Played {
    let (mut head, mut body) = (None, Vec::new());
    for piece in stream.chunks(size) {
        head = streaming.take(piece, &mut body)?.or(head);
    }
    streaming.end()?;
    Ok((head, body))
}

fn head(status: u16, fields: &[(&str, &str)]) -> Option<Head> {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Some(Head { status, fields })
}

#[test]
fn a_head_and_its_body_are_told_apart_whatever_pieces_they_come_in() {
    let json = br#"{"statusCode": 201, "headers": {"content-type": "a/b"}, "cookies": ["c=1"]}"#;
    let payload = [&json[..], &SEPARATOR, b"bo\0dy"].concat();
    for cut in 0..payload.len() {
        let stream = [chunk(&payload[..cut]), chunk(&payload[cut..]), complete(b"{}")].concat();
        for size in [1, 7, stream.len()] {
            let wanted = head(201, &[("content-type", "a/b"), ("set-cookie", "c=1")]);
            assert_eq!(
                play(with_head(b"application/vnd.awslambda.http-integration-response"), &stream, size),
                Ok((wanted, b"bo\0dy".to_vec()))
            );
        }
    }
}

#[test]
fn what_does_not_begin_like_a_head_is_body_at_once() {
    let (mut streaming, mut body) = (with_head(b""), Vec::new());
    let found = streaming.take(&chunk(b"plain"), &mut body);
    assert_eq!(found, Ok(head(200, &[("content-type", "application/octet-stream")])));
    assert_eq!(body, b"plain");
    let long = [b"{", &[b' '; MAX_HEAD][..]].concat();
    for payload in [&b"{}"[..], b"", &long] {
        let stream = [chunk(payload), complete(b"")].concat();
        let (found, body) = play(with_head(b""), &stream, 1000).unwrap();
        assert_eq!((found.map(|head| head.status), body), (Some(200), payload.to_vec()));
        assert_eq!(
            play(with_head(b"application/vnd.awslambda.http-integration-response"), &stream, 1000),
            Err(Broken::Endless)
        );
    }
}

#[test]
fn objects_a_line_go_on_while_they_come() {
    let (mut streaming, mut body) = (with_head(b"application/x-ndjson"), Vec::new());
    for line in [&b"{\"token\": \"a}\"}\n"[..], b"{\"token\": \"b\"}\n"] {
        let first = body.is_empty();
        let found = streaming.take(&chunk(line), &mut body);
        assert_eq!(found, Ok(head(200, &[("content-type", "application/x-ndjson")]).filter(|_| first)));
        assert!(body.ends_with(line));
    }
}

#[test]
fn a_head_over_16_kb_is_none_whatever_pieces_it_comes_in() {
    let json = format!(r#"{{"headers": {{"a": "{}"}}}}"#, "x".repeat(17 * 1024));
    let stream = [chunk(&[json.as_bytes(), &SEPARATOR].concat()), complete(b"{}")].concat();
    for size in [1000, stream.len()] {
        let required = b"application/vnd.awslambda.http-integration-response";
        assert_eq!(play(with_head(required), &stream, size), Err(Broken::Endless));
        let (found, body) = play(with_head(b""), &stream, size).unwrap();
        assert_eq!(
            (found, body.len()),
            (head(200, &[("content-type", "application/octet-stream")]), json.len() + 8)
        );
    }
}

#[test]
fn a_result_without_a_head_is_of_the_type_that_lambda_reports() {
    for (reported, media_type) in [
        ("text/event-stream", "text/event-stream"),
        ("", "application/octet-stream"),
        ("application/vnd.amazon.eventstream", "application/octet-stream"),
        ("application/vnd.awslambda.http-integration-response", "application/octet-stream"),
    ] {
        let bare = Some(Streaming::of_bytes(reported.as_bytes()).bare_head());
        assert_eq!(bare, head(200, &[("content-type", media_type)]));
    }
}

#[test]
fn bytes_without_a_head_are_passed_on() {
    let stream = [chunk(b"{"), chunk(b"}"), complete(b"{\"ErrorCode\":null}"), chunk(b"late")].concat();
    assert_eq!(play(Streaming::of_bytes(b""), &stream, 5), Ok((None, b"{}".to_vec())));
}

#[test]
fn what_breaks_a_stream_is_told() {
    let exception = frame(
        &[(":message-type", "exception"), (":exception-type", "ServiceException")],
        b"{\"message\":\"why\"}",
    );
    let failed = complete(br#"{"ErrorCode": "Unhandled", "ErrorDetails": "why"}"#);
    let reason = |kind: &str| Reason::of_kind(kind.as_bytes()).or(Reason::read(br#"{"message": "why"}"#));
    let wrong = [b"{]".as_slice(), &SEPARATOR].concat();
    for (stream, error) in [
        (chunk(b"a"), Broken::Early),
        (vec![0; 5], Broken::Frame(FrameError::Truncated)),
        (vec![255; 12], Broken::Frame(FrameError::Length)),
        (exception, Broken::Exception(reason("ServiceException"))),
        (failed, Broken::Function(reason("Unhandled"))),
        (complete(br#"{"ErrorCode": 5}"#), Broken::Function(Reason::default())),
    ] {
        assert_eq!(play(with_head(b""), &stream, 3), Err(error));
    }
    assert!(matches!(play(with_head(b""), &chunk(&wrong), 99), Err(Broken::Head(Malformed::Json(_)))));
    assert!(matches!(play(Streaming::of_bytes(b""), &complete(b"x"), 99), Err(Broken::Ending(_))));
}
