//! What Envoy's attributes are made of: wasm gets their bare bytes, so their types have to be known by name.
//!
//! Names and types are those of Envoy's documentation, "Attributes". Maps and messages are left out.

use ferrule_kit::{Octets, Value};

/// 64-bit integers; times and durations too, in nanoseconds.
const INTEGERS: &[&str] = &[
    "connection.id",
    "destination.port",
    "request.duration",
    "request.size",
    "request.time",
    "request.total_size",
    "response.backend_latency",
    "response.code",
    "response.flags",
    "response.grpc_status",
    "response.size",
    "response.total_size",
    "source.port",
    "upstream.cx_pool_ready_duration",
    "upstream.port",
    "upstream.request_attempt_count",
    "xds.listener_direction",
];

const BOOLEANS: &[&str] = &["connection.mtls"];

const TEXTS: &[&str] = &[
    "connection.dns_san_local_certificate",
    "connection.dns_san_peer_certificate",
    "connection.requested_server_name",
    "connection.sha256_peer_certificate_digest",
    "connection.subject_local_certificate",
    "connection.subject_peer_certificate",
    "connection.termination_details",
    "connection.tls_version",
    "connection.transport_failure_reason",
    "connection.uri_san_local_certificate",
    "connection.uri_san_peer_certificate",
    "destination.address",
    "request.host",
    "request.id",
    "request.method",
    "request.path",
    "request.protocol",
    "request.query",
    "request.referer",
    "request.scheme",
    "request.url_path",
    "request.useragent",
    "response.code_details",
    "source.address",
    "upstream.address",
    "upstream.dns_san_local_certificate",
    "upstream.dns_san_peer_certificate",
    "upstream.local_address",
    "upstream.sha256_peer_certificate_digest",
    "upstream.subject_local_certificate",
    "upstream.subject_peer_certificate",
    "upstream.tls_version",
    "upstream.transport_failure_reason",
    "upstream.uri_san_local_certificate",
    "upstream.uri_san_peer_certificate",
    "xds.cluster_name",
    "xds.filter_chain_name",
    "xds.route_name",
    "xds.virtual_host_name",
];

/// The type of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes as they are.
    Text,
    /// Eight bytes, little end first.
    Int,
    /// One byte.
    Bool,
}

/// The type of the attribute `name`; `None` for a name that is unknown or names no single value.
pub fn kind(name: &str) -> Option<Kind> {
    let known = [(INTEGERS, Kind::Int), (BOOLEANS, Kind::Bool), (TEXTS, Kind::Text)];
    known.into_iter().find(|(names, _)| names.contains(&name)).map(|(_, kind)| kind)
}

impl Kind {
    /// The value whose bytes these are; `None` where they are not of this type.
    pub fn decode(self, bytes: Vec<u8>) -> Option<Value<'static>> {
        match self {
            Self::Text => Some(Value::Text(bytes.into())),
            Self::Int => Some(Value::Int(i64::from_le_bytes(bytes.try_into().ok()?))),
            Self::Bool => <[u8; 1]>::try_from(bytes).ok().map(|[byte]| Value::Bool(byte != 0)),
        }
    }
}

/// An attribute that Envoy takes from a field of the request's header section.
pub fn of_request<'a>(name: &str, field: impl Fn(&str) -> Option<Octets<'a>>) -> Option<Value<'a>> {
    let path = || field(":path").map(Octets::into_owned);
    let value = match name {
        "request.path" => path()?,
        "request.url_path" => split(path()?, b'?').0,
        "request.query" => split(split(path()?, b'?').1, b'#').0,
        "request.host" => field(":authority")?.into_owned(),
        "request.method" => field(":method")?.into_owned(),
        "request.scheme" => field(":scheme")?.into_owned(),
        "request.referer" => field("referer")?.into_owned(),
        "request.useragent" => field("user-agent")?.into_owned(),
        "request.id" => field("x-request-id")?.into_owned(),
        _ => return None,
    };
    Some(Value::Text(value.into()))
}

/// What comes before and after the first `mark`.
fn split(mut bytes: Vec<u8>, mark: u8) -> (Vec<u8>, Vec<u8>) {
    let place = bytes.iter().position(|byte| *byte == mark).unwrap_or(bytes.len());
    let after = bytes.split_off(place);
    (bytes, after.get(1..).unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_what_the_attribute_is() {
        let decode = |name, bytes: &[u8]| kind(name).and_then(|kind| kind.decode(bytes.to_vec()));
        assert_eq!(decode("source.address", b"12345678"), Some(Value::Text(b"12345678".to_vec().into())));
        assert_eq!(decode("response.code", &404_i64.to_le_bytes()), Some(Value::Int(404)));
        assert_eq!(decode("connection.mtls", &[1]), Some(Value::Bool(true)));
        assert_eq!(decode("response.code", b"404"), None);
        assert_eq!(decode("connection.mtls", b""), None);
        assert_eq!(decode("request.headers", b"x"), None);
    }

    #[test]
    fn what_envoy_takes_from_a_field_is_found_there() {
        let read = |name| {
            of_request(name, |field| match field {
                ":path" => Some(b"/a/b?c=d?e#f".into()),
                ":authority" => Some(b"host".into()),
                _ => None,
            })
        };
        let text = |text: &[u8]| Some(Value::Text(text.to_vec().into()));
        assert_eq!(read("request.path"), text(b"/a/b?c=d?e#f"));
        assert_eq!(read("request.url_path"), text(b"/a/b"));
        assert_eq!(read("request.query"), text(b"c=d?e"));
        assert_eq!(read("request.host"), text(b"host"));
        assert_eq!((read("request.referer"), read("source.address")), (None, None));
        assert_eq!(of_request("request.query", |_| Some(b"/a".into())), text(b""));
    }

    #[test]
    fn every_name_has_one_type() {
        let mut names: Vec<_> = [INTEGERS, BOOLEANS, TEXTS].concat();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
