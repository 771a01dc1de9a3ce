//! A body for a message that came without one.
//!
//! Envoy's wasm has no way to add a body to such a message. Letting it go on with the content-length of a body that
//! never comes would hang its receiver. So a response becomes an answer of Envoy's own with the same status and fields,
//! and a request fails closed, as does a response that has trailers, which an answer cannot have.

use ferrule_kit::{Fields, Filter, Host, Level, Message, Response, Step};

use crate::host::WasmHost;

/// Fields that describe how the old message was framed (RFC 9110 §8.6, RFC 9112 §6.1).
const FRAMING: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];

/// What to do instead of `step`, where it lets go of a message that was given a body it has no place for.
pub(crate) fn settle<F: Filter>(host: &mut WasmHost<'_>, step: Step) -> Step {
    if !matches!(step, Step::Pass | Step::Resume(_)) {
        return step;
    }
    let request = host.view.of_mut(Message::Request).misplaced.take();
    let response = host.view.of_mut(Message::Response).misplaced.take();
    match (request, response) {
        (None, None) => step,
        (None, Some(body)) if !host.view.of(Message::Response).trailers => {
            Step::Respond(answer::<F>(host, body))
        }
        _ => {
            host.log(Level::Error, "Envoy's wasm cannot give a body to a message like this, which has none");
            Step::Respond(Response::text(500, format!("{}_filter_body_without_place", F::NAME), ""))
        }
    }
}

fn answer<F: Filter>(host: &WasmHost<'_>, body: Vec<u8>) -> Response {
    let status = host.field(Fields::ResponseHeaders, ":status").unwrap_or_default();
    let status = str::from_utf8(&status).ok().and_then(|status| status.parse().ok()).unwrap_or(500);
    let lines = host.field_lines(Fields::ResponseHeaders).into_iter();
    let lines = lines.filter(|(name, _)| !name.starts_with(b":") && !FRAMING.contains(&&**name));
    let fields = lines.map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), value.into_owned()));
    let details = format!("{}_filter_body_added", F::NAME).into();
    Response { status, fields: fields.collect(), body, details }
}
