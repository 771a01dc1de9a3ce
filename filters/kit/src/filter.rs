//! The shape that every filter has, whatever it does.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use crate::{CalloutError, CalloutId, ConfigHost, FieldLines, Host, Message, Opening, Ready, Reply, Supply};

/// What a filter wants to happen next. It names intent; each host maps it to its own statuses.
#[derive(Debug, PartialEq, Eq)]
pub enum Flow {
    /// Let the message go on.
    Continue,
    /// Let the message go on, and tell the filter nothing more of this stream, not even that it is over: what is left of it
    /// costs next to nothing.
    Leave,
    /// Hold this message until its body is complete, then call [`Filter::on_body`].
    ///
    /// Only from [`Filter::on_headers`]: once headers have left, a body can no longer change them.
    AwaitBody,
    /// Hold this message, and call [`Filter::on_data`] for each chunk that comes, with all that is held at hand: bytes that it takes
    /// out ([`Host::take_body`]) are not held. The first [`Flow::Continue`] lets headers and what is at hand go on. A message with
    /// trailers goes on after [`Filter::on_trailers`].
    ///
    /// Only from [`Filter::on_headers`] where more is to come, and from [`Filter::on_data`] of a message so held, but for its end.
    AwaitData,
    /// Hold this message until the reply to a callout, or a wake, has come.
    AwaitReply,
    /// Answer the client at once.
    Respond(Response),
    /// Begin an answer whose body comes by [`Filter::on_room`]; in the place of a response, all of it must be at hand.
    Open(Opening),
    /// Reset the stream.
    Reset,
}

/// An answer that the filter makes itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Status code (RFC 9110 §15).
    pub status: u16,
    /// Field lines besides `:status` and content-length, which the host sets.
    pub fields: FieldLines,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// Response-code details for access logs: words joined by `_`. Nothing of a message's content belongs here.
    pub details: Cow<'static, str>,
}

impl Response {
    /// An answer whose body is `text`.
    pub fn text(status: u16, details: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        let fields = vec![("content-type".to_owned(), b"text/plain".to_vec())];
        Self { status, fields, body: text.into().into_bytes(), details: details.into() }
    }
}

/// Names a counter by its place in [`Filter::COUNTERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter(pub usize);

/// Names a histogram by its place in [`Filter::HISTOGRAMS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram(pub usize);

/// A secret that a filter reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSource {
    /// Its name in the secret discovery service (SDS), or among the static secrets of the bootstrap.
    pub name: String,
    /// JSON of the `envoy.config.core.v3.ConfigSource` that it comes from; none for a static one.
    pub config_source: Option<String>,
}

impl From<(String, Option<String>)> for SecretSource {
    /// Name and source.
    fn from((name, config_source): (String, Option<String>)) -> Self {
        Self { name, config_source }
    }
}

/// Why a configuration was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", if .field.is_empty() { String::new() } else { format!("{}: ", .field) })]
pub struct ConfigError {
    /// Path of the field from the configuration's root, such as `request.set[0].value`; empty for the root.
    pub field: String,
    /// What is wrong, in words for who wrote the configuration.
    pub reason: String,
}

impl ConfigError {
    /// An error at `field`.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

/// One filter: its compiled configuration, shared by all streams of all workers.
///
/// Every callback gets the stream's own memory and the host. The defaults let everything pass.
pub trait Filter: Send + Sync + Sized + 'static {
    /// Folder name, xDS filter name and prefix of statistics.
    const NAME: &'static str;

    /// Names of the filter's counters, each counted from zero by [`Host::count`].
    const COUNTERS: &'static [&'static str] = &[];

    /// Names of the filter's histograms, each recorded by [`Host::record`].
    const HISTOGRAMS: &'static [&'static str] = &[];

    /// Whether [`Filter::quick`] ever answers.
    const IS_QUICK: bool = false;

    /// Configuration as written; strict, so an unknown field is an error.
    type Config: DeserializeOwned;

    /// What the filter remembers of one stream.
    type Stream: Default;

    /// Compiles a configuration once, so that nothing is parsed again for a request.
    ///
    /// # Errors
    /// Names the field and says what is wrong with it.
    fn compile(config: Self::Config) -> Result<Self, ConfigError>;

    /// Whether the filter may read the request's header section once the request has gone on, say for its response.
    ///
    /// Not every host shows it then; one that does not keeps a copy for the filters that ask for it here. Where this is
    /// false, the section may read as empty from then on.
    fn looks_back(&self) -> bool {
        true
    }

    /// Hosts count and record what streams of this configuration do under this prefix, too.
    fn stat_prefix(&self) -> Option<&str> {
        None
    }

    /// Secrets that streams may read. Those of the listener's configuration are subscribed; a route's configuration must name
    /// none but these.
    fn secrets(&self) -> Vec<SecretSource> {
        Vec::new()
    }

    /// Whether threads of the filter's own may run once it is asked for something. The code of a module that has any must stay, though
    /// its last configuration goes.
    fn has_threads(&self) -> bool {
        false
    }

    /// A configuration of a listener has come into being, before any of its streams; a route's own is not told of here. A host
    /// may make several of one text, and drop some of them unused.
    fn on_configured(&self, host: &mut dyn ConfigHost) {
        let _ = host;
    }

    /// What [`Filter::on_headers`] would answer this request with, where its header section and nothing of the stream's memory decides
    /// that; none to be asked as usual. A host may ask this before it makes anything of a stream: the usual answer then costs a
    /// fraction.
    fn quick(&self, host: &mut dyn Host, end: bool) -> Option<Box<dyn Ready>> {
        let _ = (host, end);
        None
    }

    /// The header section of a message has come; `end` says that no body and no trailers follow.
    fn on_headers(
        &self,
        stream: &mut Self::Stream,
        host: &mut dyn Host,
        message: Message,
        end: bool,
    ) -> Flow {
        let _ = (stream, host, message, end);
        Flow::Continue
    }

    /// The whole body of a message held by [`Flow::AwaitBody`] is at hand, be it empty.
    fn on_body(&self, stream: &mut Self::Stream, host: &mut dyn Host, message: Message) -> Flow {
        let _ = (stream, host, message);
        Flow::Continue
    }

    /// A chunk of a message that is not held passes by; `end` marks the last one of a message without trailers.
    fn on_data(&self, stream: &mut Self::Stream, host: &mut dyn Host, message: Message, end: bool) -> Flow {
        let _ = (stream, host, message, end);
        Flow::Continue
    }

    /// The trailer section has come, after [`Filter::on_body`] where the body was held.
    fn on_trailers(&self, stream: &mut Self::Stream, host: &mut dyn Host, message: Message) -> Flow {
        let _ = (stream, host, message);
        Flow::Continue
    }

    /// A body held by [`Flow::AwaitBody`] outgrew [`Host::buffer_limit`]; answers 413, or 502 for a response.
    ///
    /// Envoy itself answers 413 before this is asked where it sees the limit first.
    fn on_overflow(&self, stream: &mut Self::Stream, host: &mut dyn Host, message: Message) -> Flow {
        let _ = (stream, host);
        let status = if message == Message::Request { 413 } else { 502 };
        Flow::Respond(Response::text(status, format!("{}_filter_error", Self::NAME), ""))
    }

    /// The reply to a callout, or why there is none.
    fn on_reply(
        &self,
        stream: &mut Self::Stream,
        host: &mut dyn Host,
        id: CalloutId,
        reply: Result<Reply<'_>, CalloutError>,
    ) -> Flow {
        let _ = (stream, host, id, reply);
        Flow::Continue
    }

    /// A [`crate::Waker`] of this stream was used.
    ///
    /// Only while a message is held: an answer that was begun gets [`Filter::on_room`] instead.
    fn on_wake(&self, stream: &mut Self::Stream, host: &mut dyn Host) -> Flow {
        let _ = (stream, host);
        Flow::Continue
    }

    /// A [`crate::Waker`] of this stream was used, or a time is over ([`crate::Host::wake_after`]), while nothing is held and no answer
    /// was begun.
    fn on_alarm(&self, stream: &mut Self::Stream, host: &mut dyn Host) {
        let _ = (stream, host);
    }

    /// There is room for more of the answer begun by [`Flow::Open`].
    fn on_room(&self, stream: &mut Self::Stream, host: &mut dyn Host) -> Supply {
        let _ = (stream, host);
        Supply::Data { pieces: Vec::new(), end: true }
    }

    /// Envoy is about to answer by itself. Its answer then passes [`Filter::on_headers`] like any response.
    fn on_local_reply(&self, stream: &mut Self::Stream, host: &mut dyn Host, status: u16, details: &str) {
        let _ = (stream, host, status, details);
    }

    /// The stream is over, for whatever reason. Called once, before access logs are written: they show metadata that is set
    /// here. Edits no longer reach anyone.
    fn on_done(&self, stream: &mut Self::Stream, host: &mut dyn Host) {
        let _ = (stream, host);
    }
}

/// Parses and compiles a filter's JSON configuration; no bytes at all mean `{}`.
///
/// # Errors
/// Names the field and says what is wrong with it.
pub fn compile<F: Filter>(json: &[u8]) -> Result<F, ConfigError> {
    F::compile(parse(json)?)
}

pub(crate) fn parse<C: DeserializeOwned>(json: &[u8]) -> Result<C, ConfigError> {
    let json = if json.is_empty() { b"{}" } else { json };
    let mut parser = serde_json::Deserializer::from_slice(json);
    let config = serde_path_to_error::deserialize(&mut parser).map_err(at_path)?;
    parser.end().map_err(|error| ConfigError::new("", error.to_string()))?;
    Ok(config)
}

fn at_path(error: serde_path_to_error::Error<serde_json::Error>) -> ConfigError {
    let path = error.path().to_string();
    let field = if path == "." { String::new() } else { path };
    ConfigError::new(field, error.into_inner().to_string())
}

/// The counters of a filter as hosts define them: its own, then those of the driver.
pub fn counter_names<F: Filter>() -> impl Iterator<Item = &'static str> {
    F::COUNTERS.iter().copied().chain(crate::driver::COUNTERS.iter().copied())
}
