#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::config::PayloadMode;
use crate::frames::tests::{chunk, complete, frame};

type Played = Result<(Option<Head>, Vec<u8>), Broken>;

fn play(mut streaming: Streaming, stream: &[u8], size: usize) -> Played {
    let reader = Reader::new(PayloadMode::ApiGatewayV2);
    let (mut head, mut body) = (None, Vec::new());
    for piece in stream.chunks(size) {
        head = streaming.take(&reader, piece, &mut body)?.or(head);
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
            assert_eq!(play(Streaming::with_head(true), &stream, size), Ok((wanted, b"bo\0dy".to_vec())));
        }
    }
}

#[test]
fn what_does_not_begin_like_a_head_is_body_at_once() {
    let reader = Reader::new(PayloadMode::ApiGatewayV2);
    let (mut streaming, mut body) = (Streaming::with_head(false), Vec::new());
    let found = streaming.take(&reader, &chunk(b"plain"), &mut body);
    assert_eq!(found, Ok(head(200, &[("content-type", "application/octet-stream")])));
    assert_eq!(body, b"plain");
    let long = [b"{", &[b' '; MAX_HEAD][..]].concat();
    for payload in [&b"{}"[..], b"", &long] {
        let stream = [chunk(payload), complete(b"")].concat();
        let (found, body) = play(Streaming::with_head(false), &stream, 1000).unwrap();
        assert_eq!((found.map(|head| head.status), body), (Some(200), payload.to_vec()));
        assert_eq!(play(Streaming::with_head(true), &stream, 1000), Err(Broken::Endless));
    }
}

#[test]
fn bytes_without_a_head_are_passed_on() {
    let stream = [chunk(b"{"), chunk(b"}"), complete(b"{\"ErrorCode\":null}"), chunk(b"late")].concat();
    assert_eq!(play(Streaming::of_bytes(), &stream, 5), Ok((None, b"{}".to_vec())));
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
        assert_eq!(play(Streaming::with_head(false), &stream, 3), Err(error));
    }
    assert!(matches!(
        play(Streaming::with_head(false), &chunk(&wrong), 99),
        Err(Broken::Head(Malformed::Json(_)))
    ));
    assert!(matches!(play(Streaming::of_bytes(), &complete(b"x"), 99), Err(Broken::Head(_))));
}
