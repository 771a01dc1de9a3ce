//! What must hold whatever Lambda answers; shared by the property tests and the fuzz target.

use std::sync::Arc;

use ferrule_kit::{
    CalloutId, Counter, Driver, Event, Fields, Filter, MemoryHost, Message, Reply, Response, Step, Value,
    compile,
};
use ferrule_lambda::Lambda;

const FORMATS: [&str; 5] = ["Envoy", "None", "ApiGatewayV1", "ApiGatewayV2", "Alb"];
const INVOCATIONS: [&str; 3] = ["RequestResponse", "ResponseStream", "Event"];
const ERRORS: [&str; 3] = ["Gateway", "Gloo", "Envoy"];

/// An answer, and how it is cut.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    filter: Arc<Lambda>,
    is_stream: bool,
    is_error: bool,
    piece: usize,
    bytes: &'a [u8],
}

/// What a client has of it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Answered { status: u16, body: Vec<u8> },
    Reset,
}

impl<'a> Answer<'a> {
    /// Two bytes that choose a configuration and a cut, then what Lambda answers.
    pub(crate) fn parse(input: &'a [u8]) -> Option<Self> {
        let ([choice, cut], bytes) = input.split_first_chunk::<2>()?;
        let choice = usize::from(*choice);
        let (format, rest) = (FORMATS[choice % FORMATS.len()], choice / FORMATS.len());
        let (invocation, rest) = (INVOCATIONS[rest % INVOCATIONS.len()], rest / INVOCATIONS.len());
        let (errors, rest) = (ERRORS[rest % ERRORS.len()], rest / ERRORS.len());
        let config = format!(
            r#"{{"functionName": "f", "region": "r", "payloadMode": "{format}", "invocationMode": "{invocation}",
                "errorStatus": "{errors}", "credentials": {{"static": {{"accessKey": "A", "secretKey": "s"}}}}}}"#
        );
        let filter = Arc::new(compile(config.as_bytes()).ok()?);
        let piece = usize::from(*cut) + 1;
        Some(Self {
            filter,
            is_stream: invocation == "ResponseStream",
            is_error: rest % 2 == 1,
            piece,
            bytes,
        })
    }

    fn lines(&self) -> Vec<(String, Vec<u8>)> {
        let mut lines = vec![(":status".to_owned(), b"200".to_vec())];
        if self.is_error {
            lines.push(("x-amz-function-error".to_owned(), b"Unhandled".to_vec()));
        }
        lines
    }

    fn host(&self) -> (Driver<Lambda>, MemoryHost) {
        let host = MemoryHost::with_request([(":method", "GET"), (":path", "/"), (":authority", "a")]);
        (Driver::new(self.filter.clone()), host)
    }

    /// The answer takes the place of Lambda's.
    fn in_place(&self) -> Outcome {
        let (mut driver, mut host) = self.host();
        assert_eq!(driver.on(Event::Headers { message: Message::Request, end: true }, &mut host), Step::Pass);
        host.pass_body(Message::Request);
        host.arrive(Fields::ResponseHeaders, self.lines());
        let mut steps = vec![driver.on(Event::Headers { message: Message::Response, end: false }, &mut host)];
        let mut body = Vec::new();
        let pieces: Vec<&[u8]> = self.bytes.chunks(self.piece).chain([&[][..]]).collect();
        for (number, piece) in pieces.iter().enumerate() {
            host.push_body(Message::Response, *piece);
            let end = number + 1 == pieces.len();
            steps.push(driver.on(Event::Data { message: Message::Response, end }, &mut host));
            match steps.last() {
                Some(Step::Pass) => body.extend(host.pass_body(Message::Response)),
                Some(Step::Stop(_)) => assert!(!end, "it is held for ever"),
                _ => break,
            }
        }
        assert_eq!(host.counted(Counter(Lambda::COUNTERS.len())), 0, "it panicked");
        match steps.pop() {
            Some(Step::Respond(response)) => answered(response),
            Some(Step::Reset) => Outcome::Reset,
            _ => {
                let status = ferrule_kit::Host::field(&host, Fields::ResponseHeaders, ":status").unwrap();
                Outcome::Answered { status: std::str::from_utf8(&status).unwrap().parse().unwrap(), body }
            }
        }
    }

    /// The filter makes the call beside the request.
    fn relayed(&self) -> Outcome {
        let (mut driver, mut host) = self.host();
        host.recasts = false;
        host.clusters.push("lambda".to_owned());
        host.attributes.insert("xds.cluster_name".to_owned(), Value::Text(b"lambda".into()));
        let step = driver.on(Event::Headers { message: Message::Request, end: true }, &mut host);
        assert!(matches!(step, Step::Stop(_)), "{step:?}");
        assert_eq!(host.callouts.len(), 1);
        let lines = self.lines();
        let fields =
            lines.iter().map(|(name, value)| (name.as_bytes().into(), value.as_slice().into())).collect();
        let body = self.bytes.chunks(self.piece).map(Into::into).collect();
        let reply = Event::Reply { id: CalloutId(1), reply: Ok(Reply { fields, body }) };
        let step = driver.on(reply, &mut host);
        assert_eq!(host.counted(Counter(Lambda::COUNTERS.len())), 0, "it panicked");
        match step {
            Step::Respond(response) => answered(response),
            step => panic!("{step:?}"),
        }
    }
}

fn answered(response: Response) -> Outcome {
    let clean = |value: &[u8]| !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    assert!(response.fields.iter().all(|(name, value)| clean(name.as_bytes()) && clean(value)));
    Outcome::Answered { status: response.status, body: response.body }
}

/// Every answer has an end, no panic, and the same outcome whichever way the call was made.
pub(crate) fn check(answer: &Answer<'_>) {
    let (in_place, relayed) = (answer.in_place(), answer.relayed());
    if let Outcome::Answered { status, .. } = in_place {
        assert!((200..=599).contains(&status), "{status}");
    }
    // What breaks off after its head is an error where nothing of it was sent.
    if in_place == Outcome::Reset {
        assert!(answer.is_stream);
        assert!(matches!(relayed, Outcome::Answered { status: 502, .. }), "{relayed:?}");
    } else {
        assert_eq!(in_place, relayed);
    }
}
