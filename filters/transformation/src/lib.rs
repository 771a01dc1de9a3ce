//! Rewrites headers, bodies and metadata of requests and responses by templates.
//!
//! Invariants:
//! - A body is held only if a template reads it or something takes its place; that is known once the configuration is compiled.
//! - A message is transformed as a whole or not at all; what cannot be transformed is answered by 400, or goes on untouched.
//! - Nothing of a message's content reaches the log or an answer to an error.

#[cfg(test)]
mod agreement;
mod annotation;
mod completion;
mod config;
mod edits;
mod extractor;
mod field;
mod limits;
mod matching;
mod merge;
mod plan;
mod problem;
mod rope;
mod scope;
mod stats;
mod surroundings;
mod template;
mod transform;
mod wrap;

#[cfg(test)]
extern crate self as ferrule_transformation;
#[cfg(test)]
#[path = "../tests/invariants/mod.rs"]
mod invariants;

use ferrule_kit::{ConfigError, Fields, Filter, Flow, Host, Message, Response, SecretSource};

use completion::Completion;
pub use config::*;
use edits::NewBody;
pub use plan::Reason;
use plan::{Choice, Plan};
use surroundings::{Surroundings, Use};
use transform::Exchange;

/// What a client reads when its request, or the response to it, could not be transformed.
const REFUSED: &str = "the message could not be transformed\n";
/// Response-code details of all answers that this filter makes.
const DETAILS: &str = "transformation_filter_error";

/// The filter: a compiled [`Config`].
#[derive(Debug)]
pub struct Transformation {
    request: Option<Choice>,
    response: Option<Choice>,
    completion: Option<Completion>,
    surroundings: Surroundings,
    stat_prefix: Option<String>,
    /// Whether responses depend on the request's method.
    minds_method: bool,
    /// Whether some message may be held.
    holds_bodies: bool,
}

/// What the filter remembers of one request and its response.
#[derive(Debug, Default)]
pub struct Stream {
    exchange: Exchange,
    /// Places of the transforms that were chosen for request and response.
    chosen: [u8; 2],
    /// Envoy answers some requests before this filter sees them; those answers are not ours to transform.
    saw_request: bool,
    /// The bytes that follow are no message's, in either direction.
    is_tunnel: bool,
    /// The response's status forbids the body that is on its way.
    drops_body: bool,
}

impl Filter for Transformation {
    const NAME: &'static str = "transformation";
    const COUNTERS: &'static [&'static str] = stats::COUNTERS;
    const HISTOGRAMS: &'static [&'static str] = stats::HISTOGRAMS;

    type Config = Config;
    type Stream = Stream;

    fn compile(config: Config) -> Result<Self, ConfigError> {
        let choice = |message, transform: Option<Transform>| {
            transform.map(|transform| Choice::compile(message, transform)).transpose()
        };
        let request = choice(Message::Request, config.request)?;
        let response = choice(Message::Response, config.response)?;
        let filter = Self {
            holds_bodies: request.iter().chain(&response).any(Choice::holds_bodies),
            request,
            minds_method: response.as_ref().is_some_and(Choice::minds_method),
            response,
            completion: config.on_stream_complete.map(Completion::compile).transpose()?,
            surroundings: Surroundings::new(config.secrets, config.data_sources),
            stat_prefix: stats::prefix(config.stat_prefix)?,
        };
        filter.uses().iter().try_for_each(|used| filter.surroundings.check(used))?;
        Ok(filter)
    }

    fn looks_back(&self) -> bool {
        self.response.as_ref().is_some_and(Choice::reads_request)
            || self.completion.as_ref().is_some_and(Completion::reads_request)
    }

    fn stat_prefix(&self) -> Option<&str> {
        self.stat_prefix.as_deref()
    }

    fn secrets(&self) -> Vec<SecretSource> {
        self.surroundings.sources().to_vec()
    }

    fn on_headers(&self, stream: &mut Stream, host: &mut dyn Host, message: Message, _: bool) -> Flow {
        if message == Message::Request {
            stream.saw_request = true;
            stream.exchange.is_head = self.minds_method && is_head(host);
            stream.is_tunnel = self.holds_bodies && host.is_tunnel();
        }
        let Some(choice) = self.choice(message).filter(|_| stream.saw_request) else {
            return self.goes_on(stream, message);
        };
        let place = choice.choose(host, message);
        stream.chosen[side(message)] = u8::try_from(place).unwrap_or(u8::MAX);
        let plan = choice.plan(place);
        if plan.holds_body && !stream.is_tunnel {
            return Flow::AwaitBody;
        }
        if plan.is_empty { self.goes_on(stream, message) } else { self.transform(plan, stream, host, None) }
    }

    fn on_body(&self, stream: &mut Stream, host: &mut dyn Host, message: Message) -> Flow {
        let Some(plan) = self.chosen(stream, message) else { return self.goes_on(stream, message) };
        // A body that stays need not leave its message.
        let body = if plan.body.is_some() { host.take_body(message) } else { host.body(message).concat() };
        self.transform(plan, stream, host, Some(&body))
    }

    fn on_data(&self, stream: &mut Stream, host: &mut dyn Host, message: Message, _: bool) -> Flow {
        if stream.drops_body && message == Message::Response {
            host.replace_body(message, b"");
        }
        Flow::Continue
    }

    fn on_overflow(&self, stream: &mut Stream, host: &mut dyn Host, message: Message) -> Flow {
        let path = self.chosen(stream, message).map_or("", |plan| &plan.path);
        stats::overflow(host, path);
        let status = if message == Message::Request { 413 } else { 502 };
        Flow::Respond(Response::text(status, DETAILS, REFUSED))
    }

    fn on_done(&self, stream: &mut Stream, host: &mut dyn Host) {
        if let Some(completion) = self.completion.as_ref().filter(|_| stream.saw_request) {
            completion.run(&self.surroundings, &mut stream.exchange, host);
        }
    }
}

impl Transformation {
    /// Why messages of that kind are held until their bodies are complete; nothing if they never are.
    pub fn holds(&self, message: Message) -> Vec<Reason> {
        self.choice(message).into_iter().flat_map(Choice::plans).flat_map(Plan::reasons).collect()
    }

    fn choice(&self, message: Message) -> Option<&Choice> {
        match message {
            Message::Request => self.request.as_ref(),
            Message::Response => self.response.as_ref(),
        }
    }

    fn chosen(&self, stream: &Stream, message: Message) -> Option<&Plan> {
        self.choice(message).map(|choice| choice.plan(stream.chosen[side(message)].into()))
    }

    /// What is left to do once that message goes on.
    fn goes_on(&self, stream: &Stream, message: Message) -> Flow {
        let awaits_response = message == Message::Request && self.response.is_some();
        let idle = self.completion.is_none() && !awaits_response && !stream.drops_body;
        if idle { Flow::Leave } else { Flow::Continue }
    }

    fn uses(&self) -> Vec<Use> {
        let choices = self.request.iter().chain(&self.response);
        let uses = choices.flat_map(Choice::plans).flat_map(Plan::uses);
        uses.chain(self.completion.iter().flat_map(Completion::uses)).collect()
    }

    fn transform(&self, plan: &Plan, stream: &mut Stream, host: &mut dyn Host, body: Option<&[u8]>) -> Flow {
        let begun = self.stat_prefix.as_ref().map(|_| host.now());
        if body.is_none() && plan.quick.as_ref().is_some_and(|quick| quick.run(host, plan.message)) {
            if let Some(begun) = begun {
                stats::measure(host, begun, None, true);
            }
            if plan.clears_route_cache {
                host.clear_route_cache();
            }
            return self.goes_on(stream, plan.message);
        }
        let rendered = transform::render(plan, &self.surroundings, &mut stream.exchange, host, body);
        // Not where no one asks: a count costs as much as a header.
        if let Some(begun) = begun {
            stats::measure(host, begun, body.map(<[u8]>::len), rendered.is_ok());
        }
        let taken = body.filter(|body| plan.body.is_some() && !body.is_empty());
        match rendered {
            Ok(edits) => {
                stream.drops_body = body.is_none() && matches!(edits.body, NewBody::Forbidden);
                let stays = matches!(edits.body, NewBody::Same);
                if let Some(body) = taken.filter(|_| stays) {
                    host.replace_body(plan.message, body);
                }
                edits.apply(host, plan.message);
                if plan.clears_route_cache {
                    host.clear_route_cache();
                }
                self.goes_on(stream, plan.message)
            }
            Err(problem) => {
                stats::failed(host, &problem, plan.skips_errors);
                if !plan.skips_errors {
                    return Flow::Respond(Response::text(400, DETAILS, REFUSED));
                }
                if let Some(body) = taken {
                    host.replace_body(plan.message, body);
                }
                self.goes_on(stream, plan.message)
            }
        }
    }
}

fn is_head(host: &dyn Host) -> bool {
    host.field(Fields::RequestHeaders, ":method").is_some_and(|method| *method == *b"HEAD")
}

fn side(message: Message) -> usize {
    usize::from(message == Message::Response)
}
