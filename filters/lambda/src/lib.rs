//! Calls AWS Lambda functions with requests, and answers with what they return.
//!
//! Invariants:
//! - A client's fields and body travel in the event; of them the call to AWS has only what the configuration names.
//! - A result reaches the client as an answer of its format, or as an error that tells nothing of it.
//! - Nothing of an event, a result or a secret reaches the log, details or counters; what an error says of itself does, a line
//!   of it.

mod answer;
mod api_error;
mod body;
mod call;
mod config;
mod event;
mod failure;
mod format;
mod frames;
mod function;
mod outcome;
mod prelude;
mod reason;
mod relayed;
mod response;
mod stats;
mod streaming;
mod template;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use ferrule_kit::{
    Callout, CalloutError, CalloutId, ConfigError, Fields, Filter, Flow, Host, Message, Recast, Reply,
    SecretSource, Value,
};

use answer::Reader;
use api_error::ApiError;
use call::Caller;
pub use config::*;
use event::Events;
use failure::Failure;
use ferrule_aws::SecretConfig;
use format::Format;
use function::Function;
pub use function::authority;
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
    /// None where bodies go through as they are.
    formatted: Option<Formatted>,
    invocation: InvocationMode,
    errors: ErrorStatus,
    /// Only then Lambda sends one.
    asks_for_log: bool,
    timeout: Duration,
}

/// What becomes of bodies.
#[derive(Debug)]
struct Formatted {
    events: Events,
    reader: Arc<Reader>,
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
    Judging(ApiError),
    /// The body is the answer's text.
    Unwrapping(Arc<Reader>),
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
        let secrets = own.into_iter().chain(others).map(SecretSource::from).collect();
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
        let Some(calls) = &self.calls else { return Flow::Leave };
        let failure = match (message, std::mem::take(&mut stream.stage)) {
            (Message::Request, _) => Failure::TooLarge,
            (_, Stage::Judging(error)) => calls.judged(error, b""),
            _ => Failure::AnswerTooLarge,
        };
        calls.fail(stream, host, failure)
    }

    fn on_reply(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        _: CalloutId,
        reply: Result<Reply<'_>, CalloutError>,
    ) -> Flow {
        let Some(calls) = &self.calls else { return Flow::Leave };
        match calls.relayed(stream, host, reply) {
            Ok(response) => Flow::Respond(response),
            Err(failure) => calls.fail(stream, host, failure),
        }
    }

    /// What Envoy says in Lambda's place is not a function's answer.
    fn on_local_reply(&self, stream: &mut Stream, host: &mut dyn Host, status: u16, details: &str) {
        let Some(calls) = &self.calls else { return };
        let details = details.to_owned();
        let failure = match std::mem::take(&mut stream.stage) {
            Stage::Idle | Stage::Dropping => return,
            Stage::Called | Stage::Judging(_) | Stage::Unwrapping(_) => {
                Failure::Unanswered { status, details }
            }
            Stage::Streaming { .. } => Failure::Broken(Broken::Cut(details)),
        };
        calls.told(stream, host, &failure);
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
            invocation: config.invocation_mode,
            errors: config.error_status,
            asks_for_log: config.log_type == LogType::Tail,
            timeout: Duration::from_millis(config.timeout_ms.into()),
            formatted: Format::of(config.payload_mode).map(|format| Formatted {
                reader: Arc::new(Reader::new(format)),
                events: Events {
                    format,
                    context: config.request_context,
                    multi_value_headers: config.multi_value_headers,
                },
            }),
        })
    }

    fn on_body(&self, stream: &mut Stream, host: &mut dyn Host, message: Message) -> Flow {
        if message == Message::Request {
            let outcome = self.invoke(stream, host);
            return outcome.unwrap_or_else(|failure| self.fail(stream, host, failure));
        }
        match std::mem::take(&mut stream.stage) {
            Stage::Judging(error) => {
                let failure = self.judged(error, &host.body(message).concat());
                self.fail(stream, host, failure)
            }
            Stage::Unwrapping(reader) => self.unwrap_answer(stream, host, &reader),
            _ => Flow::Leave,
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
                call::drop_trailers(host, message);
                Flow::Continue
            }
            (_, Stage::Streaming { result, .. }) => match result.end() {
                Ok(()) => {
                    call::drop_trailers(host, message);
                    Flow::Continue
                }
                Err(broken) => self.fail(stream, host, Failure::of_stream(broken)),
            },
            _ => Flow::Continue,
        }
    }

    fn reader(&self) -> Option<&Arc<Reader>> {
        self.formatted.as_ref().map(|formatted| &formatted.reader)
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
        let (lines, chunks) = (host.field_lines(Fields::RequestHeaders), host.body(Message::Request));
        let events = self.formatted.as_ref().map(|formatted| &formatted.events);
        let event = events.map(|events| event::write(events, host, &lines, &chunks));
        let chunks = chunks.iter().map(|chunk| &**chunk);
        let call = match &event {
            Some(event) => self.caller.call(function, host, &lines, std::iter::once(event.as_slice()))?,
            None => self.caller.call(function, host, &lines, chunks)?,
        };
        drop(lines);
        host.count(stats::INVOKED, 1);
        stream.stage = Stage::Called;
        if !host.recasts_requests() {
            return self.call_out(host, call, event);
        }
        call.apply(host, Fields::RequestHeaders);
        if let Some(event) = event {
            host.put_body(Message::Request, &[&event]);
        }
        Ok(Flow::Continue)
    }

    fn call_out(
        &self,
        host: &mut dyn Host,
        call: Recast<'_>,
        event: Option<Vec<u8>>,
    ) -> Result<Flow, Failure> {
        let cluster = match host.attribute("xds.cluster_name") {
            Some(Value::Text(name)) => String::from_utf8_lossy(&name).into_owned(),
            _ => return Err(Failure::Callout(CalloutError::UnknownCluster)),
        };
        let body = event.unwrap_or_else(|| host.body(Message::Request).concat());
        let callout = Callout { cluster, fields: call.into_lines(), body, timeout: self.timeout };
        host.callout(callout).map_err(Failure::Callout)?;
        Ok(Flow::AwaitReply)
    }

    pub(crate) fn fail(&self, stream: &mut Stream, host: &mut dyn Host, failure: Failure) -> Flow {
        self.told(stream, host, &failure);
        stream.stage = Stage::Idle;
        Flow::Respond(self.refusal(failure))
    }

    /// The failure that an error of the API is, by what its body says.
    fn judged(&self, error: ApiError, json: &[u8]) -> Failure {
        error.explained_by(json, self.formatted.is_none())
    }

    /// Counts and logs.
    fn told(&self, stream: &Stream, host: &mut dyn Host, failure: &Failure) {
        let name = self.function(stream).map_or("", |function| &function.name);
        stats::failed(host, name, failure);
    }

    fn refusal(&self, failure: Failure) -> ferrule_kit::Response {
        match failure {
            Failure::Malformed(_) | Failure::Broken(Broken::Head(_) | Broken::Endless) => {
                outcome::malformed(failure, self.errors)
            }
            failure => failure.response(),
        }
    }
}
