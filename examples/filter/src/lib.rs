//! Gives every request a correlation id, and the response the same one.
//!
//! Invariant: an id that goes on is one line of at most 128 visible ASCII characters, whoever made it.

mod config;

pub use config::{Config, Missing};

use ferrule_kit::{ConfigError, Counter, Fields, Filter, Flow, Host, Message, Response};

#[cfg(not(target_family = "wasm"))]
ferrule_module::export!(CorrelationId);
#[cfg(target_family = "wasm")]
ferrule_wasm::export!(CorrelationId);

const MADE: Counter = Counter(0);
const REFUSED: Counter = Counter(1);

const MAX_LENGTH: usize = 128;

/// The filter: a checked [`Config`].
#[derive(Debug)]
pub struct CorrelationId {
    config: Config,
}

impl Filter for CorrelationId {
    const NAME: &'static str = "correlation-id";
    const COUNTERS: &'static [&'static str] = &["made", "refused"];

    type Config = Config;
    /// The request's id, for its response.
    type Stream = Option<Vec<u8>>;

    fn compile(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { config })
    }

    fn looks_back(&self) -> bool {
        false
    }

    fn on_headers(&self, id: &mut Self::Stream, host: &mut dyn Host, message: Message, _: bool) -> Flow {
        match message {
            Message::Request => self.identify(id, host),
            Message::Response => self.echo(id.as_deref(), host),
        }
    }
}

impl CorrelationId {
    fn identify(&self, id: &mut Option<Vec<u8>>, host: &mut dyn Host) -> Flow {
        let header = &self.config.header;
        let sent: Vec<Vec<u8>> =
            host.field_values(Fields::RequestHeaders, header).into_iter().map(Into::into).collect();
        match sent.as_slice() {
            [one] if is_id(one) => *id = Some(one.clone()),
            [] if self.config.missing == Missing::Make => {
                let made = format!("{:032x}", host.random()).into_bytes();
                host.set_field(Fields::RequestHeaders, header, &made);
                host.count(MADE, 1);
                *id = Some(made);
            }
            [] => return refuse(host, &format!("{header} is missing\n")),
            _ => return refuse(host, &format!("{header} is no id\n")),
        }
        Flow::Continue
    }

    fn echo(&self, id: Option<&[u8]>, host: &mut dyn Host) -> Flow {
        if let Some(id) = id {
            host.set_field(Fields::ResponseHeaders, &self.config.header, id);
        }
        Flow::Continue
    }
}

/// Answers for the upstream. What the client sent is not repeated: it may be anything.
fn refuse(host: &mut dyn Host, why: &str) -> Flow {
    host.count(REFUSED, 1);
    Flow::Respond(Response::text(400, "correlation_id_refused", why))
}

fn is_id(value: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic)
}
