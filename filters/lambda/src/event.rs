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

use ferrule_aws::Civil;
use ferrule_kit::{Fields, Host, Message, Octets, Value};

use crate::body::{room_for, write_body};
use crate::config::{PayloadMode, RequestContext};
use crate::template::split_target;
use object::Object;

/// A format, and what its events say besides the request.
#[derive(Debug)]
pub(crate) struct Format {
    pub(crate) mode: PayloadMode,
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
    fn read(target: &'a [u8], host: &'a dyn Host, chunks: &'a [Octets<'a>]) -> Self {
        let (path, query) = split_target(target);
        let (mut method, mut authority) = (Cow::default(), Cow::default());
        let mut lines = Vec::new();
        for (name, value) in host.field_lines(Fields::RequestHeaders) {
            match &*name {
                b":method" => method = text(value),
                b":authority" => authority = text(value),
                [b':', ..] => {}
                _ => lines.push((text(name), text(value))),
            }
        }
        lines.sort_by(|one, other| one.0.cmp(&other.0));
        Self { method, target: text(Cow::Borrowed(target)), path, query, host: authority, lines, chunks }
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

    fn is_textual(&self, mode: PayloadMode) -> bool {
        media::is_textual(mode, self.line("content-type"), self.line("content-encoding"))
    }

    /// `body` and `encoded`, the flag that says how it is written.
    fn write_body(&self, mode: PayloadMode, encoded: &str, event: &mut Object<'_>) {
        let chunks = self.chunks.iter().map(|chunk| &**chunk);
        let textual = self.is_empty() || self.is_textual(mode);
        let is_encoded = write_body(chunks, textual, event.member("body"));
        event.truth(encoded, is_encoded);
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

/// The event of a request whose body is at hand; not for [`PayloadMode::None`], which has none.
pub(crate) fn write(format: &Format, host: &dyn Host) -> Vec<u8> {
    let target = host.field(Fields::RequestHeaders, ":path").unwrap_or_default();
    let chunks = host.body(Message::Request);
    let incoming = Incoming::read(&target, host, &chunks);
    let room = room_for(incoming.size(), incoming.is_textual(format.mode));
    let lines: usize = incoming.lines.iter().map(|(name, value)| name.len() + value.len() + 12).sum();
    let mut out = Vec::with_capacity(room + 2 * (lines + target.len()) + 768);
    let event = Object::open(&mut out);
    match format.mode {
        PayloadMode::Envoy | PayloadMode::None => builtin::write(&incoming, event),
        PayloadMode::ApiGatewayV1 => {
            gateway_v1::write(&format.context, &incoming, &Circumstances::read(host), event);
        }
        PayloadMode::ApiGatewayV2 => {
            gateway_v2::write(&format.context, &incoming, &Circumstances::read(host), event);
        }
        PayloadMode::Alb => alb::write(format, &incoming, event),
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
