//! A message as one JSON document: its headers, its body and, for requests, what its target says.

use std::collections::BTreeMap;

use ferrule_kit::{Fields, Host, Message};

use crate::matching::decoded;
use crate::merge::quoted;
use crate::rope::Rope;
use ferrule_json::write_string;

/// Part of a message is no UTF-8, and so cannot be part of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no UTF-8, so it cannot be part of a JSON document")]
pub(crate) struct NoText(&'static str);

/// Names and all their values, in the order of the first of each.
type Grouped<'a> = Vec<(&'a str, Vec<&'a str>)>;

/// `{"headers": …, "body": …}`; with `metadata` also the request's method, path and query, and all values of what is repeated.
///
/// # Errors
/// A header or the body is no UTF-8.
pub(crate) fn wrap(
    host: &dyn Host,
    message: Message,
    body: &[u8],
    metadata: bool,
) -> Result<Rope<'static>, NoText> {
    let lines = host.field_lines(message.headers());
    let headers = grouped(lines.iter().map(|(name, value)| (&**name, &**value))).ok_or(NoText("a header"))?;
    let mut out = Rope::default();
    out.push(b"{\"headers\":");
    write_last(&headers, &mut out);
    if metadata {
        out.push(b",\"multiValueHeaders\":");
        write_all(headers.iter().filter(|(_, values)| values.len() > 1), &mut out);
        write_target(host, &mut out)?;
    }
    if !body.is_empty() {
        let text = std::str::from_utf8(body).map_err(|_| NoText("the body"))?;
        out.push(b",\"body\":\"");
        write_text(text, &mut out);
        out.push(b"\"");
    }
    out.push(b"}");
    Ok(out)
}

/// In parts, so that a large text is not held twice.
fn write_text(text: &str, out: &mut Rope<'_>) {
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.floor_char_boundary(16 * 1024));
        let mut escaped = Vec::with_capacity(part.len() + part.len() / 8);
        write_string(part, &mut escaped);
        out.push(&escaped);
        rest = after;
    }
}

fn write_target(host: &dyn Host, out: &mut Rope<'_>) -> Result<(), NoText> {
    let field = |name| host.field(Fields::RequestHeaders, name).unwrap_or_default();
    let (method, target) = (field(":method"), field(":path"));
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| NoText("the path"));
    let (path, query) = text(&target)?.split_once('?').unwrap_or((text(&target)?, ""));
    let pairs: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).map(parameter).collect();
    let parameters = grouped(pairs.iter().map(|(name, value)| (&name[..], &value[..])));
    let parameters = parameters.ok_or(NoText("the query"))?;
    for (name, value) in [("httpMethod", text(&method)?), ("path", path), ("queryString", query)] {
        out.push(format!(",\"{name}\":").as_bytes());
        out.push(&quoted(value));
    }
    out.push(b",\"queryStringParameters\":");
    write_last(&parameters, out);
    out.push(b",\"multiValueQueryStringParameters\":");
    write_all(parameters.iter().filter(|(_, values)| values.len() > 1), out);
    Ok(())
}

fn parameter(pair: &str) -> (Vec<u8>, Vec<u8>) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decoded(name.as_bytes()).into_owned(), decoded(value.as_bytes()).into_owned())
}

/// None where something is no UTF-8.
fn grouped<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Option<Grouped<'a>> {
    let (mut groups, mut places): (Grouped<'a>, BTreeMap<&str, usize>) = Default::default();
    for (name, value) in pairs {
        let (name, value) = (std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?);
        let place = *places.entry(name).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => groups.push((name, vec![value])),
        }
    }
    Some(groups)
}

/// An object of the last value of each.
fn write_last(groups: &Grouped<'_>, out: &mut Rope<'_>) {
    let pairs =
        groups.iter().map(|(name, values)| (*name, values.last().map_or(Vec::new(), |it| quoted(it))));
    write_object(pairs, out);
}

/// An object of lists.
fn write_all<'g, 'a: 'g>(groups: impl Iterator<Item = &'g (&'a str, Vec<&'a str>)>, out: &mut Rope<'_>) {
    let list = |values: &Vec<&str>| {
        let values: Vec<Vec<u8>> = values.iter().map(|value| quoted(value)).collect();
        [b"[", &values.join(&b","[..])[..], b"]"].concat()
    };
    write_object(groups.map(|(name, values)| (*name, list(values))), out);
}

fn write_object<'n>(pairs: impl Iterator<Item = (&'n str, Vec<u8>)>, out: &mut Rope<'_>) {
    out.push(b"{");
    for (number, (name, value)) in pairs.enumerate() {
        if number > 0 {
            out.push(b",");
        }
        out.push(&quoted(name));
        out.push(b":");
        out.push(&value);
    }
    out.push(b"}");
}

#[cfg(test)]
mod tests {
    use ferrule_kit::MemoryHost;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_request_becomes_one_document() {
        let host = MemoryHost::with_request([
            (":method", "POST"),
            (":path", "/a?x=1&y=%C3%A9&x=2"),
            ("accept", "a"),
            ("accept", "b\""),
        ]);
        let wrapped =
            |metadata| wrap(&host, Message::Request, b"hi\n", metadata).unwrap().into_bytes().into_vec();
        assert_eq!(
            String::from_utf8(wrapped(false)).unwrap(),
            r#"{"headers":{":method":"POST",":path":"/a?x=1&y=%C3%A9&x=2","accept":"b\""},"body":"hi\n"}"#
        );
        let json: serde_json::Value = serde_json::from_slice(&wrapped(true)).unwrap();
        assert_eq!(json["multiValueHeaders"], serde_json::json!({"accept": ["a", "b\""]}));
        assert_eq!((&json["httpMethod"], &json["path"]), (&"POST".into(), &"/a".into()));
        assert_eq!(json["queryStringParameters"], serde_json::json!({"x": "2", "y": "é"}));
        assert_eq!(json["multiValueQueryStringParameters"], serde_json::json!({"x": ["1", "2"]}));
    }

    #[test]
    fn what_is_no_utf8_is_an_error() {
        let host = MemoryHost::with_request([("x", b"\xff".to_vec())]);
        assert!(wrap(&host, Message::Request, b"", false).is_err());
        let host = MemoryHost::default();
        assert!(wrap(&host, Message::Request, b"\xff", false).is_err());
    }

    #[test]
    fn a_large_text_is_escaped_in_parts() {
        let text = "é\"".repeat(20_000);
        let host = MemoryHost::default();
        let wrapped = wrap(&host, Message::Response, text.as_bytes(), false).unwrap().into_bytes();
        let json: serde_json::Value = serde_json::from_slice(&wrapped).unwrap();
        assert_eq!(json["body"].as_str(), Some(&*text));
    }
}
