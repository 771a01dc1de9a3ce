//! A request as the event that a function gets, in one of five formats.
//!
//! Invariant: an event is written once, front to back, into one buffer; nothing of it is held as a tree.

mod alb;
mod builtin;
mod gateway_v1;
mod gateway_v2;
mod media;
mod object;
mod parameters;

use std::borrow::Cow;
use std::time::SystemTime;

use ferrule_aws::{Civil, split_target};
use ferrule_kit::{Fields, Host, Lines, Octets, Value, line};

use crate::body::{room_for, write_body};
use crate::config::RequestContext;
use crate::format::Format;
use crate::trace::{TRACE_ID, TRACEPARENT, of_traceparent};
use object::Object;

/// A format, and what its events say besides the request.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) format: Format,
    pub(crate) context: RequestContext,
    pub(crate) multi_value_headers: bool,
}

/// A field's name and value.
type Line<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A request as events show it.
struct Incoming<'a> {
    method: Cow<'a, str>,
    /// Path and query, as they were sent.
    target: Cow<'a, str>,
    path: &'a [u8],
    query: &'a [u8],
    host: Cow<'a, str>,
    /// Header lines without pseudo-fields, sorted by name, those of one name in their order.
    lines: Vec<Line<'a>>,
    chunks: &'a [Octets<'a>],
}

/// Fields are bytes, JSON is text: what is no UTF-8 is read as ISO-8859-1.
fn text(bytes: Octets<'_>) -> Cow<'_, str> {
    let latin = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    match bytes {
        Cow::Borrowed(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| Cow::Owned(latin(bytes)), Cow::Borrowed)
        }
        Cow::Owned(bytes) => {
            Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| latin(error.as_bytes())))
        }
    }
}

impl<'a> Incoming<'a> {
    fn read(format: Format, host: &dyn Host, lines: &'a Lines<'_>, chunks: &'a [Octets<'a>]) -> Self {
        let target = line(lines, ":path").unwrap_or_default();
        let (path, query) = split_target(target);
        let (mut method, mut authority) = (Cow::default(), Cow::default());
        let lent = |bytes: &'a [u8]| text(bytes.into());
        let sent = lines;
        let mut lines = Vec::with_capacity(sent.len() + 2);
        for (name, value) in sent {
            match &**name {
                b":method" => method = lent(value),
                b":authority" => authority = lent(value),
                [b':', ..] => {}
                _ => lines.push((lent(name), lent(value))),
            }
        }
        if format != Format::Envoy {
            add_gateway_lines(&mut lines, host);
        }
        lines.sort_by(|one, other| one.0.cmp(&other.0));
        Self { method, target: lent(target), path, query, host: authority, lines, chunks }
    }

    fn line(&self, name: &str) -> Option<&str> {
        let at = self.lines.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        self.lines.get(at).map(|(_, value)| &**value)
    }

    /// Names and all their values.
    fn grouped(&self) -> impl Iterator<Item = (&str, &[Line<'a>])> {
        let groups = self.lines.chunk_by(|one, other| one.0 == other.0);
        groups.filter_map(|lines| lines.first().map(|(name, _)| (&**name, lines)))
    }

    fn is_empty(&self) -> bool {
        self.chunks.iter().all(|chunk| chunk.is_empty())
    }

    fn size(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    fn is_textual(&self, format: Format) -> bool {
        media::is_textual(format, self.line("content-type"), self.line("content-encoding"))
    }

    /// `body` and `encoded`, the flag that says how it is written.
    fn write_body(&self, format: Format, encoded: &str, event: &mut Object<'_>) {
        let chunks = self.chunks.iter().map(|chunk| &**chunk);
        let textual = self.is_empty() || self.is_textual(format);
        let is_encoded = write_body(chunks, textual, event.member("body"));
        event.truth(encoded, is_encoded);
    }
}

/// What AWS's gateways and load balancers tell besides a client's fields, where a proxy before this one has not: the trace, as the
/// call has it, and the port that the client called.
fn add_gateway_lines<'a>(lines: &mut Vec<Line<'a>>, host: &dyn Host) {
    let find = |name: &str| lines.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let trace = match (find(TRACE_ID), find(TRACEPARENT)) {
        (None, Some(parent)) => of_traceparent(parent),
        _ => None,
    };
    let port = match (find("x-forwarded-port"), host.attribute("destination.port")) {
        (None, Some(Value::Int(port))) => Some(port.to_string()),
        _ => None,
    };
    lines.extend(trace.map(|trace| (TRACE_ID.into(), trace.into())));
    lines.extend(port.map(|port| ("x-forwarded-port".into(), port.into())));
}

/// The path as gateways tell it: below its stage, unless that is the one at the root.
fn staged<'p>(context: &RequestContext, path: Cow<'p, str>) -> Cow<'p, str> {
    match context.stage.as_deref() {
        None | Some("$default") => path,
        Some(stage) => format!("/{stage}{path}").into(),
    }
}

/// What formats say of the connection and the moment.
struct Circumstances {
    now: SystemTime,
    source_ip: String,
    protocol: String,
    request_id: String,
}

impl Circumstances {
    fn read(host: &dyn Host) -> Self {
        let attribute = |name| match host.attribute(name) {
            Some(Value::Text(value)) => String::from_utf8_lossy(&value).into_owned(),
            _ => String::new(),
        };
        let known = host.field(Fields::RequestHeaders, "x-request-id");
        let request_id = known.map(|id| text(id).into_owned()).unwrap_or_else(|| random_id(host));
        Self {
            now: host.now(),
            source_ip: without_port(attribute("source.address")),
            protocol: attribute("request.protocol"),
            request_id,
        }
    }

    fn epoch_milliseconds(&self) -> u64 {
        let since = self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// As in Apache's common log: `12/Mar/2020:19:03:58 +0000`.
    fn log_time(&self) -> String {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let civil = Civil::of(self.now);
        let (hour, minute, second) = civil.clock();
        let month = MONTHS.get(civil.month as usize - 1).copied().unwrap_or_default();
        format!("{:02}/{month}/{}:{hour:02}:{minute:02}:{second:02} +0000", civil.day, civil.year)
    }
}

fn random_id(host: &dyn Host) -> String {
    let bits = host.random();
    let part = |shift: u32, bits_wide: u32| (bits >> shift) & ((1 << bits_wide) - 1);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        part(96, 32),
        part(80, 16),
        part(64, 16),
        part(48, 16),
        part(0, 48)
    )
}

/// `192.0.2.1:80` and `[2001:db8::1]:80` without brackets and port.
fn without_port(address: String) -> String {
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

/// The event of a request with these lines and this body.
pub(crate) fn write(events: &Events, host: &dyn Host, lines: &Lines<'_>, chunks: &[Octets<'_>]) -> Vec<u8> {
    let incoming = Incoming::read(events.format, host, lines, chunks);
    let room = room_for(incoming.size(), incoming.is_textual(events.format));
    let lines: usize = incoming.lines.iter().map(|(name, value)| name.len() + value.len() + 12).sum();
    let mut out = Vec::with_capacity(room + 2 * (lines + incoming.target.len()) + 768);
    let event = Object::open(&mut out);
    match events.format {
        Format::Envoy => builtin::write(&incoming, event),
        Format::ApiGatewayV1 => {
            gateway_v1::write(&events.context, &incoming, &Circumstances::read(host), event);
        }
        Format::ApiGatewayV2 => {
            gateway_v2::write(&events.context, &incoming, &Circumstances::read(host), event);
        }
        Format::Alb => alb::write(events, &incoming, event),
    }
    out
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn addresses_lose_brackets_and_port() {
        for (address, ip) in [("192.0.2.1:80", "192.0.2.1"), ("[2001:db8::1]:80", "2001:db8::1"), ("", "")] {
            assert_eq!(without_port(address.to_owned()), ip);
        }
    }

    #[test]
    fn moments_are_written_as_api_gateway_writes_them() {
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_583_348_638_390);
        let moment = Circumstances {
            now,
            source_ip: String::new(),
            protocol: String::new(),
            request_id: String::new(),
        };
        assert_eq!(moment.log_time(), "04/Mar/2020:19:03:58 +0000");
        assert_eq!(moment.epoch_milliseconds(), 1_583_348_638_390);
    }
}
