//! What an answer of the Lambda API means, before its body is looked at, and how answers take its place.

use ferrule_kit::{FieldLines, Fields, Host, Message, Reply, Response};

use crate::answer::Answer;
use crate::config::{ErrorStatus, InvocationMode, PayloadMode};
use crate::failure::Failure;
use crate::reason::Reason;

/// What decides.
#[derive(Debug, Default)]
pub(crate) struct ApiHead {
    status: u16,
    is_function_error: bool,
    reason: Reason,
    retry_after: Option<Vec<u8>>,
}

/// What is to be done with the answer.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is the client's.
    Pass,
    /// It is the client's, with that status.
    PassAs(u16),
    /// The client gets an error, of which the body says more.
    Fail(Failure),
    /// Its body is the answer's text.
    Unwrap,
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
            let is_function_error = field("x-amz-function-error").is_some();
            return Self { status, is_function_error, ..Self::default() };
        }
        let reason = Reason::of_kind(&field("x-amzn-errortype").unwrap_or_default());
        Self { status, reason, retry_after: field("retry-after"), ..Self::default() }
    }

    pub(crate) fn verdict(
        self,
        invocation: InvocationMode,
        payload: PayloadMode,
        errors: ErrorStatus,
    ) -> Verdict {
        if !(200..300).contains(&self.status) {
            return match errors {
                ErrorStatus::Gateway => {
                    Verdict::Fail(Failure::of_api(self.status, self.reason, self.retry_after))
                }
                ErrorStatus::Gloo | ErrorStatus::Envoy => Verdict::Pass,
            };
        }
        match (errors, invocation, payload) {
            (ErrorStatus::Gateway, ..) if self.is_function_error => {
                Verdict::Fail(Failure::Function(Reason::default()))
            }
            (ErrorStatus::Gloo, ..) if self.is_function_error => Verdict::PassAs(504),
            (ErrorStatus::Envoy, ..) if self.is_function_error => Verdict::Pass,
            (_, InvocationMode::ResponseStream, _) => Verdict::Stream,
            (_, InvocationMode::Event | InvocationMode::DryRun, _) | (_, _, PayloadMode::None) => {
                Verdict::Pass
            }
            _ => Verdict::Unwrap,
        }
    }
}

/// Whether a streamed result of that media type says that it begins with a head.
pub(crate) fn has_prelude(media_type: &[u8]) -> bool {
    media_type.starts_with(b"application/vnd.awslambda.http-integration-response")
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
    fields: impl Iterator<Item = (&'f str, &'f str)> + Clone,
) {
    let stays = |name: &[u8]| {
        let added = name.starts_with(b":") || name.starts_with(b"x-envoy-") || ADDED.contains(&name);
        let kept = added || KEPT.contains(&name);
        kept && !fields.clone().any(|(known, _)| known.as_bytes() == name)
    };
    let lines = host.field_lines(Fields::ResponseHeaders);
    let others: Vec<String> = lines
        .iter()
        .filter(|(name, _)| !stays(name))
        .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
        .collect();
    others.iter().for_each(|name| host.remove_field(Fields::ResponseHeaders, name));
    host.set_field(Fields::ResponseHeaders, ":status", status.to_string().as_bytes());
    fields.for_each(|(name, value)| host.add_field(Fields::ResponseHeaders, name, value.as_bytes()));
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
    let framing = |name: &[u8]| {
        name.starts_with(b":")
            || [&b"content-length"[..], b"transfer-encoding", b"connection"].contains(&name)
    };
    let lines = reply.fields.iter().filter(|(name, _)| !framing(name) && **name != *LOG.as_bytes());
    let fields = lines.map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec()));
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
