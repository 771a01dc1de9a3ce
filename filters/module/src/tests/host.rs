//! Fields, attributes, metadata, callouts, counters, log.

use super::*;

#[test]
fn counters_stand_under_the_filters_name_and_count_by_their_id() {
    let stream = stream(|_, host| {
        host.count(Counter(0), 2);
        host.count(Counter(99), 1);
        Flow::Continue
    });
    stream.headers(REQUEST, true);
    let counters = fake(|fake| fake.counters.clone());
    assert_eq!(counters, [("played.seen".to_owned(), 2), ("played.panicked".to_owned(), 0)]);
    stream.end();
}

#[test]
fn fields_are_read_in_order_and_an_empty_value_removes() {
    let stream = stream(|_, host| {
        let fields = Fields::RequestHeaders;
        assert_eq!(host.field(fields, "x-a").unwrap(), &b"1"[..]);
        assert_eq!(host.field_values(fields, "x-a"), [&b"1"[..], b"2"]);
        assert_eq!(host.field_values(fields, "x-none").len(), 0);
        assert_eq!(host.field_lines(fields).len(), 3);
        assert_eq!(host.field_lines(Fields::RequestTrailers).len(), 0);
        host.set_field(fields, "x-a", b"3");
        host.add_field(fields, "x-a", b"4");
        host.set_field(fields, "x-b", b"");
        Flow::Continue
    });
    arrive(HeaderType::Request, &[("x-a", "1"), ("x-b", "b"), ("x-a", "2")]);
    stream.headers(REQUEST, true);
    let lines = fake(|fake| fake.sections[&0].clone());
    assert_eq!(lines, [("x-a".to_owned(), b"3".to_vec()), ("x-a".to_owned(), b"4".to_vec())]);
    stream.end();
}

#[test]
fn attributes_and_metadata_have_the_type_that_envoy_shows() {
    let stream = stream(|what, host| {
        if what == "done" {
            return Flow::Continue;
        }
        assert_eq!(host.attribute("source.port"), Some(Value::Int(25)));
        assert_eq!(host.attribute("connection.mtls"), Some(Value::Bool(true)));
        assert_eq!(host.attribute("source.address"), Some(Value::Text(b"source.address".into())));
        assert_eq!(host.attribute("no.such"), None);
        let metadata = |key| host.metadata(ferrule_kit::MetadataSource::Route, "space", key);
        assert_eq!(metadata("text"), Some(Value::Text(b"some".into())));
        assert_eq!(metadata("number"), Some(Value::Number(1.5)));
        assert_eq!(metadata("truth"), Some(Value::Bool(true)));
        let list = vec![Value::Text(b"first".into()), Value::Number(2.0), Value::Bool(false)];
        assert_eq!(metadata("list"), Some(Value::List(list)));
        assert_eq!(metadata("none"), None);
        host.set_metadata("space", "key", &"value".into());
        Flow::Continue
    });
    assert_eq!(stream.headers(REQUEST, true), HeadersStatus::Continue);
    assert_eq!(asked(), ["metadata space/key=value"]);
    stream.end();
}

#[test]
fn callouts_carry_what_was_asked_and_errors_their_kind() {
    let outcomes = [
        Ok(CalloutId(7)),
        Err(CalloutError::MissingFields),
        Err(CalloutError::UnknownCluster),
        Err(CalloutError::Refused),
    ];
    for (code, outcome) in (0..).zip(outcomes) {
        let stream = stream(move |what, host| {
            if what != "done" {
                assert_eq!(host.callout(callout()), outcome);
            }
            Flow::Continue
        });
        fake(|fake| fake.callout = code);
        assert_eq!(stream.headers(REQUEST, true), HeadersStatus::Continue);
        assert_eq!(asked(), ["callout auth 1 ask 1ms"]);
        stream.end();
    }
}

#[test]
fn a_log_line_stays_one_line() {
    let stream = stream(|_, host| {
        host.log(Level::Warn, "two\r\nlines");
        assert_eq!(host.buffer_limit(), usize::MAX, "0 is no limit");
        assert_ne!(host.random(), host.random());
        Flow::Continue
    });
    assert_eq!(stream.headers(REQUEST, true), HeadersStatus::Continue);
    assert_eq!(fake(|fake| fake.log.clone()), ["two  lines"]);
    stream.end();
}
