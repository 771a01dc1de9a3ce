//! The seam to the proxy: all that a filter may read or edit while it handles one stream.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

/// Bytes that a host lends where it can and copies where it must.
pub type Octets<'a> = Cow<'a, [u8]>;

/// Owned field lines in order, names in lower case (RFC 9110 §5).
pub type FieldLines = Vec<(String, Vec<u8>)>;

/// Field lines as a host lends them; read all at once where many are asked for, because each question costs as much as a line.
pub type Lines<'l> = [(Octets<'l>, Octets<'l>)];

/// The value of the first line of that name.
pub fn line<'l>(lines: &'l Lines<'_>, name: &str) -> Option<&'l [u8]> {
    lines.iter().find(|(known, _)| **known == *name.as_bytes()).map(|(_, value)| &**value)
}

/// One of the two messages of an exchange (RFC 9110 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// From the client to the upstream.
    Request,
    /// From the upstream, or from Envoy itself, to the client.
    Response,
}

impl Message {
    /// The header section of this message.
    pub fn headers(self) -> Fields {
        match self {
            Self::Request => Fields::RequestHeaders,
            Self::Response => Fields::ResponseHeaders,
        }
    }

    /// The trailer section of this message.
    pub fn trailers(self) -> Fields {
        match self {
            Self::Request => Fields::RequestTrailers,
            Self::Response => Fields::ResponseTrailers,
        }
    }
}

/// A section of field lines (RFC 9110 §6.3 and §6.5). Pseudo-fields such as `:path` belong to the header sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fields {
    /// Header section of the request.
    RequestHeaders,
    /// Trailer section of the request.
    RequestTrailers,
    /// Header section of the response.
    ResponseHeaders,
    /// Trailer section of the response.
    ResponseTrailers,
}

/// A value of an Envoy attribute or of metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Bytes, mostly but not always UTF-8.
    Text(Octets<'a>),
    /// An integer attribute.
    Int(i64),
    /// A number in metadata (a double in `google.protobuf.Value`).
    Number(f64),
    /// A truth value.
    Bool(bool),
    /// A list in metadata.
    List(Vec<Value<'a>>),
    /// A struct in metadata, which no host shows, but which can be set.
    Map(Vec<(String, Value<'a>)>),
    /// A null within a list or struct.
    Null,
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.as_bytes().into())
    }
}

impl Value<'_> {
    /// The same value, lent by no one.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Int(number) => Value::Int(number),
            Self::Number(number) => Value::Number(number),
            Self::Bool(truth) => Value::Bool(truth),
            Self::List(items) => Value::List(items.into_iter().map(Value::into_owned).collect()),
            Self::Map(members) => {
                Value::Map(members.into_iter().map(|(key, value)| (key, value.into_owned())).collect())
            }
            Self::Null => Value::Null,
        }
    }
}

/// Where metadata is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetadataSource {
    /// Dynamic metadata of the stream.
    Dynamic,
    /// Metadata of the selected route.
    Route,
    /// Metadata of the selected cluster.
    Cluster,
    /// Metadata of the selected upstream host; known only once a host was chosen.
    Host,
}

/// How loud a log line is; Envoy's own levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// A request that a filter makes to a cluster of Envoy's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callout {
    /// Name of the Envoy cluster.
    pub cluster: String,
    /// Must hold `:method`, `:path` and `:authority`.
    pub fields: FieldLines,
    /// The whole body; empty for none.
    pub body: Vec<u8>,
    /// When Envoy gives up, which it tells by a reply of its own: 504 (see [`Reply`]).
    pub timeout: Duration,
}

/// Names a callout of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CalloutId(pub u64);

/// Why a callout could not be made or brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalloutError {
    /// `:method`, `:path` or `:authority` is missing.
    #[error("the callout lacks :method, :path or :authority")]
    MissingFields,
    /// Envoy knows no such cluster.
    #[error("the callout's cluster is unknown")]
    UnknownCluster,
    /// Envoy refused to start the request.
    #[error("the callout could not be started")]
    Refused,
    /// The answer broke off after it had begun.
    #[error("the callout's answer broke off")]
    Reset,
    /// The answer is larger than Envoy buffers.
    #[error("the callout's answer is larger than the buffer limit")]
    TooLarge,
}

/// The answer to a callout. Where the cluster gave none, Envoy made it: 503 for a failed or reset connection, 504 when time
/// ran out.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply<'a> {
    /// Field lines of the answer, `:status` among them.
    pub fields: Vec<(Octets<'a>, Octets<'a>)>,
    /// The body in chunks as they arrived.
    pub body: Vec<Octets<'a>>,
}

/// One stream as its proxy shows it.
///
/// Field names are given in lower case; values are written as of [`crate::field_value`]. Reads see earlier edits. A
/// section or body that has not arrived yet reads as empty, and edits of it do nothing.
pub trait Host {
    /// The first field line of that name.
    fn field(&self, fields: Fields, name: &str) -> Option<Octets<'_>>;

    /// The values of all field lines of that name, in order.
    fn field_values(&self, fields: Fields, name: &str) -> Vec<Octets<'_>>;

    /// All field lines in order. Costs as much as there are lines: ask by name where a name is known.
    fn field_lines(&self, fields: Fields) -> Vec<(Octets<'_>, Octets<'_>)>;

    /// Tells each field line in order, as far as the host lends them: for who looks at all of them once.
    ///
    /// Says false where it lends none; then [`Host::field_lines`] tells.
    fn each_field<'a>(&'a self, fields: Fields, each: &mut dyn FnMut(&'a [u8], &'a [u8])) -> bool {
        let _ = (fields, each);
        false
    }

    /// Whether the message has a trailer section, as far as is known.
    fn has_trailers(&self, message: Message) -> bool {
        !self.field_lines(message.trailers()).is_empty()
    }

    /// Replaces all field lines of that name by one; an empty value removes them.
    fn set_field(&mut self, fields: Fields, name: &str, value: &[u8]);

    /// Appends a field line.
    fn add_field(&mut self, fields: Fields, name: &str, value: &[u8]);

    /// Removes all field lines of that name.
    fn remove_field(&mut self, fields: Fields, name: &str);

    /// Bytes of the body that are at hand now: all that is held, or the chunk that is passing.
    fn body_len(&self, message: Message) -> usize;

    /// The bytes counted by [`Host::body_len`], in chunks.
    fn body(&self, message: Message) -> Vec<Octets<'_>>;

    /// Puts `body` in the place of the bytes at hand, or nothing at all while [`Host::allows_body`] says no: HTTP/1.1 takes
    /// such bytes for the next answer on the connection. Does not touch content-length.
    ///
    /// A message without a body can be given one while all of it has come and none of it has gone on.
    fn replace_body(&mut self, message: Message, body: &[u8]) {
        self.put_body(message, &[body]);
    }

    /// As [`Host::replace_body`], with a body in chunks.
    fn put_body(&mut self, message: Message, chunks: &[&[u8]]);

    /// Takes the bytes counted by [`Host::body_len`] out of the message, to be replaced or put back. The proxy's own copy goes
    /// as this one grows, so that a large body is not held twice.
    fn take_body(&mut self, message: Message) -> Vec<u8> {
        let body = self.body(message).concat();
        self.put_body(message, &[]);
        body
    }

    /// Whether a request can become another one on its way: be given a body that it did not have, and go on to another path by the
    /// route that it came by. Where it cannot, a filter makes the other one by [`Host::callout`].
    fn recasts_requests(&self) -> bool {
        true
    }

    /// How many bytes of one message Envoy holds at most.
    fn buffer_limit(&self) -> usize;

    /// An Envoy attribute by its dotted name, such as `source.address`.
    fn attribute(&self, name: &str) -> Option<Value<'_>>;

    /// One key of metadata.
    fn metadata(&self, source: MetadataSource, namespace: &str, key: &str) -> Option<Value<'_>>;

    /// Sets one key of the stream's dynamic metadata, in the place of what was there.
    fn set_metadata(&mut self, namespace: &str, key: &str, value: &Value<'_>);

    /// Names the stream's active span, if it is traced and the host shows it. Envoy has reported the span by the time of
    /// [`crate::Filter::on_done`].
    fn set_span_name(&mut self, name: &str);

    /// Has the route selected anew, from the request's header section as it is now, before the request goes on.
    fn clear_route_cache(&mut self);

    /// The secret of that name, if the listener's configuration asked for it (see [`crate::Filter::secrets`]) and it has come.
    fn secret(&self, name: &str) -> Option<Octets<'_>>;

    /// An environment variable that the operator lets templates see (see [`crate::environment`]).
    fn env(&self, name: &str) -> Option<String>;

    /// Starts a callout; its answer comes as `on_reply`.
    ///
    /// # Errors
    /// Says why no request was started; no reply follows then.
    fn callout(&mut self, callout: Callout) -> Result<CalloutId, CalloutError>;

    /// What wakes this stream, for whoever it waits for; none where streams cannot wait for each other. Costs something: ask only
    /// before a wait.
    fn waker(&mut self) -> Option<crate::Waker> {
        None
    }

    /// Has the stream woken once that time is over. A host without wakers, or that gets on by itself, need not.
    fn wake_after(&mut self, _: Duration) {}

    /// Whether [`Host::send_off`] does anything.
    fn runs_errands(&self) -> bool {
        false
    }

    /// Makes a request that does not end with this stream. One that cannot be made drops the errand.
    fn send_off(&mut self, request: Callout, errand: Box<dyn crate::Errand>) {
        let _ = (request, errand);
    }

    /// Adds to one of the filter's [`crate::Filter::COUNTERS`].
    fn count(&mut self, counter: crate::Counter, by: u64);

    /// Adds a value to one of the filter's [`crate::Filter::HISTOGRAMS`].
    fn record(&mut self, histogram: crate::Histogram, value: u64);

    /// Writes to Envoy's log.
    fn log(&self, level: Level, line: &str);

    /// The name of the stream's route, as it may stand in a log line.
    fn route_name(&self) -> String {
        match self.attribute("xds.route_name") {
            Some(Value::Text(name)) => String::from_utf8_lossy(&name).escape_debug().to_string(),
            _ => String::new(),
        }
    }

    /// The wall clock.
    fn now(&self) -> SystemTime;

    /// 128 unpredictable bits.
    fn random(&self) -> u128;

    /// Whether HTTP lets this message have a body: no answer to HEAD has one, nor one with status 1xx, 204 or 304
    /// (RFC 9110 §6.4.1).
    fn allows_body(&self, message: Message) -> bool {
        if message == Message::Request {
            return true;
        }
        let status = self.field(Fields::ResponseHeaders, ":status").unwrap_or_default();
        let is_head = self.field(Fields::RequestHeaders, ":method").is_some_and(|method| *method == *b"HEAD");
        !is_head && !status.starts_with(b"1") && *status != *b"204" && *status != *b"304"
    }

    /// Whether this stream is an upgrade or a CONNECT tunnel, whose bytes are no message body (RFC 9110 §7.8, §9.3.6).
    fn is_tunnel(&self) -> bool {
        self.field(Fields::RequestHeaders, "upgrade").is_some()
            || self.field(Fields::RequestHeaders, ":method").is_some_and(|method| *method == *b"CONNECT")
    }
}
