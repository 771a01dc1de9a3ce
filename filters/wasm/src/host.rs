//! [`Host`] over proxy-wasm, for the length of one callback.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::SystemTime;

use ferrule_kit::{
    Callout, CalloutError, CalloutId, Counter, Fields, Histogram, Host, Level, Message, MetadataSource,
    Octets, Value, environment, field_value,
};

use crate::hostcalls::{self, Hidden};
use crate::metrics::Metrics;
use crate::view::View;
use crate::wire::{Buffer, Section};
use crate::{attribute, callout, metadata, pairs, pieces, state};

/// One stream as Envoy shows it in one callback.
pub(crate) struct WasmHost<'a> {
    /// Envoy's number for the stream.
    pub(crate) id: u32,
    /// What is at hand.
    pub(crate) view: &'a mut View,
    /// The plugin's.
    pub(crate) metrics: &'a Metrics,
    /// Those of the configuration's `stat_prefix`.
    pub(crate) routed: Option<&'a Metrics>,
    /// See [`Host::buffer_limit`].
    pub(crate) buffer_limit: usize,
}

fn section(fields: Fields) -> Section {
    match fields {
        Fields::RequestHeaders => Section::RequestHeaders,
        Fields::RequestTrailers => Section::RequestTrailers,
        Fields::ResponseHeaders => Section::ResponseHeaders,
        Fields::ResponseTrailers => Section::ResponseTrailers,
    }
}

fn buffer(message: Message) -> Buffer {
    match message {
        Message::Request => Buffer::RequestBody,
        Message::Response => Buffer::ResponseBody,
    }
}

impl WasmHost<'_> {
    /// Whether a section may be edited; Envoy itself refuses edits of headers that have not come.
    fn has_come(&self, fields: Fields) -> bool {
        match fields {
            Fields::RequestTrailers => self.view.of(Message::Request).trailers,
            Fields::ResponseTrailers => self.view.of(Message::Response).trailers,
            Fields::RequestHeaders | Fields::ResponseHeaders => true,
        }
    }

    fn gone_on(&self, fields: Fields) -> &[u8] {
        match fields {
            Fields::RequestHeaders => &self.view.gone_on,
            _ => &[],
        }
    }
}

fn owned<'a>((name, value): (&[u8], &[u8])) -> (Octets<'a>, Octets<'a>) {
    (name.to_vec().into(), value.to_vec().into())
}

impl Host for WasmHost<'_> {
    fn field(&self, fields: Fields, name: &str) -> Option<Octets<'_>> {
        match hostcalls::field(section(fields), name) {
            Ok(value) => value.map(Into::into),
            Err(Hidden) => {
                let mut lines = pairs::read(self.gone_on(fields));
                lines.find(|(known, _)| *known == name.as_bytes()).map(|(_, value)| value.into())
            }
        }
    }

    fn field_values(&self, fields: Fields, name: &str) -> Vec<Octets<'_>> {
        let lines = self.field_lines(fields).into_iter();
        lines.filter(|(known, _)| **known == *name.as_bytes()).map(|(_, value)| value).collect()
    }

    fn field_lines(&self, fields: Fields) -> Vec<(Octets<'_>, Octets<'_>)> {
        let lines: Vec<_> = pairs::read(&hostcalls::field_lines(section(fields))).map(owned).collect();
        if !lines.is_empty() {
            return lines;
        }
        pairs::read(self.gone_on(fields)).map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn set_field(&mut self, fields: Fields, name: &str, value: &[u8]) {
        match value {
            _ if !self.has_come(fields) => {}
            [] => hostcalls::remove_field(section(fields), name),
            value => hostcalls::set_field(section(fields), name, &field_value(value)),
        }
    }

    fn add_field(&mut self, fields: Fields, name: &str, value: &[u8]) {
        if self.has_come(fields) {
            hostcalls::add_field(section(fields), name, &field_value(value));
        }
    }

    fn remove_field(&mut self, fields: Fields, name: &str) {
        self.set_field(fields, name, b"");
    }

    fn body_len(&self, message: Message) -> usize {
        self.view.of(message).body_len
    }

    fn body(&self, message: Message) -> Vec<Octets<'_>> {
        let bytes = hostcalls::buffer(buffer(message), self.body_len(message));
        if bytes.is_empty() { Vec::new() } else { vec![bytes.into()] }
    }

    fn put_body(&mut self, message: Message, chunks: &[&[u8]]) {
        let chunks = if self.allows_body(message) { chunks } else { &[] };
        let length = chunks.iter().map(|chunk| chunk.len()).sum();
        let has_place = put(buffer(message), chunks);
        let side = self.view.of_mut(message);
        side.body_len = if has_place { length } else { 0 };
        side.misplaced = (!has_place && side.whole && length > 0).then(|| chunks.concat());
    }

    /// Envoy takes nothing off the front of a body, so its copy goes when this one is whole.
    fn take_body(&mut self, message: Message) -> Vec<u8> {
        let taken = hostcalls::buffer(buffer(message), self.body_len(message));
        put(buffer(message), &[]);
        self.view.of_mut(message).body_len = 0;
        taken
    }

    /// Envoy has no place for a body that a request did not have, and selects the route anew where one is edited.
    fn recasts_requests(&self) -> bool {
        false
    }

    fn buffer_limit(&self) -> usize {
        self.buffer_limit
    }

    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        let kind = attribute::kind(name)?;
        match hostcalls::property(&name.replace('.', "\0")) {
            Some(bytes) => kind.decode(bytes),
            // Envoy derives these from the request's header section, which it may show no longer.
            None => attribute::of_request(name, |field| self.field(Fields::RequestHeaders, field)),
        }
    }

    fn metadata(&self, source: MetadataSource, namespace: &str, key: &str) -> Option<Value<'_>> {
        let path = match source {
            MetadataSource::Dynamic => "metadata",
            MetadataSource::Route => "xds\0route_metadata",
            MetadataSource::Cluster => "xds\0cluster_metadata",
            MetadataSource::Host => "xds\0upstream_host_metadata",
        };
        let message = hostcalls::property(path).unwrap_or_default();
        let found = metadata::find(&message, namespace, key);
        match source {
            MetadataSource::Dynamic => found.or_else(|| own_metadata(namespace, key)),
            _ => found,
        }
    }

    fn set_metadata(&mut self, namespace: &str, key: &str, value: &Value<'_>) {
        hostcalls::set_property(&state_key(namespace, key), &state::of(value));
    }

    /// Envoy shows wasm no span.
    fn set_span_name(&mut self, _: &str) {}

    fn clear_route_cache(&mut self) {
        hostcalls::clear_route_cache();
    }

    /// Envoy shows wasm no secrets; a configuration that names one is refused.
    fn secret(&self, _: &str) -> Option<Octets<'_>> {
        None
    }

    fn env(&self, name: &str) -> Option<String> {
        environment::lookup(name)
    }

    fn callout(&mut self, callout: Callout) -> Result<CalloutId, CalloutError> {
        callout::send(self.id, &callout)
    }

    fn count(&mut self, counter: Counter, by: u64) {
        let by = i64::try_from(by).unwrap_or(i64::MAX);
        let all = [Some(self.metrics), self.routed].into_iter().flatten();
        if by > 0 {
            all.filter_map(|metrics| metrics.counter(counter)).for_each(|id| hostcalls::count(id, by));
        }
    }

    fn record(&mut self, histogram: Histogram, value: u64) {
        let all = [Some(self.metrics), self.routed].into_iter().flatten();
        all.filter_map(|metrics| metrics.histogram(histogram)).for_each(|id| hostcalls::record(id, value));
    }

    fn log(&self, level: Level, line: &str) {
        hostcalls::log(level, line);
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn random(&self) -> u128 {
        let mut bytes = [0; 16];
        match getrandom::fill(&mut bytes) {
            Ok(()) => u128::from_ne_bytes(bytes),
            // The standard library keys each state from the system too, but before the system could fail.
            Err(_) => {
                let half = || u128::from(RandomState::new().hash_one(SystemTime::now()));
                half() << 64 | half()
            }
        }
    }
}

/// Puts a body of these chunks in the place of a whole buffer, and says whether there was one.
fn put(buffer: Buffer, chunks: &[&[u8]]) -> bool {
    let mut has_place = None;
    pieces::each(chunks, |piece| match has_place {
        None => has_place = Some(hostcalls::set_buffer(buffer, piece)),
        Some(true) => hostcalls::append_buffer(buffer, piece),
        Some(false) => {}
    });
    has_place.unwrap_or_else(|| hostcalls::set_buffer(buffer, &[]))
}

/// What [`Host::set_metadata`] of a wasm filter has set: Envoy lets wasm set no dynamic metadata, but filter state.
fn own_metadata(namespace: &str, key: &str) -> Option<Value<'static>> {
    hostcalls::property(&state_key(namespace, key)).map(|value| Value::Text(value.into()))
}

/// Envoy puts `wasm.` before it: an access log shows it by `%FILTER_STATE(wasm.<namespace>.<key>:PLAIN)%`.
fn state_key(namespace: &str, key: &str) -> String {
    format!("{namespace}.{key}")
}
