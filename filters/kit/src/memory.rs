//! A host made of plain memory, for tests that need no Envoy.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::{
    Callout, CalloutError, CalloutId, Counter, Errand, FieldLines, Fields, Histogram, Host, Level, Message,
    MetadataSource, Octets, Value, Wake, Waker, field_value,
};

/// A callout that a filter made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalloutMade {
    /// The id that its reply must carry.
    pub id: CalloutId,
    /// What was asked.
    pub callout: Callout,
}

/// A line that a filter logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How loud.
    pub level: Level,
    /// The text.
    pub line: String,
}

/// One stream in memory. Every part is public: a test sets what the proxy would have and reads what the filter did.
///
/// It behaves as Envoy does where that shows: names are lower case, an empty value removes, sections that have not
/// arrived take no edits.
#[derive(Debug)]
pub struct MemoryHost {
    /// Sections that have arrived.
    pub sections: BTreeMap<&'static str, FieldLines>,
    /// Body bytes at hand, in chunks, of request and response.
    pub bodies: [Vec<Vec<u8>>; 2],
    /// Whether all of request and response has come and none of it has gone on, so that they can be given a body.
    pub whole: [bool; 2],
    /// Answer of [`Host::buffer_limit`], bytes.
    pub limit: usize,
    /// Answer of [`Host::recasts_requests`].
    pub recasts: bool,
    /// Envoy attributes by dotted name.
    pub attributes: BTreeMap<String, Value<'static>>,
    /// Metadata by source, namespace and key.
    pub metadata: BTreeMap<(MetadataSource, String, String), Value<'static>>,
    /// Environment variables that templates may see.
    pub environment: BTreeMap<String, String>,
    /// Clusters that callouts may name.
    pub clusters: Vec<String>,
    /// Callouts made so far.
    pub callouts: Vec<CalloutMade>,
    /// Counts by [`Counter`].
    pub counts: BTreeMap<usize, u64>,
    /// Lines logged so far.
    pub logged: RefCell<Vec<LogLine>>,
    /// The wall clock.
    pub clock: SystemTime,
    /// What [`Host::random`] gave last; grows by one each time.
    pub seed: Cell<u128>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// Values by [`Histogram`].
    pub records: BTreeMap<usize, Vec<u64>>,
    /// The name that the span was given.
    pub span_name: Option<String>,
    /// How often the route was to be selected anew.
    pub route_cache_clears: u32,
    /// How often the stream was woken; none where streams cannot wait for each other.
    pub wakes: Option<Wakes>,
    /// What was sent off; none where nothing is.
    pub errands: Option<Vec<(Callout, Box<dyn Errand>)>>,
}

impl Default for MemoryHost {
    fn default() -> Self {
        Self {
            sections: BTreeMap::new(),
            bodies: [Vec::new(), Vec::new()],
            whole: [true, true],
            limit: 1024 * 1024,
            recasts: true,
            attributes: BTreeMap::new(),
            metadata: BTreeMap::new(),
            environment: BTreeMap::new(),
            clusters: Vec::new(),
            callouts: Vec::new(),
            counts: BTreeMap::new(),
            logged: RefCell::new(Vec::new()),
            clock: SystemTime::UNIX_EPOCH,
            seed: Cell::new(1),
            secrets: BTreeMap::new(),
            records: BTreeMap::new(),
            span_name: None,
            route_cache_clears: 0,
            wakes: Some(Wakes::default()),
            errands: None,
        }
    }
}

/// Counts the wakes of a stream.
#[derive(Clone, Debug, Default)]
pub struct Wakes(Arc<AtomicU64>);

impl Wakes {
    /// Wakes since this was last asked.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl MemoryHost {
    /// A host at whose door a request with these header fields stands.
    pub fn with_request<N: Into<String>, V: Into<Vec<u8>>>(fields: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut host = Self::default();
        host.arrive(Fields::RequestHeaders, fields.into_iter().map(|(n, v)| (n.into(), v.into())).collect());
        host
    }

    /// A section arrives; names are put in lower case as Envoy does.
    pub fn arrive(&mut self, fields: Fields, lines: FieldLines) {
        let lines = lines.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        self.sections.insert(section(fields), lines);
    }

    /// The lines of a section, empty where it has not arrived.
    pub fn lines(&self, fields: Fields) -> &[(String, Vec<u8>)] {
        self.sections.get(section(fields)).map_or(&[], Vec::as_slice)
    }

    /// A chunk arrives after what is at hand.
    pub fn push_body(&mut self, message: Message, chunk: impl Into<Vec<u8>>) {
        self.bodies[side(message)].push(chunk.into());
    }

    /// The body bytes at hand go on to the next filter.
    pub fn pass_body(&mut self, message: Message) -> Vec<u8> {
        std::mem::take(&mut self.bodies[side(message)]).concat()
    }

    /// Says whether all of a message has come and none of it has gone on.
    pub fn set_whole(&mut self, message: Message, whole: bool) {
        self.whole[side(message)] = whole;
    }

    /// How often `counter` was counted.
    pub fn counted(&self, counter: Counter) -> u64 {
        self.counts.get(&counter.0).copied().unwrap_or(0)
    }

    fn section_mut(&mut self, fields: Fields) -> Option<&mut FieldLines> {
        self.sections.get_mut(section(fields))
    }
}

fn section(fields: Fields) -> &'static str {
    match fields {
        Fields::RequestHeaders => "request headers",
        Fields::RequestTrailers => "request trailers",
        Fields::ResponseHeaders => "response headers",
        Fields::ResponseTrailers => "response trailers",
    }
}

fn side(message: Message) -> usize {
    usize::from(message == Message::Response)
}

impl Host for MemoryHost {
    fn field(&self, fields: Fields, name: &str) -> Option<Octets<'_>> {
        let line = self.lines(fields).iter().find(|(known, _)| known == name)?;
        Some(Cow::Borrowed(&line.1))
    }

    fn field_values(&self, fields: Fields, name: &str) -> Vec<Octets<'_>> {
        let lines = self.lines(fields).iter().filter(|(known, _)| known == name);
        lines.map(|(_, value)| Cow::Borrowed(value.as_slice())).collect()
    }

    fn each_field<'a>(&'a self, fields: Fields, each: &mut dyn FnMut(&'a [u8], &'a [u8])) -> bool {
        self.lines(fields).iter().for_each(|(name, value)| each(name.as_bytes(), value));
        true
    }

    fn field_lines(&self, fields: Fields) -> Vec<(Octets<'_>, Octets<'_>)> {
        self.lines(fields).iter().map(|(n, v)| (n.as_bytes().into(), v.as_slice().into())).collect()
    }

    fn set_field(&mut self, fields: Fields, name: &str, value: &[u8]) {
        let Some(lines) = self.section_mut(fields) else { return };
        let place = lines.iter().position(|(known, _)| known == name);
        lines.retain(|(known, _)| known != name);
        if value.is_empty() {
            return;
        }
        let place = place.unwrap_or(lines.len()).min(lines.len());
        lines.insert(place, (name.to_owned(), field_value(value).into_owned()));
    }

    fn add_field(&mut self, fields: Fields, name: &str, value: &[u8]) {
        if let Some(lines) = self.section_mut(fields) {
            lines.push((name.to_owned(), field_value(value).into_owned()));
        }
    }

    fn remove_field(&mut self, fields: Fields, name: &str) {
        self.set_field(fields, name, b"");
    }

    fn body_len(&self, message: Message) -> usize {
        self.bodies[side(message)].iter().map(Vec::len).sum()
    }

    fn body(&self, message: Message) -> Vec<Octets<'_>> {
        self.bodies[side(message)].iter().map(|chunk| Cow::Borrowed(chunk.as_slice())).collect()
    }

    fn put_body(&mut self, message: Message, chunks: &[&[u8]]) {
        let chunks = if self.allows_body(message) { chunks } else { &[] };
        let at_hand = &mut self.bodies[side(message)];
        if !at_hand.is_empty() || self.whole[side(message)] {
            // One chunk at least: bytes have their place here, be there none.
            *at_hand = vec![chunks.concat()];
        }
    }

    fn buffer_limit(&self) -> usize {
        self.limit
    }

    fn recasts_requests(&self) -> bool {
        self.recasts
    }

    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        self.attributes.get(name).cloned()
    }

    fn metadata(&self, source: MetadataSource, namespace: &str, key: &str) -> Option<Value<'_>> {
        self.metadata.get(&(source, namespace.to_owned(), key.to_owned())).cloned()
    }

    fn set_metadata(&mut self, namespace: &str, key: &str, value: &Value<'_>) {
        let place = (MetadataSource::Dynamic, namespace.to_owned(), key.to_owned());
        self.metadata.insert(place, value.clone().into_owned());
    }

    fn set_span_name(&mut self, name: &str) {
        self.span_name = Some(name.to_owned());
    }

    fn clear_route_cache(&mut self) {
        self.route_cache_clears += 1;
    }

    fn secret(&self, name: &str) -> Option<Octets<'_>> {
        self.secrets.get(name).map(|secret| Cow::Borrowed(secret.as_slice()))
    }

    fn env(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }

    fn callout(&mut self, callout: Callout) -> Result<CalloutId, CalloutError> {
        let has = |name: &str| callout.fields.iter().any(|(known, _)| known == name);
        if ![":method", ":path", ":authority"].into_iter().all(has) {
            return Err(CalloutError::MissingFields);
        }
        if !self.clusters.contains(&callout.cluster) {
            return Err(CalloutError::UnknownCluster);
        }
        let id = CalloutId(self.callouts.len() as u64 + 1);
        self.callouts.push(CalloutMade { id, callout });
        Ok(id)
    }

    fn waker(&mut self) -> Option<Waker> {
        let wakes = self.wakes.clone()?;
        Some(Waker(Arc::new(wakes)))
    }

    fn runs_errands(&self) -> bool {
        self.errands.is_some()
    }

    fn send_off(&mut self, request: Callout, errand: Box<dyn Errand>) {
        if let Some(errands) = &mut self.errands {
            errands.push((request, errand));
        }
    }

    fn count(&mut self, counter: Counter, by: u64) {
        *self.counts.entry(counter.0).or_default() += by;
    }

    fn record(&mut self, histogram: Histogram, value: u64) {
        self.records.entry(histogram.0).or_default().push(value);
    }

    fn log(&self, level: Level, line: &str) {
        self.logged.borrow_mut().push(LogLine { level, line: line.to_owned() });
    }

    fn now(&self) -> SystemTime {
        self.clock
    }

    fn random(&self) -> u128 {
        self.seed.set(self.seed.get() + 1);
        self.seed.get()
    }
}
