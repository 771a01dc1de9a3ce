#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

const REQUEST: Message = Message::Request;
const RESPONSE: Message = Message::Response;

#[test]
fn names_are_lower_cased_tokens() {
    assert_eq!(name("X-Foo_1", REQUEST, Change::Set).as_deref(), Ok("x-foo_1"));
    assert_eq!(name("Host", REQUEST, Change::Set).as_deref(), Ok(":authority"));
    assert_eq!(name("Host", RESPONSE, Change::Set).as_deref(), Ok("host"));
    assert_eq!(name("", REQUEST, Change::Set), Err(NameError::Length));
    assert_eq!(name(&"x".repeat(257), REQUEST, Change::Set), Err(NameError::Length));
    for bad in ["a b", "a:b", "a\r\nb", "é", "a\0", "a,b", ":", "a\"b", "(a)"] {
        assert_eq!(name(bad, REQUEST, Change::Set), Err(NameError::Character), "{bad}");
    }
}

#[test]
fn pseudo_headers_of_the_message_can_be_set_only() {
    for known in [":method", ":path", ":authority"] {
        assert_eq!(name(known, REQUEST, Change::Set).as_deref(), Ok(known));
        assert_eq!(name(known, REQUEST, Change::Add), Err(NameError::SetOnly));
        assert_eq!(name(known, REQUEST, Change::Remove), Err(NameError::SetOnly));
        assert_eq!(name(known, RESPONSE, Change::Set), Err(NameError::Pseudo));
    }
    assert_eq!(name(":status", RESPONSE, Change::Set).as_deref(), Ok(":status"));
    assert_eq!(name(":status", REQUEST, Change::Set), Err(NameError::Pseudo));
    assert_eq!(name(":scheme", REQUEST, Change::Set), Err(NameError::Pseudo));
    assert_eq!(name("host", REQUEST, Change::Remove), Err(NameError::SetOnly));
}

#[test]
fn framing_is_not_for_templates() {
    for framing in ["Content-Length", "transfer-encoding"] {
        assert_eq!(name(framing, REQUEST, Change::Set), Err(NameError::Framing));
        assert_eq!(name(framing, RESPONSE, Change::Add), Err(NameError::Framing));
        assert!(name(framing, REQUEST, Change::Remove).is_ok());
    }
}

#[test]
fn values_can_end_no_line() {
    assert_eq!(value("x", b" \n a b\t \r\n"), Ok(&b"a b"[..]));
    assert_eq!(value("x", b"\n "), Ok(&b""[..]));
    assert_eq!(value("x", "a\tż\u{ff}".as_bytes()), Ok("a\tż\u{ff}".as_bytes()));
    for bad in [&b"a\r\nb: c"[..], b"a\nb", b"a\rb", b"a\0b", b"a\x7fb", b"a\x1bb"] {
        assert_eq!(value("x", bad), Err(ValueError::Control), "{bad:?}");
    }
}

#[test]
fn pseudo_headers_have_values_that_make_a_request_line() {
    assert_eq!(value(":method", b"PATCH"), Ok(&b"PATCH"[..]));
    assert_eq!(value(":method", b"GET /x"), Err(ValueError::Method));
    assert_eq!(value(":path", b"/a?b=c"), Ok(&b"/a?b=c"[..]));
    assert_eq!(value(":path", b"/a HTTP/1.1"), Err(ValueError::Path));
    assert_eq!(value(":path", b"a"), Err(ValueError::Path));
    assert_eq!(value(":authority", b"[::1]:80"), Ok(&b"[::1]:80"[..]));
    assert_eq!(value(":authority", b"user@host"), Err(ValueError::Authority));
    assert_eq!(value(":authority", b"host/path"), Err(ValueError::Authority));
    for empty in [":method", ":path", ":authority", ":status"] {
        assert_eq!(value(empty, b" "), Err(ValueError::Empty));
    }
}

#[test]
fn a_status_is_final() {
    for good in [&b"200"[..], b"204", b"404", b"599"] {
        assert_eq!(value(":status", good), Ok(good));
    }
    for bad in [&b"100"[..], b"101", b"199", b"600", b"20", b"2000", b"+20", b"abc", b"0200", b"-20"] {
        assert_eq!(value(":status", bad), Err(ValueError::Status), "{bad:?}");
    }
}
