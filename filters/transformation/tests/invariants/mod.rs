//! What must hold of every template on every message.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferrule_kit::{Counter, Driver, Event, Fields, Filter, MemoryHost, Message, Step};
use ferrule_transformation::{
    BodyTransformation, Config, ErrorMode, Extractor, ExtractorMode, HeaderBodyTransform,
    HeaderTransformation, MergeJson, MetadataTransformation, MetadataValue, ParseAs, Switch, Transform,
    Transformation,
};

/// Messages that could not be transformed and went on untouched.
const SKIPPED: Counter = Counter(7);

/// A message to be transformed.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) parse_as: ParseAs,
    pub(crate) shape: Shape,
    /// Bits: errors are skipped, unparsable bodies are no error, texts are escaped, metadata is JSON.
    pub(crate) options: u8,
    /// An extractor's expression.
    pub(crate) regex: String,
    pub(crate) field: Vec<u8>,
    pub(crate) body: Vec<Vec<u8>>,
}

/// What becomes of the body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Stays,
    Template,
    Merge,
    MergeExtractors,
    Wrap,
}

impl Shape {
    pub(crate) const ALL: [Self; 5] =
        [Self::Stays, Self::Template, Self::Merge, Self::MergeExtractors, Self::Wrap];
}

impl Exchange {
    /// A template and a message as a fuzzer's input has them: two bytes that choose how, then lines: an extractor's
    /// expression, the value of a header, the template up to a line of `---`, the body.
    #[allow(dead_code, reason = "not every test has inputs of a fuzzer")]
    pub(crate) fn parse(input: &[u8]) -> Option<(&str, Self)> {
        let [mode, options, input @ ..] = input else { return None };
        let mut lines = input.splitn(3, |byte| *byte == b'\n');
        let mut line = || lines.next().unwrap_or_default();
        let (regex, field, rest) = (line(), line(), line());
        let end = rest.windows(5).position(|window| window == b"\n---\n");
        let (template, body) = end.map_or((rest, &b""[..]), |end| (&rest[..end], &rest[end + 5..]));
        let exchange = Self {
            parse_as: [ParseAs::AsJson, ParseAs::AsString, ParseAs::None][usize::from(mode % 3)],
            shape: Shape::ALL[usize::from(mode / 3) % 5],
            options: *options,
            regex: std::str::from_utf8(regex).ok()?.to_owned(),
            field: field.to_vec(),
            body: body.chunks(1 + usize::from(mode >> 4) * 16).map(<[u8]>::to_vec).collect(),
        };
        Some((std::str::from_utf8(template).ok()?, exchange))
    }
}

/// Transforms a request, and a response, by `template`, checks what became of them, and tells it.
pub(crate) fn check(template: &str, exchange: &Exchange) -> String {
    match Transformation::compile(config(template, exchange)) {
        Ok(filter) => {
            let filter = Arc::new(filter);
            [Message::Request, Message::Response]
                .map(|message| transform(&filter, message, exchange))
                .concat()
        }
        Err(error) => error.to_string(),
    }
}

fn config(template: &str, exchange: &Exchange) -> Config {
    let value = Some(template.to_owned());
    let option = |bit: u8| exchange.options & 1 << bit != 0;
    let metadata = value.clone().filter(|value| !value.is_empty()).or(Some(" ".to_owned()));
    let merged = MergeJson { template: template.to_owned(), override_empty: option(2) };
    let is = |shape: fn(Shape) -> bool| shape(exchange.shape);
    let transform = Transform {
        set: vec![HeaderTransformation { name: "x-set".to_owned(), value: value.clone() }],
        add: vec![HeaderTransformation { name: "x-add".to_owned(), value: value.clone() }],
        remove: vec!["x-remove".to_owned()],
        body: Some(BodyTransformation {
            parse_as: exchange.parse_as,
            value: value.clone().filter(|_| is(|shape| matches!(shape, Shape::Template))),
            decompress: false,
        }),
        extractors: extractors(exchange),
        merge_json: [("user.name".to_owned(), merged)]
            .into_iter()
            .filter(|_| is(|shape| matches!(shape, Shape::Merge)))
            .collect(),
        merge_extractors_to_body: is(|shape| matches!(shape, Shape::MergeExtractors)).then_some(Switch {}),
        header_body_transform: is(|shape| matches!(shape, Shape::Wrap))
            .then_some(HeaderBodyTransform::default()),
        error_mode: if option(0) { ErrorMode::Skip } else { ErrorMode::Reject },
        ignore_error_on_parse: option(1),
        escape_characters: option(2),
        dynamic_metadata: vec![MetadataTransformation {
            namespace: "ns".to_owned(),
            key: "key".to_owned(),
            value: MetadataValue {
                string_value: metadata.clone().filter(|_| !option(3)),
                json_value: metadata.filter(|_| option(3)),
            },
        }],
        ..Transform::default()
    };
    let stat_prefix = Some("all".to_owned());
    Config { request: Some(transform.clone()), response: Some(transform), stat_prefix, ..Config::default() }
}

/// One of the body and one of a header, so that templates can name them.
fn extractors(exchange: &Exchange) -> BTreeMap<String, Extractor> {
    let extractor = |mode, header: Option<&str>, by: Option<&str>| Extractor {
        header: header.map(str::to_owned),
        body: header.is_none().then_some(Switch {}),
        regex: exchange.regex.clone(),
        mode,
        replacement_text: by.map(str::to_owned),
        ..Extractor::default()
    };
    [
        ("e".to_owned(), extractor(ExtractorMode::Extract, None, None)),
        ("user.e".to_owned(), extractor(ExtractorMode::ReplaceAll, Some("x-in"), Some("<$&>"))),
    ]
    .into()
}

fn transform(filter: &Arc<Transformation>, message: Message, exchange: &Exchange) -> String {
    let mut host = MemoryHost::with_request([(":method", "POST"), (":path", "/a"), (":authority", "h")]);
    let mut driver = Driver::new(filter.clone());
    if message == Message::Response {
        let request = driver.on(Event::Headers { message: Message::Request, end: true }, &mut host);
        if matches!(request, Step::Respond(_)) {
            return format!("{request:?}");
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
    let told =
        format!("{step:?} {:?} {:?} {:?} {:?}", host.sections, host.bodies, host.metadata, host.logged);
    match step {
        Step::Pass if transformed == 0 => {
            assert!(host.counted(SKIPPED) > 0 && exchange.options & 1 == 1);
            is_untouched(&host, message, &lines, exchange);
            assert_eq!(
                host.bodies[usize::from(message == Message::Response)].concat(),
                exchange.body.concat()
            );
        }
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
    told
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
