//! What an answer of the Lambda API means, before its body is looked at, and how answers take its place.

use std::borrow::Cow;
use std::sync::Arc;

use ferrule_kit::{FieldLines, Fields, Host, Message, Recast, Reply, Response, is_of_connection};

use crate::answer::{Answer, Reader};
use crate::api_error::ApiError;
use crate::config::{ErrorStatus, InvocationMode};
use crate::failure::Failure;
use crate::reason::Reason;

/// What decides.
#[derive(Debug)]
pub(crate) struct ApiHead {
    status: u16,
    error: Option<ApiError>,
}

/// What is to be done with the answer.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is the client's.
    Pass,
    /// It is an error that is the client's as it is, but for its status where there is one here.
    PassError(ApiError, Option<u16>),
    /// The client gets an error, of which the body says more.
    Fail(ApiError),
    /// Its body is the answer's text, for that reader.
    Unwrap(Arc<Reader>),
    /// Its body is a stream of frames.
    Stream,
}

/// Fields of an answer of the API that the client gets, too.
const KEPT: [&[u8]; 2] = [b"x-amzn-requestid", b"x-amzn-trace-id"];
/// Those of an answer that Envoy has added, or would.
const ADDED: [&[u8]; 2] = [b"date", b"server"];
/// The end of the function's log.
const LOG: &str = "x-amz-log-result";

impl ApiHead {
    /// Reads what it is from field lines.
    pub(crate) fn read(field: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        let number = |text: Vec<u8>| std::str::from_utf8(&text).ok()?.parse().ok();
        let status = field(":status").and_then(number).unwrap_or(502);
        if (200..300).contains(&status) {
            let error = field("x-amz-function-error").map(|kind| ApiError::Function(Reason::of_kind(&kind)));
            return Self { status, error };
        }
        let reason = Reason::of_kind(&field("x-amzn-errortype").unwrap_or_default());
        let error = ApiError::Service { status, reason, retry_after: field("retry-after") };
        Self { status, error: Some(error) }
    }

    pub(crate) fn verdict(
        self,
        invocation: InvocationMode,
        reader: Option<&Arc<Reader>>,
        errors: ErrorStatus,
    ) -> Verdict {
        match (self.error, errors, invocation) {
            (Some(error), ErrorStatus::Gateway, _) => Verdict::Fail(error),
            (Some(error @ ApiError::Function(_)), ErrorStatus::Gloo, _) => {
                Verdict::PassError(error, Some(504))
            }
            (Some(error), ..) => Verdict::PassError(error, None),
            (None, _, InvocationMode::ResponseStream) => Verdict::Stream,
            (None, _, InvocationMode::Event | InvocationMode::DryRun) => Verdict::Pass,
            (None, _, InvocationMode::RequestResponse) => {
                reader.map_or(Verdict::Pass, |reader| Verdict::Unwrap(reader.clone()))
            }
        }
    }
}

/// The error with the status that those get who are used to another one.
pub(crate) fn malformed(failure: Failure, errors: ErrorStatus) -> Response {
    let mut response = failure.response();
    match errors {
        ErrorStatus::Gateway => {}
        ErrorStatus::Gloo => response.status = 500,
        ErrorStatus::Envoy => {
            response.status = 500;
            response.body.clear();
        }
    }
    response
}

/// Puts status and fields in the place of the API's own.
pub(crate) fn put_head<'f>(
    host: &mut dyn Host,
    status: u16,
    fields: impl Iterator<Item = (&'f str, &'f str)>,
) {
    let fields = fields.map(|(name, value)| (name, Cow::Borrowed(value.as_bytes())));
    let status = (":status", status.to_string().into_bytes().into());
    let lines = host.field_lines(Fields::ResponseHeaders);
    let head = Recast::of([status].into_iter().chain(fields), &lines, stays);
    drop(lines);
    head.apply(host, Fields::ResponseHeaders);
}

/// Whether a line of that name is the client's, whatever a function returns.
fn stays(name: &[u8]) -> bool {
    let added = name.starts_with(b":") || name.starts_with(b"x-envoy-") || ADDED.contains(&name);
    added || KEPT.contains(&name)
}

/// The log is not for clients.
pub(crate) fn drop_log(host: &mut dyn Host) {
    host.remove_field(Fields::ResponseHeaders, LOG);
}

/// Puts an answer in the place of the one at hand, whose body was taken.
pub(crate) fn put(host: &mut dyn Host, answer: &Answer<'_>, to_head: bool) {
    put_head(host, answer.status, answer.fields.iter().map(|(name, value)| (&**name, &**value)));
    if to_head || !host.allows_body(Message::Response) {
        return host.put_body(Message::Response, &[]);
    }
    let length = answer.body.len().to_string();
    host.set_field(Fields::ResponseHeaders, "content-length", length.as_bytes());
    host.put_body(Message::Response, &[&answer.body]);
}

/// The answer in the reply to a callout, as one that the filter makes itself.
pub(crate) fn respond(reply: &Reply<'_>, answer: Answer<'_>) -> Response {
    let fields =
        answer.fields.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned().into_bytes()));
    let mut fields: FieldLines = fields.collect();
    for (name, value) in reply.fields.iter().filter(|(name, _)| KEPT.contains(&&**name)) {
        let name = String::from_utf8_lossy(name);
        if !fields.iter().any(|(known, _)| *known == *name) {
            fields.push((name.into_owned(), value.to_vec()));
        }
    }
    Response {
        status: answer.status,
        fields,
        body: answer.body.into_owned(),
        details: "lambda_filter_answered".into(),
    }
}

/// The answer to a callout as the client's.
pub(crate) fn relay(reply: &Reply<'_>, status: Option<u16>) -> Response {
    let lines = reply.fields.iter().map(|(name, value)| (String::from_utf8_lossy(name), value));
    let lines = lines.filter(|(name, _)| !name.starts_with(':') && !is_of_connection(name) && name != LOG);
    let fields = lines.map(|(name, value)| (name.into_owned(), value.to_vec()));
    let own = ApiHead::read(|name| field_of(reply, name)).status;
    Response {
        status: status.unwrap_or(own),
        fields: fields.collect(),
        body: reply.body.concat(),
        details: "lambda_filter_answered".into(),
    }
}

/// The first field line of that name in the answer to a callout.
pub(crate) fn field_of(reply: &Reply<'_>, name: &str) -> Option<Vec<u8>> {
    let line = reply.fields.iter().find(|(known, _)| **known == *name.as_bytes());
    line.map(|(_, value)| value.to_vec())
}
