//! Fields, attributes, metadata, spans, secrets, callouts, metrics, log.

use super::*;

/// What was added to each metric, with the values of its labels before it.
fn metrics() -> Vec<(String, String)> {
    let metrics = fake(|fake| fake.metrics.clone());
    let added = |all: &[(String, u64)]| all.iter().map(|(label, value)| format!("{label}{value}")).collect();
    metrics.into_iter().map(|(name, values)| (name, added(&values))).collect::<Vec<(String, String)>>()
}

fn measured(config: &str) -> Vec<(String, String)> {
    let stream = stream_of(config, |_, host| {
        host.count(Counter(0), 2);
        host.count(Counter(99), 1);
        host.record(Histogram(0), 7);
        host.record(Histogram(99), 1);
        Flow::Respond(Response::default())
    });
    stream.headers(REQUEST, true);
    let metrics = metrics();
    stream.end();
    metrics
}

fn named(metrics: [(&str, &str); 6]) -> Vec<(String, String)> {
    metrics.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

#[test]
fn metrics_stand_under_the_filters_name_and_are_moved_by_their_id() {
    let expected = named([
        ("played.seen", "2"),
        ("played.route.seen{stat_prefix}", ""),
        ("played.panicked", ""),
        ("played.route.panicked{stat_prefix}", ""),
        ("played.size", "7"),
        ("played.route.size{stat_prefix}", ""),
    ]);
    assert_eq!(measured("{}"), expected);
}

#[test]
fn metrics_are_moved_under_a_prefix_too() {
    let expected = named([
        ("played.seen", "2"),
        ("played.route.seen{stat_prefix}", "{checkout}2"),
        ("played.panicked", ""),
        ("played.route.panicked{stat_prefix}", ""),
        ("played.size", "7"),
        ("played.route.size{stat_prefix}", "{checkout}7"),
    ]);
    assert_eq!(measured(r#"{"prefix": "checkout"}"#), expected);
}

#[test]
fn secrets_of_the_listener_are_followed_and_read_by_name() {
    let config = r#"{"secrets": {"static": null, "late": "{}"}}"#;
    let stream = stream_of(config, |_, host| {
        let secret = |name| host.secret(name).map(std::borrow::Cow::into_owned);
        assert_eq!(secret("static"), Some(b"static".to_vec()));
        assert_eq!((secret("late"), secret("unheard")), (None, None));
        Flow::Respond(Response::default())
    });
    stream.headers(REQUEST, true);
    assert_eq!(asked(), ["respond 500 0  "], "the filter did not panic");
    let followed = [("late".to_owned(), "{}".to_owned()), ("static".to_owned(), String::new())];
    assert_eq!(fake(|fake| fake.secrets.clone()), followed);
    stream.end();
}

#[test]
fn spans_are_named_and_routes_selected_anew() {
    for (span, expected) in [(0, &["clear route"][..]), (9, &["span 9 is checkout", "clear route"])] {
        let stream = stream(|what, host| {
            if what != "done" {
                host.set_span_name("checkout");
                host.clear_route_cache();
            }
            Flow::Continue
        });
        fake(|fake| fake.span = span);
        stream.headers(REQUEST, true);
        assert_eq!(asked(), expected);
        stream.end();
    }
}

#[test]
fn metadata_is_set_with_its_type() {
    let stream = stream(|what, host| {
        let list = Value::List(vec!["a".into(), Value::Int(1)]);
        for value in [Value::Int(2), Value::Number(0.5), Value::Bool(true), list] {
            host.set_metadata("space", "key", &value);
        }
        assert_eq!(what, "Request headers true");
        Flow::Respond(Response::default())
    });
    stream.headers(REQUEST, true);
    let expected = ["space/key=2.0", "space/key=0.5", "space/key=true", "space of 27 bytes"];
    let asked = asked();
    assert_eq!(asked[..4], expected.map(|set| format!("metadata {set}")));
    assert_eq!(asked[4], "respond 500 0  ", "the filter did not panic");
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
