//! Calls AWS Lambda functions with requests, and answers with what they return.
//!
//! Invariants:
//! - A client's fields and body travel in the event; of them the call to AWS has only what the configuration names.
//! - A result reaches the client as an answer of its format, or as an error that tells nothing of it.
//! - Nothing of an event, a result or a secret reaches the log, details or counters; what an error says of itself does, a line
//!   of it.

mod answer;
mod body;
mod call;
mod config;
mod event;
mod failure;
mod frames;
mod function;
mod outcome;
mod reason;
mod relayed;
mod stats;
mod streaming;
mod template;
mod trace;

use std::borrow::Cow;
use std::time::Duration;

use ferrule_kit::{
    CalloutError, CalloutId, ConfigError, Fields, Filter, Flow, Host, Message, Reply, SecretSource, Value,
};

use answer::{Answer, Reader};
use call::{Call, Caller};
pub use config::*;
use event::Format;
use failure::Failure;
use ferrule_aws::SecretConfig;
use function::Function;
pub use function::authority;
use outcome::{ApiHead, Verdict};
use streaming::{Broken, Streaming};

/// The filter: a compiled [`Config`].
#[derive(Debug)]
pub struct Lambda {
    calls: Option<Calls>,
    secrets: Vec<SecretSource>,
}

/// How requests become calls, and answers their answers.
#[derive(Debug)]
struct Calls {
    caller: Caller,
    format: Format,
    reader: Reader,
    invocation: InvocationMode,
    errors: ErrorStatus,
    /// Only then Lambda sends one.
    asks_for_log: bool,
    timeout: Duration,
}

/// What the filter remembers of one request and its response.
#[derive(Debug, Default)]
pub struct Stream {
    /// Place of the function that is called.
    function: usize,
    stage: Stage,
    /// The client wants no body.
    is_head: bool,
}

/// How far a call is.
#[derive(Debug, Default)]
enum Stage {
    /// No call was made, or its answer is none of Lambda's.
    #[default]
    Idle,
    Called,
    /// The body says more of the error.
    Judging(Failure),
    /// The body is the answer's text.
    Unwrapping,
    Streaming {
        result: Box<Streaming>,
        headers_sent: bool,
    },
    /// The client gets no body.
    Dropping,
}

impl Filter for Lambda {
    const NAME: &'static str = "lambda";
    const COUNTERS: &'static [&'static str] = stats::COUNTERS;

    type Config = Config;
    type Stream = Stream;

    fn compile(mut config: Config) -> Result<Self, ConfigError> {
        let others = std::mem::take(&mut config.secrets).into_iter().map(SecretConfig::into_source);
        let calls = if config.calls_none() { None } else { Some(Calls::compile(config)?) };
        let own = calls.as_ref().and_then(|calls| calls.caller.secret());
        let named = own.into_iter().chain(others);
        let secrets = named.map(|(name, config_source)| SecretSource { name, config_source }).collect();
        Ok(Self { calls, secrets })
    }

    fn looks_back(&self) -> bool {
        false
    }

    fn secrets(&self) -> Vec<SecretSource> {
        self.secrets.clone()
    }

    fn on_headers(&self, stream: &mut Stream, host: &mut dyn Host, message: Message, end: bool) -> Flow {
        match (&self.calls, message) {
            (None, _) => Flow::Leave,
            (Some(calls), Message::Request) => calls.on_request(stream, host),
            (Some(_), Message::Response) if !matches!(stream.stage, Stage::Called) => Flow::Leave,
            (Some(calls), Message::Response) => calls.on_answer(stream, host, end),
        }
    }

    fn on_body(&self, stream: &mut Stream, host: &mut dyn Host, message: Message) -> Flow {
        self.calls.as_ref().map_or(Flow::Leave, |calls| calls.on_body(stream, host, message))
    }

    fn on_data(&self, stream: &mut Stream, host: &mut dyn Host, message: Message, end: bool) -> Flow {
        self.calls.as_ref().map_or(Flow::Leave, |calls| calls.on_data(stream, host, message, end))
    }

    fn on_trailers(&self, stream: &mut Stream, host: &mut dyn Host, message: Message) -> Flow {
        self.calls.as_ref().map_or(Flow::Leave, |calls| calls.on_trailers(stream, host, message))
    }

    fn on_overflow(&self, stream: &mut Stream, host: &mut dyn Host, message: Message) -> Flow {
        let failure = match (message, std::mem::take(&mut stream.stage)) {
            (Message::Request, _) => Failure::TooLarge,
            (_, Stage::Judging(failure)) => failure,
            _ => Failure::AnswerTooLarge,
        };
        self.calls.as_ref().map_or(Flow::Leave, |calls| calls.fail(stream, host, failure))
    }

    fn on_reply(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        _: CalloutId,
        reply: Result<Reply<'_>, CalloutError>,
    ) -> Flow {
        let Some(calls) = &self.calls else { return Flow::Leave };
        match calls.relayed(reply) {
            Ok(response) => Flow::Respond(response),
            Err(failure) => calls.fail(stream, host, failure),
        }
    }

    /// What Envoy says in Lambda's place is not a function's answer.
    fn on_local_reply(&self, stream: &mut Stream, host: &mut dyn Host, status: u16, details: &str) {
        let stage = std::mem::take(&mut stream.stage);
        if let (Some(calls), Stage::Called) = (&self.calls, stage) {
            calls.told(stream, host, &Failure::Unanswered { status, details: details.to_owned() });
        }
    }
}

impl Calls {
    fn compile(config: Config) -> Result<Self, ConfigError> {
        let caller = Caller::compile(&config)?;
        if config.multi_value_headers && config.payload_mode != PayloadMode::Alb {
            return Err(ConfigError::new("multiValueHeaders", "is of use only where payloadMode is Alb"));
        }
        Ok(Self {
            caller,
            reader: Reader::new(config.payload_mode),
            invocation: config.invocation_mode,
            errors: config.error_status,
            asks_for_log: config.log_type == LogType::Tail,
            timeout: Duration::from_millis(config.timeout_ms.into()),
            format: Format {
                mode: config.payload_mode,
                context: config.request_context,
                multi_value_headers: config.multi_value_headers,
            },
        })
    }

    fn on_body(&self, stream: &mut Stream, host: &mut dyn Host, message: Message) -> Flow {
        if message == Message::Request {
            let outcome = self.invoke(stream, host);
            return outcome.unwrap_or_else(|failure| self.fail(stream, host, failure));
        }
        match std::mem::take(&mut stream.stage) {
            Stage::Judging(failure) => {
                let failure = failure.explained_by(&host.body(message).concat());
                self.fail(stream, host, failure)
            }
            _ => self.unwrap_answer(stream, host),
        }
    }

    fn on_data(&self, stream: &mut Stream, host: &mut dyn Host, message: Message, end: bool) -> Flow {
        match (message, &stream.stage) {
            (Message::Response, Stage::Streaming { .. }) => self.on_chunk(stream, host, end),
            (Message::Response, Stage::Dropping) => {
                host.put_body(message, &[]);
                Flow::Continue
            }
            _ => Flow::Continue,
        }
    }

    fn on_trailers(&self, stream: &mut Stream, host: &mut dyn Host, message: Message) -> Flow {
        match (message, &stream.stage) {
            (Message::Request, _) => {
                call::drop_trailers(host);
                Flow::Continue
            }
            (_, Stage::Streaming { result, .. }) => match result.end() {
                Ok(()) => Flow::Continue,
                Err(broken) => self.fail(stream, host, Failure::Broken(broken)),
            },
            _ => Flow::Continue,
        }
    }

    fn function(&self, stream: &Stream) -> Option<&Function> {
        self.caller.functions.get(stream.function)
    }

    fn on_request(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        let method = host.field(Fields::RequestHeaders, ":method");
        stream.is_head = method.is_some_and(|method| *method == *b"HEAD");
        // Its bytes are no message, and have no end that could be awaited.
        if host.is_tunnel() {
            return self.fail(stream, host, Failure::Upgrade);
        }
        match self.caller.functions.choose(host) {
            Some(place) => {
                stream.function = place;
                Flow::AwaitBody
            }
            None => {
                stream.function = usize::MAX;
                self.fail(stream, host, Failure::Unlisted)
            }
        }
    }

    /// Makes the call: of the request itself, or beside it where that cannot be.
    fn invoke(&self, stream: &mut Stream, host: &mut dyn Host) -> Result<Flow, Failure> {
        let function = self.function(stream).ok_or(Failure::Unlisted)?;
        let event = (self.format.mode != PayloadMode::None).then(|| event::write(&self.format, host));
        let lines = host.field_lines(Fields::RequestHeaders);
        let call = match &event {
            Some(event) => self.caller.call(function, host, &lines, std::iter::once(event.as_slice()))?,
            None => {
                let chunks = host.body(Message::Request);
                self.caller.call(function, host, &lines, chunks.iter().map(|chunk| &**chunk))?
            }
        };
        drop(lines);
        host.count(stats::INVOKED, 1);
        stream.stage = Stage::Called;
        if !host.recasts_requests() {
            return self.call_out(host, call, event);
        }
        call.recast(host);
        if let Some(event) = event {
            host.put_body(Message::Request, &[&event]);
        }
        Ok(Flow::Continue)
    }

    fn call_out(&self, host: &mut dyn Host, call: Call, event: Option<Vec<u8>>) -> Result<Flow, Failure> {
        let cluster = match host.attribute("xds.cluster_name") {
            Some(Value::Text(name)) => String::from_utf8_lossy(&name).into_owned(),
            _ => return Err(Failure::Callout(CalloutError::UnknownCluster)),
        };
        let body = event.unwrap_or_else(|| host.body(Message::Request).concat());
        host.callout(call.callout(cluster, body, self.timeout)).map_err(Failure::Callout)?;
        Ok(Flow::AwaitReply)
    }

    fn on_answer(&self, stream: &mut Stream, host: &mut dyn Host, end: bool) -> Flow {
        let head = ApiHead::read(|name| host.field(Fields::ResponseHeaders, name).map(Cow::into_owned));
        match head.verdict(self.invocation, self.format.mode, self.errors) {
            Verdict::Pass => self.pass(stream, host),
            Verdict::PassAs(status) => {
                host.set_field(Fields::ResponseHeaders, ":status", status.to_string().as_bytes());
                self.pass(stream, host)
            }
            Verdict::Fail(failure) => {
                stream.stage = Stage::Judging(failure);
                Flow::AwaitBody
            }
            Verdict::Unwrap => {
                stream.stage = Stage::Unwrapping;
                Flow::AwaitBody
            }
            Verdict::Stream if end => self.fail(stream, host, Failure::Broken(Broken::Early)),
            Verdict::Stream => self.begin_stream(stream, host),
        }
    }

    fn pass(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        if self.asks_for_log {
            outcome::drop_log(host);
        }
        if !stream.is_head {
            return Flow::Leave;
        }
        stream.stage = Stage::Dropping;
        host.remove_field(Fields::ResponseHeaders, "content-length");
        Flow::Continue
    }

    fn unwrap_answer(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        let json = host.take_body(Message::Response);
        match self.reader.read(&json) {
            Ok(answer) => {
                outcome::put(host, &answer, stream.is_head);
                Flow::Leave
            }
            Err(malformed) => self.fail(stream, host, Failure::Malformed(malformed)),
        }
    }

    fn begin_stream(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        let media_type = host.field(Fields::ResponseHeaders, "content-type");
        let has_prelude = media_type.is_some_and(|media_type| outcome::has_prelude(&media_type));
        let result = Box::new(self.result(has_prelude));
        let headers_sent = self.format.mode == PayloadMode::None;
        stream.stage = Stage::Streaming { result, headers_sent };
        if !headers_sent {
            return Flow::AwaitData;
        }
        streaming::bytes_head().put(host);
        Flow::Continue
    }

    fn result(&self, has_prelude: bool) -> Streaming {
        if self.format.mode == PayloadMode::None {
            Streaming::of_bytes()
        } else {
            Streaming::with_head(has_prelude)
        }
    }

    fn on_chunk(&self, stream: &mut Stream, host: &mut dyn Host, end: bool) -> Flow {
        let Stage::Streaming { result, headers_sent } = &mut stream.stage else { return Flow::Continue };
        let (bytes, mut body) = (host.take_body(Message::Response), Vec::new());
        let taken = result.take(&self.reader, &bytes, &mut body);
        let taken = taken.and_then(|head| if end { result.end().map(|()| head) } else { Ok(head) });
        let head = match taken {
            Ok(head) => head,
            Err(broken) => return self.fail(stream, host, Failure::Broken(broken)),
        };
        if let Some(head) = &head {
            *headers_sent = true;
            head.put(host);
        }
        if !*headers_sent {
            return Flow::AwaitData;
        }
        let body: &[u8] = if stream.is_head { b"" } else { &body };
        host.put_body(Message::Response, &[body]);
        Flow::Continue
    }

    fn fail(&self, stream: &mut Stream, host: &mut dyn Host, failure: Failure) -> Flow {
        self.told(stream, host, &failure);
        stream.stage = Stage::Idle;
        Flow::Respond(self.refusal(failure))
    }

    /// Counts and logs.
    fn told(&self, stream: &Stream, host: &mut dyn Host, failure: &Failure) {
        let name = self.function(stream).map_or("", |function| &function.name);
        stats::failed(host, name, failure);
    }

    fn refusal(&self, failure: Failure) -> ferrule_kit::Response {
        match failure {
            Failure::Malformed(_) => outcome::malformed(failure, self.errors),
            failure => failure.response(),
        }
    }
}
