//! Rewrites headers, bodies and metadata of requests and responses by templates.
//!
//! Invariants:
//! - A body is held only if a template reads it or one takes its place; that is known once the configuration is compiled.
//! - A message is transformed as a whole or not at all; what cannot be transformed is answered by 400.
//! - Nothing of a message's content reaches the log or an answer to an error.

mod config;
mod edits;
mod field;
mod json;
mod plan;
mod scope;
mod template;
mod transform;

use ferrule_kit::{ConfigError, Counter, Fields, Filter, Flow, Host, Level, Message, Response};

pub use config::{
    BodyTransformation, Config, HeaderTransformation, MetadataTransformation, MetadataValue, ParseAs,
    Transform,
};
use edits::NewBody;
use plan::Plan;
use template::Fault;
use transform::{Cause, Exchange, Problem};

const TRANSFORMED: Counter = Counter(0);
const TOO_LARGE: Counter = Counter(6);

/// What a client reads when its request, or the response to it, could not be transformed.
const REFUSED: &str = "the message could not be transformed\n";
/// Response-code details of all answers that this filter makes.
const DETAILS: &str = "transformation_filter_error";

/// The filter: a compiled [`Config`].
#[derive(Debug)]
pub struct Transformation {
    request: Option<Plan>,
    response: Option<Plan>,
}

/// What the filter remembers of one request and its response.
#[derive(Debug, Default)]
pub struct Stream {
    exchange: Exchange,
    /// Envoy answers some requests before this filter sees them; those answers are not ours to transform.
    saw_request: bool,
    /// The response's status forbids the body that is on its way.
    drops_body: bool,
}

impl Filter for Transformation {
    const NAME: &'static str = "transformation";
    const COUNTERS: &'static [&'static str] = &[
        "transformed",
        "json_refused",
        "render_failed",
        "bound_hit",
        "value_refused",
        "encoding_refused",
        "too_large",
    ];

    type Config = Config;
    type Stream = Stream;

    fn compile(config: Config) -> Result<Self, ConfigError> {
        let plan = |message, transform: Option<Transform>| {
            transform.map(|transform| Plan::compile(message, transform)).transpose()
        };
        let request = plan(Message::Request, config.request)?;
        Ok(Self { request, response: plan(Message::Response, config.response)? })
    }

    fn looks_back(&self) -> bool {
        self.response.is_some()
    }

    fn on_headers(&self, stream: &mut Stream, host: &mut dyn Host, message: Message, _: bool) -> Flow {
        if message == Message::Request {
            stream.saw_request = true;
            stream.exchange.is_head = self.response.is_some()
                && host.field(Fields::RequestHeaders, ":method").is_some_and(|method| *method == *b"HEAD");
        }
        let Some(plan) = self.plan(message).filter(|_| stream.saw_request) else { return Flow::Continue };
        if plan.holds_body && !host.is_tunnel() {
            return Flow::AwaitBody;
        }
        transform(plan, stream, host, None)
    }

    fn on_body(&self, stream: &mut Stream, host: &mut dyn Host, message: Message) -> Flow {
        let Some(plan) = self.plan(message) else { return Flow::Continue };
        let body = host.body(message).concat();
        transform(plan, stream, host, Some(body))
    }

    fn on_data(&self, stream: &mut Stream, host: &mut dyn Host, message: Message, _: bool) -> Flow {
        if stream.drops_body && message == Message::Response {
            host.replace_body(message, b"");
        }
        Flow::Continue
    }

    fn on_overflow(&self, _: &mut Stream, host: &mut dyn Host, message: Message) -> Flow {
        host.count(TOO_LARGE, 1);
        log(host, &format!("{}.body: larger than the buffer limit", plan::path(message)));
        let status = if message == Message::Request { 413 } else { 502 };
        Flow::Respond(Response::text(status, DETAILS, REFUSED))
    }
}

impl Transformation {
    fn plan(&self, message: Message) -> Option<&Plan> {
        match message {
            Message::Request => self.request.as_ref(),
            Message::Response => self.response.as_ref(),
        }
    }
}

fn transform(plan: &Plan, stream: &mut Stream, host: &mut dyn Host, body: Option<Vec<u8>>) -> Flow {
    let held = body.is_some();
    match transform::render(plan, &mut stream.exchange, host, body) {
        Ok(edits) => {
            stream.drops_body = !held && edits.body == NewBody::Forbidden;
            edits.apply(host, plan.message);
            host.count(TRANSFORMED, 1);
            Flow::Continue
        }
        Err(problem) => {
            host.count(counter(&problem), 1);
            log(host, &problem.to_string());
            Flow::Respond(Response::text(400, DETAILS, REFUSED))
        }
    }
}

fn counter(problem: &Problem) -> Counter {
    Counter(match &problem.cause {
        Cause::Json(_) => 1,
        Cause::Render(failure) if failure.fault == Fault::Bound => 3,
        Cause::Render(_) => 2,
        Cause::Value(_) | Cause::Metadata => 4,
        Cause::Encoding => 5,
    })
}

/// One line that names the route and the field.
fn log(host: &dyn Host, problem: &str) {
    let route = match host.attribute("xds.route_name") {
        Some(ferrule_kit::Value::Text(name)) => String::from_utf8_lossy(&name).escape_debug().to_string(),
        _ => String::new(),
    };
    host.log(Level::Warn, &format!("transformation: route \"{route}\": {problem}"));
}
