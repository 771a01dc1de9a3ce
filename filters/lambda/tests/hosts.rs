//! What no case can show: secrets that change while the filter runs, and hosts on which a request cannot become a call.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ferrule_kit::{
    CalloutError, CalloutId, Driver, Event, Fields, Host, MemoryHost, Message, Reply, Response, Step, Value,
    compile,
};
use ferrule_lambda::Lambda;

const SECRET: &str = r#"{"functionName": "f", "region": "r", "credentials": {"secret": {"sdsName": "s"}}}"#;

fn filter(config: &str) -> Arc<Lambda> {
    Arc::new(compile(config.as_bytes()).unwrap())
}

fn with_static(more: &str) -> Arc<Lambda> {
    filter(&format!(
        r#"{{"functionName": "f", "region": "r", "credentials": {{"static": {{"accessKey": "A", "secretKey": "s"}}}}{more}}}"#
    ))
}

fn request() -> MemoryHost {
    MemoryHost::with_request([(":method", "GET"), (":path", "/p"), (":authority", "a"), ("x-a", "1")])
}

fn call(filter: &Arc<Lambda>, host: &mut MemoryHost) -> Step {
    Driver::<Lambda>::new(filter.clone()).on(Event::Headers { message: Message::Request, end: true }, host)
}

/// The access key that signed, or the details of the refusal.
fn signer(filter: &Arc<Lambda>, secret: Option<&str>, now: SystemTime) -> String {
    let mut host = request();
    host.clock = now;
    host.secrets.extend(secret.map(|text| ("s".to_owned(), text.as_bytes().to_vec())));
    match call(filter, &mut host) {
        Step::Pass => {
            let line = host.field(Fields::RequestHeaders, "authorization").unwrap();
            let line = String::from_utf8(line.into_owned()).unwrap();
            let (_, rest) = line.split_once("Credential=").unwrap();
            rest.split('/').next().unwrap().to_owned()
        }
        Step::Respond(response) => {
            assert_eq!(response.status, 500);
            response.details.into_owned()
        }
        step => panic!("{step:?}"),
    }
}

#[test]
fn a_rotated_secret_signs_the_next_request() {
    let filter = filter(SECRET);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
    let of = |key: &str, expires: &str| {
        format!(r#"{{"accessKey": "{key}", "secretKey": "s", "expiration": "{expires}"}}"#)
    };
    assert_eq!(signer(&filter, None, now), "lambda_filter_credentials_missing");
    assert_eq!(signer(&filter, Some(&of("A1", "2015-08-30T13:00:00Z")), now), "A1");
    assert_eq!(signer(&filter, Some(&of("A2", "2015-08-30T13:00:00Z")), now), "A2");
    assert_eq!(signer(&filter, Some("{}"), now), "lambda_filter_credentials_malformed");
    assert_eq!(
        signer(&filter, Some(&of("A3", "2015-08-30T12:36:00Z")), now),
        "lambda_filter_credentials_expired"
    );
    assert_eq!(signer(&filter, Some(&of("A4", "2015-08-30T12:36:01Z")), now), "A4");
}

#[test]
fn credentials_that_expire_while_a_body_comes_sign_nothing() {
    let mut host = request();
    host.clock = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
    let secret = r#"{"accessKey": "A", "secretKey": "s", "expiration": "2015-08-30T12:36:01Z"}"#;
    host.secrets.insert("s".to_owned(), secret.into());
    let mut driver = Driver::<Lambda>::new(filter(SECRET));
    let step = driver.on(Event::Headers { message: Message::Request, end: false }, &mut host);
    assert!(matches!(step, Step::Stop(_)), "{step:?}");
    host.clock += Duration::from_secs(1);
    host.push_body(Message::Request, "late");
    match driver.on(Event::Data { message: Message::Request, end: true }, &mut host) {
        Step::Respond(response) => assert_eq!(response.details, "lambda_filter_credentials_expired"),
        step => panic!("{step:?}"),
    }
}

#[test]
fn the_listener_is_told_which_secret_to_follow() {
    let named = r#"{"functionName": "f", "region": "r", "credentials": {"secret": {"sdsName": "s", "sdsConfig": {"ads": {}}}}}"#;
    let sources = ferrule_kit::Filter::secrets(&*filter(named));
    assert_eq!(sources.len(), 1);
    assert_eq!((sources[0].name.as_str(), sources[0].config_source.as_deref()), ("s", Some(r#"{"ads":{}}"#)));
    assert!(ferrule_kit::Filter::secrets(&*with_static("")).is_empty());
}

/// What becomes of a reply where the filter makes the call itself.
fn relayed(more: &str, reply: Result<(u16, &str), CalloutError>) -> Response {
    let mut host = request();
    host.recasts = false;
    host.clusters.push("lambda".to_owned());
    host.attributes.insert("xds.cluster_name".to_owned(), Value::Text(b"lambda".into()));
    let mut driver = Driver::<Lambda>::new(with_static(more));
    driver.on(Event::Headers { message: Message::Request, end: true }, &mut host);
    let made = &host.callouts[0].callout;
    let line =
        |name: &str| made.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    assert_eq!(line(":path").unwrap(), b"/2015-03-31/functions/f/invocations");
    assert_eq!(
        (line("x-a"), line("content-length").unwrap()),
        (None, made.body.len().to_string().into_bytes())
    );
    let reply = reply.map(|(status, body)| Reply {
        fields: vec![
            (b":status".into(), status.to_string().into_bytes().into()),
            (b"transfer-encoding".into(), b"chunked".into()),
            (b"x-amz-log-result".into(), b"secret".into()),
        ],
        body: vec![body.as_bytes().into()],
    });
    match driver.on(Event::Reply { id: CalloutId(1), reply }, &mut host) {
        Step::Respond(response) => response,
        step => panic!("{step:?}"),
    }
}

#[test]
fn a_call_beside_the_request_is_answered_as_one_in_its_place() {
    let answer = relayed("", Ok((200, r#"{"statusCode": 201, "body": "hi"}"#)));
    assert_eq!((answer.status, &answer.body[..]), (201, &b"hi"[..]));
    let answer = relayed(r#", "payloadMode": "None""#, Ok((200, "raw")));
    assert_eq!((answer.status, &answer.body[..], answer.fields.len()), (200, &b"raw"[..], 0));
    assert_eq!(relayed("", Ok((429, ""))).status, 429);
    assert_eq!(relayed("", Ok((504, ""))).status, 504);
    assert_eq!(relayed("", Ok((200, "{"))).details, "lambda_filter_malformed_answer");
    assert_eq!(relayed(r#", "errorStatus": "Gloo""#, Ok((400, "x"))).status, 400);
    assert_eq!(relayed("", Err(CalloutError::Reset)).status, 502);
}

#[test]
fn a_call_to_a_cluster_that_is_none_is_an_answer() {
    let mut host = request();
    host.recasts = false;
    assert!(matches!(call(&with_static(""), &mut host), Step::Respond(answer) if answer.status == 503));
}

#[test]
fn nothing_of_a_request_reaches_the_log() {
    let mut host = request();
    host.arrive(
        Fields::RequestHeaders,
        [(":method", "GET"), (":path", "/?hidden"), (":authority", "hidden"), ("cookie", "hidden")]
            .map(|(name, value)| (name.to_owned(), value.into()))
            .to_vec(),
    );
    let filter = filter(SECRET);
    host.secrets.insert("s".to_owned(), b"hidden".to_vec());
    assert!(matches!(call(&filter, &mut host), Step::Respond(_)));
    let logged = host.logged.borrow();
    assert!(!logged.is_empty() && logged.iter().all(|line| !line.line.contains("hidden")), "{logged:?}");
}
