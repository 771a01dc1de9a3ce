//! What the probe is told to do, and when.

use std::collections::BTreeMap;

use ferrule_kit::{Counter, Fields, Histogram, Message, MetadataSource, Value};
use serde::Deserialize;

/// What [`Action::Count`] counts.
pub(crate) const COUNTED: Counter = Counter(0);

/// Counts streams that are over.
pub(crate) const DONE: Counter = Counter(1);

/// What [`Action::Record`] records.
pub(crate) const RECORDED: Histogram = Histogram(0);

/// What to do in each callback; nothing where nothing is said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Callbacks about the request.
    pub request: Events,
    /// Callbacks about the response.
    pub response: Events,
    /// At the first reply to a callout, the second and so on. Where nothing is said, a reply of 2xx lets the message that
    /// waits go on, any other is the answer, and none at all is a 503.
    pub replies: Vec<Vec<Action>>,
    /// Before Envoy answers by itself.
    pub local_reply: Vec<Action>,
    /// When the stream is over.
    pub done: Vec<Action>,
    /// Refuses the configuration for this reason.
    pub refuse: Option<String>,
    /// See [`ferrule_kit::Filter::stat_prefix`].
    pub stat_prefix: Option<String>,
    /// Secrets by name, each with the JSON text of its source; none for a static one.
    pub secrets: BTreeMap<String, Option<String>>,
}

impl Config {
    /// The message that actions at a reply are about.
    pub(crate) fn held(&self) -> Message {
        let calls = |events: &Events| events.all().any(|action| matches!(action, Action::Call(_)));
        if calls(&self.response) && !calls(&self.request) { Message::Response } else { Message::Request }
    }
}

/// What to do in the callbacks about one message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Events {
    /// At the header section.
    pub headers: Vec<Action>,
    /// At the whole body; holds the message for it, even where the list is empty.
    pub body: Option<Vec<Action>>,
    /// At each chunk of a body that is not held.
    pub data: Vec<Action>,
    /// At the trailer section.
    pub trailers: Vec<Action>,
}

impl Events {
    fn all(&self) -> impl Iterator<Item = &Action> {
        let body = self.body.iter().flatten();
        self.headers.iter().chain(body).chain(&self.data).chain(&self.trailers)
    }
}

/// One thing to do. Those about fields mean the header section of the message at hand unless they say another.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// Puts one field line in the place of all of that name.
    Set(Field),
    /// Appends a field line.
    Add(Field),
    /// Removes all field lines of a name.
    Remove(Name),
    /// Puts a text in the place of the body bytes at hand.
    ReplaceBody(Text),
    /// Appends a text to the body bytes at hand.
    AppendBody(Text),
    /// Takes the body bytes at hand out of the message, and puts them back between two texts.
    EncloseBody(Enclosure),
    /// Takes the body bytes at hand out of the message, and drops them.
    DropBody,
    /// Writes the number of body bytes at hand into a field.
    BodyLength(Name),
    /// Writes what was told so far into a field, separated by blanks.
    Transcript(Name),
    /// Writes the values of a field of any section, each in brackets, into a field.
    Values {
        /// What to read.
        from: Name,
        /// Where to write.
        into: Name,
    },
    /// Writes an attribute into a field, with its type before it.
    Attribute {
        /// Dotted name of the attribute.
        attribute: String,
        /// Where to write.
        into: Name,
    },
    /// Sets dynamic metadata of the namespace `probe` to what is seen, for access logs to show.
    Keep(Keep),
    /// Writes a value of metadata into a field, with its type before it.
    Metadata(Lookup),
    /// Sets a value of dynamic metadata.
    SetMetadata(Setting),
    /// Names the span.
    SpanName(String),
    /// Has the route selected anew.
    ClearRouteCache,
    /// Writes a secret into a field, `none` where there is none.
    Secret {
        /// Its name.
        secret: String,
        /// Where to write.
        into: Name,
    },
    /// Adds a value to the histogram `recorded`.
    Record(u64),
    /// Adds to the counter `counted`.
    Count(u64),
    /// Makes a callout and holds the message at hand for its reply; the actions after it wait for no one.
    Call(Call),
    /// Answers the client.
    Respond(Status),
    /// Resets the stream.
    Reset,
    /// Panics.
    Panic,
}

/// A field of a section.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Name {
    /// Lower-case name.
    pub name: String,
    /// Its section.
    #[serde(rename = "in")]
    pub section: Option<Section>,
}

/// A field line of a section.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    /// Lower-case name.
    pub name: String,
    /// Its section.
    #[serde(rename = "in")]
    pub section: Option<Section>,
    /// Its value.
    pub value: String,
}

/// A section of field lines.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Section {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseTrailers,
}

impl From<Section> for Fields {
    fn from(section: Section) -> Self {
        match section {
            Section::RequestHeaders => Self::RequestHeaders,
            Section::RequestTrailers => Self::RequestTrailers,
            Section::ResponseHeaders => Self::ResponseHeaders,
            Section::ResponseTrailers => Self::ResponseTrailers,
        }
    }
}

/// A text, so and so many times.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Text {
    /// The text.
    pub text: String,
    /// How often.
    #[serde(default = "once")]
    pub times: usize,
}

fn once() -> usize {
    1
}

/// Texts around a body.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Enclosure {
    /// Goes before it.
    pub before: String,
    /// Goes after it.
    pub after: String,
}

/// What is seen, and the key that it is kept under.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keep {
    /// An attribute, with its type before it.
    pub attribute: Option<String>,
    /// A field, where there is no attribute to keep.
    pub field: Option<Name>,
    /// The key.
    pub key: String,
}

/// A key of metadata to write into a field.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lookup {
    /// `dynamic`, `route`, `cluster` or `host`.
    pub source: Source,
    /// Its namespace.
    pub namespace: String,
    /// Its key.
    pub key: String,
    /// Where to write.
    pub into: Name,
}

/// Where metadata is read from.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Source {
    Dynamic,
    Route,
    Cluster,
    Host,
}

impl From<Source> for MetadataSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Dynamic => Self::Dynamic,
            Source::Route => Self::Route,
            Source::Cluster => Self::Cluster,
            Source::Host => Self::Host,
        }
    }
}

/// A value of dynamic metadata.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Setting {
    /// Its namespace.
    pub namespace: String,
    /// Its key.
    pub key: String,
    /// The value.
    pub value: Datum,
}

/// A value of metadata.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Datum {
    Bool(bool),
    Int(i64),
    Number(f64),
    Text(String),
    List(Vec<Datum>),
}

impl From<&Datum> for Value<'static> {
    fn from(datum: &Datum) -> Self {
        match datum {
            Datum::Bool(truth) => Self::Bool(*truth),
            Datum::Int(number) => Self::Int(*number),
            Datum::Number(number) => Self::Number(*number),
            Datum::Text(text) => Self::Text(text.clone().into_bytes().into()),
            Datum::List(items) => Self::List(items.iter().map(Into::into).collect()),
        }
    }
}

/// A callout.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Call {
    /// Name of the Envoy cluster.
    pub cluster: String,
    /// `:path` of the request.
    #[serde(default = "root")]
    pub path: String,
    /// Sends along the body bytes at hand.
    #[serde(default)]
    pub send_body: bool,
    /// When Envoy gives up, milliseconds.
    #[serde(default = "five_seconds")]
    pub timeout_ms: u64,
}

fn root() -> String {
    "/".to_owned()
}

fn five_seconds() -> u64 {
    5_000
}

/// An answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Status {
    /// Status code.
    pub status: u16,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// Field lines besides.
    #[serde(default)]
    pub fields: Vec<Field>,
}
