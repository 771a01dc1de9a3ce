//! What must hold of every template on every message.

use std::sync::Arc;

use ferrule_kit::{Counter, Driver, Event, Fields, Filter, MemoryHost, Message, Step};
use ferrule_transformation::{
    BodyTransformation, Config, HeaderTransformation, MetadataTransformation, MetadataValue, ParseAs,
    Transform, Transformation,
};

/// A message to be transformed.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) parse_as: ParseAs,
    pub(crate) replaces_body: bool,
    pub(crate) field: Vec<u8>,
    pub(crate) body: Vec<Vec<u8>>,
}

/// Transforms a request, and a response, by `template`, and checks what became of them.
pub(crate) fn check(template: &str, exchange: &Exchange) {
    let Ok(filter) = Transformation::compile(config(template, exchange)) else { return };
    let filter = Arc::new(filter);
    for message in [Message::Request, Message::Response] {
        transform(&filter, message, exchange);
    }
}

fn config(template: &str, exchange: &Exchange) -> Config {
    let value = Some(template.to_owned());
    let transform = Transform {
        set: vec![HeaderTransformation { name: "x-set".to_owned(), value: value.clone() }],
        add: vec![HeaderTransformation { name: "x-add".to_owned(), value: value.clone() }],
        remove: vec!["x-remove".to_owned()],
        body: Some(BodyTransformation {
            parse_as: exchange.parse_as,
            value: value.clone().filter(|_| exchange.replaces_body),
        }),
        dynamic_metadata: vec![MetadataTransformation {
            namespace: "ns".to_owned(),
            key: "key".to_owned(),
            value: MetadataValue {
                string_value: value.or(Some(" ".to_owned())).filter(|value| !value.is_empty()),
            },
        }],
    };
    Config { request: Some(transform.clone()), response: Some(transform) }
}

fn transform(filter: &Arc<Transformation>, message: Message, exchange: &Exchange) {
    let mut host = MemoryHost::with_request([(":method", "POST"), (":path", "/a"), (":authority", "h")]);
    let mut driver = Driver::new(filter.clone());
    if message == Message::Response {
        let request = driver.on(Event::Headers { message: Message::Request, end: true }, &mut host);
        if matches!(request, Step::Respond(_)) {
            return;
        }
        host.metadata.clear();
        host.counts.clear();
    }
    let lines =
        [(":status", &b"200"[..]), ("x-in", &exchange.field[..]), ("x-remove", b"1"), ("content-type", b"t")];
    let mut lines: Vec<_> = lines.map(|(name, value)| (name.to_owned(), value.to_vec())).into();
    lines.extend(host.lines(message.headers()).iter().filter(|_| message == Message::Request).cloned());
    host.arrive(message.headers(), lines.clone());

    let mut step = driver.on(Event::Headers { message, end: exchange.body.is_empty() }, &mut host);
    let last = exchange.body.len().saturating_sub(1);
    for (number, chunk) in exchange.body.iter().enumerate() {
        if matches!(step, Step::Respond(_) | Step::Reset) {
            break;
        }
        host.push_body(message, chunk.clone());
        step = driver.on(Event::Data { message, end: number == last }, &mut host);
    }
    let transformed = host.counted(Counter(0));
    match step {
        Step::Pass => {
            assert_eq!(transformed, 1);
            is_well_formed(&host, message);
        }
        Step::Respond(answer) => {
            assert_eq!((answer.status, &*answer.details), (400, "transformation_filter_error"));
            assert_eq!(transformed, 0);
            is_untouched(&host, message, &lines, exchange);
        }
        step => assert_eq!(step, Step::Pass, "neither transformed nor refused"),
    }
    assert_eq!(host.counted(Counter(Transformation::COUNTERS.len())), 0, "a panic was caught");
}

fn is_untouched(host: &MemoryHost, message: Message, lines: &[(String, Vec<u8>)], exchange: &Exchange) {
    assert_eq!(host.lines(message.headers()), lines);
    let bodies = &host.bodies[usize::from(message == Message::Response)];
    assert!(exchange.body.concat().starts_with(&bodies.concat()));
    assert!(host.metadata.is_empty());
}

fn is_well_formed(host: &MemoryHost, message: Message) {
    for (name, value) in host.lines(message.headers()) {
        let edited = name.starts_with("x-set") || name.starts_with("x-add");
        let control = value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
        assert!(!edited || (!control && !value.is_empty()), "{name}: {value:?}");
    }
    let value = |name: &str| {
        host.lines(message.headers()).iter().find(|(known, _)| known == name).map(|line| &line.1)
    };
    assert!(value("x-remove").is_none());
    if let Some(length) = value("content-length") {
        let body = host.bodies[usize::from(message == Message::Response)].concat();
        assert_eq!(*length, body.len().to_string().into_bytes());
        assert!(body.len() < 16 << 20);
    }
    assert!(
        host.lines(Fields::RequestHeaders)
            .iter()
            .all(|(name, _)| name != "x-in" || message == Message::Request)
    );
}
