//! Between what cases say, what the kit's host in memory holds, and what was seen.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ferrule_kit::{FieldLines, MemoryHost, MetadataSource, Reply, Value, environment};
use serde_json::json;

use crate::case::{Answer, Case, Exchange, Lines, Protocol, Request, Route};
use crate::seen::SeenRequest;

/// Envoy's default of `per_connection_buffer_limit_bytes`.
const BUFFER_LIMIT: usize = 1024 * 1024;

pub(super) fn host(case: &Case, exchange: &Exchange, route: Option<&Route>) -> MemoryHost {
    let clusters = exchange.callouts.iter().map(|callout| callout.cluster.clone()).collect();
    let limit = case.buffer_limit.map_or(BUFFER_LIMIT, |limit| limit as usize);
    let environment = visible(&case.environment);
    let attributes = attributes(&exchange.request, route);
    let secrets = case.secrets.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect();
    MemoryHost { limit, clusters, environment, attributes, secrets, ..MemoryHost::default() }
}

/// Those of the proxy's variables that hosts show to filters.
fn visible(variables: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let allowed = variables.get(environment::ALLOW).map_or("", String::as_str);
    let visible = variables.iter().filter(|(name, _)| environment::is_allowed(name, allowed));
    visible.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Those of Envoy's attributes that need no connection.
fn attributes(request: &Request, route: Option<&Route>) -> BTreeMap<String, Value<'static>> {
    let path = request.path.split('?').next().unwrap_or_default();
    let protocol = if request.protocol == Protocol::Http2 { "HTTP/2" } else { "HTTP/1.1" };
    let known = [
        ("request.method", request.method()),
        ("request.path", &request.path),
        ("request.url_path", path),
        ("request.host", &request.host),
        ("request.scheme", "http"),
        ("request.protocol", protocol),
        ("xds.route_name", route.map_or("", |route| &route.name)),
    ];
    let text = |value: &str| Value::Text(Cow::Owned(value.as_bytes().to_vec()));
    known.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

pub(super) fn reply(answer: &Answer) -> Reply<'_> {
    let status = (Cow::Borrowed(&b":status"[..]), Cow::Owned(answer.status.to_string().into_bytes()));
    let lines =
        answer.headers.0.iter().map(|(name, value)| (name.as_bytes().into(), value.as_slice().into()));
    let chunks = answer.body.iter().flat_map(|body| &body.chunks).map(|chunk| chunk.as_slice().into());
    Reply { fields: std::iter::once(status).chain(lines).collect(), body: chunks.collect() }
}

/// Takes a pseudo-field out of field lines, and drops the others.
pub(super) fn apart(lines: FieldLines, name: &str) -> (String, Lines) {
    let value = Lines(lines.clone()).text(name).unwrap_or_default();
    (value, Lines(lines.into_iter().filter(|(name, _)| !name.starts_with(':')).collect()))
}

pub(super) fn seen_request(
    lines: FieldLines,
    body: &[u8],
    trailers: &[(String, Vec<u8>)],
    complete: bool,
) -> SeenRequest {
    let pseudo = |name: &str| Lines(lines.clone()).text(name).unwrap_or_default();
    let (method, path, host) = (pseudo(":method"), pseudo(":path"), pseudo(":authority"));
    let (_, headers) = apart(lines, ":method");
    SeenRequest {
        method,
        path,
        host,
        headers,
        body: body.to_vec(),
        trailers: Lines(trailers.to_vec()),
        complete,
    }
}

pub(super) fn metadata(host: &MemoryHost) -> BTreeMap<String, serde_json::Value> {
    let mut namespaces = BTreeMap::new();
    for ((source, namespace, key), value) in &host.metadata {
        if *source == MetadataSource::Dynamic {
            let values = namespaces.entry(namespace.clone()).or_insert_with(|| json!({}));
            values[key.as_str()] = to_json(value);
        }
    }
    namespaces
}

fn to_json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Text(text) => String::from_utf8_lossy(text).into(),
        Value::Int(int) => (*int).into(),
        // All numbers of metadata are doubles, which Envoy prints as integers where they are whole.
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => (*number as i64).into(),
        Value::Number(number) => (*number).into(),
        Value::Bool(bool) => (*bool).into(),
        Value::List(list) => list.iter().map(to_json).collect(),
        Value::Map(members) => members.iter().map(|(key, value)| (key.clone(), to_json(value))).collect(),
        Value::Null => serde_json::Value::Null,
    }
}
