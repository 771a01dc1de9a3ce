//! The request that calls a function: its fields, signed.
//!
//! Invariant: of the client's fields none goes out but those that the configuration names, those that make the trace, and those
//! that Envoy's router takes for itself.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ferrule_aws::{Identity, Payload, Request, Sha256Hex, Signer};
use ferrule_kit::{Callout, ConfigError, FieldLines, Fields, Host, Lines, Message, is_field_name, line};

use crate::config::{Config, InvocationMode, LogType, PayloadMode};
use crate::failure::Failure;
use crate::function::{Function, Functions, authority};
use crate::trace::{TRACE_ID, trace_id};

/// "Lambda quotas", invocation payload: 6 MB for each of request and response of a synchronous call.
const MAX_SYNCHRONOUS: usize = 6_291_556;
/// The same, asynchronous.
const MAX_ASYNCHRONOUS: usize = 1024 * 1024;
/// "Lambda functions as targets": the largest request that a load balancer passes to a function.
const MAX_ALB: usize = 1024 * 1024;
/// Invoke, `X-Amz-Client-Context`: bytes of the field.
const MAX_CLIENT_CONTEXT: usize = 3583;

/// What clients that Envoy trusts ask of its router, which takes them out.
const ROUTER: [&[u8]; 11] = [
    b"x-envoy-retry-on",
    b"x-envoy-retry-grpc-on",
    b"x-envoy-max-retries",
    b"x-envoy-retriable-status-codes",
    b"x-envoy-retriable-header-names",
    b"x-envoy-upstream-rq-timeout-ms",
    b"x-envoy-upstream-rq-per-try-timeout-ms",
    b"x-envoy-upstream-rq-timeout-alt-response",
    b"x-envoy-upstream-alt-stat-name",
    b"x-envoy-upstream-stream-duration-ms",
    b"x-envoy-hedge-on-per-try-timeout",
];

/// Fields that a configuration cannot forward, because the call has its own.
const OWN: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Who calls whom, and how.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) functions: Functions,
    signer: Signer,
    identity: Identity,
    authority: String,
    /// The same for each call, and signed.
    fixed: Vec<(&'static str, Vec<u8>)>,
    forwarded: Vec<String>,
    is_json: bool,
    limit: usize,
}

/// The fields of a call, pseudo-fields among them.
pub(crate) struct Call {
    fields: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// Names of the request's lines that the call does not have, a line of text each: a request has too many for an
    /// allocation each.
    others: String,
}

impl Caller {
    pub(crate) fn compile(config: &Config) -> Result<Self, ConfigError> {
        let identity = Identity::new(config.credentials.clone()).map_err(|wrong| {
            let path = format!("credentials.{}", wrong.field);
            ConfigError::new(path.trim_end_matches('.'), wrong.reason)
        })?;
        Ok(Self {
            functions: Functions::compile(config)?,
            authority: authority(config)?,
            signer: Signer::new(config.region.as_str(), "lambda"),
            identity,
            fixed: fixed(config)?,
            forwarded: forwarded(&config.forward_headers)?,
            is_json: config.payload_mode != PayloadMode::None,
            limit: match (config.invocation_mode, config.payload_mode) {
                (InvocationMode::Event, _) => MAX_ASYNCHRONOUS,
                (_, PayloadMode::Alb) => MAX_ALB,
                _ => MAX_SYNCHRONOUS,
            },
        })
    }

    /// Name and source of the secret that it is signed by.
    pub(crate) fn secret(&self) -> Option<(String, Option<String>)> {
        self.identity.secret()
    }

    /// The signed call of `function` that a request with these lines makes, with a payload in these chunks.
    ///
    /// # Errors
    /// There is no one to sign it, or the payload is too large.
    pub(crate) fn call<'p>(
        &self,
        function: &Function,
        host: &dyn Host,
        lines: &Lines<'_>,
        payload: impl Iterator<Item = &'p [u8]> + Clone,
    ) -> Result<Call, Failure> {
        let length: usize = payload.clone().map(<[u8]>::len).sum();
        if length > self.limit {
            return Err(Failure::TooLarge);
        }
        let now = host.now();
        let credentials =
            self.identity.credentials(now, |name| host.secret(name)).map_err(Failure::Credentials)?;
        let signed = self.signed_fields(lines);
        let signed_lines: Vec<(&str, &[u8])> = signed
            .iter()
            .map(|(name, value)| (&**name, value.as_slice()))
            .chain([("host", self.authority.as_bytes())])
            .collect();
        let request = Request {
            method: "POST",
            path: &function.canonical,
            query: &self.functions.query,
            fields: &signed_lines,
            payload: Payload::Hash(Sha256Hex::of(payload)),
        };
        let signature = self.signer.sign(&credentials, &request, now);
        let mut fields = signed;
        fields.extend(signature.fields().map(|(name, value)| (name.into(), value.to_vec())));
        for (name, value) in
            [(":method", "POST"), (":path", &function.target), (":authority", &self.authority)]
        {
            fields.push((name.into(), value.as_bytes().to_vec()));
        }
        fields.push(("content-length".into(), length.to_string().into_bytes()));
        fields.extend(trace_id(lines).map(|trace| (TRACE_ID.into(), trace)));
        let others = others(lines, &fields);
        Ok(Call { fields, others })
    }

    fn signed_fields(&self, lines: &Lines<'_>) -> Vec<(Cow<'static, str>, Vec<u8>)> {
        let json = self.is_json.then_some(&b"application/json"[..]);
        let media_type = json.or_else(|| line(lines, "content-type")).map(<[u8]>::to_vec);
        let mut fields = Vec::with_capacity(16);
        fields.extend(self.fixed.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())));
        fields.extend(media_type.map(|value| ("content-type".into(), value)));
        for name in &self.forwarded {
            let named = lines.iter().filter(|(known, _)| **known == *name.as_bytes());
            let values: Vec<&[u8]> = named.map(|(_, value)| &**value).collect();
            if !values.is_empty() {
                fields.push((Cow::Owned(name.clone()), values.join(&b","[..])));
            }
        }
        fields
    }
}

impl Call {
    /// Turns the request at hand into this call; its body is the host's to set.
    pub(crate) fn recast(&self, host: &mut dyn Host) {
        self.others.lines().for_each(|name| host.remove_field(Fields::RequestHeaders, name));
        for (name, value) in &self.fields {
            host.set_field(Fields::RequestHeaders, name, value);
        }
    }

    /// The call as one that the filter makes by itself, to the cluster of the request's route.
    pub(crate) fn callout(self, cluster: String, body: Vec<u8>, timeout: std::time::Duration) -> Callout {
        let fields = self.fields.into_iter().map(|(name, value)| (name.into_owned(), value));
        Callout { cluster, fields: fields.collect::<FieldLines>(), body, timeout }
    }
}

/// Names of lines that are not the router's and none of `fields`.
fn others(lines: &Lines<'_>, fields: &[(Cow<'static, str>, Vec<u8>)]) -> String {
    let mut names = String::new();
    for (name, _) in lines {
        let own = || fields.iter().any(|(known, _)| *known.as_bytes() == **name);
        let stays = name.starts_with(b":") || ROUTER.contains(&&**name) || own();
        if let Ok(name) = std::str::from_utf8(name)
            && !stays
        {
            names.push_str(name);
            names.push('\n');
        }
    }
    names
}

/// A call has no trailers.
pub(crate) fn drop_trailers(host: &mut dyn Host) {
    let lines = host.field_lines(Message::Request.trailers());
    let names: Vec<String> =
        lines.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    names.iter().for_each(|name| host.remove_field(Message::Request.trailers(), name));
}

fn fixed(config: &Config) -> Result<Vec<(&'static str, Vec<u8>)>, ConfigError> {
    let kind: &[u8] = match config.invocation_mode {
        InvocationMode::RequestResponse | InvocationMode::ResponseStream => b"RequestResponse",
        InvocationMode::Event => b"Event",
        InvocationMode::DryRun => b"DryRun",
    };
    let mut fields = vec![("x-amz-invocation-type", kind.to_vec())];
    if config.log_type == LogType::Tail {
        fields.push(("x-amz-log-type", b"Tail".to_vec()));
    }
    if let Some(context) = &config.client_context {
        let wrong = |reason| ConfigError::new("clientContext", reason);
        serde_json::from_str::<serde::de::IgnoredAny>(context).map_err(|_| wrong("is no JSON"))?;
        let encoded = STANDARD.encode(context);
        if encoded.len() > MAX_CLIENT_CONTEXT {
            return Err(wrong("is longer than 2,687 bytes"));
        }
        fields.push(("x-amz-client-context", encoded.into_bytes()));
    }
    Ok(fields)
}

fn forwarded(names: &[String]) -> Result<Vec<String>, ConfigError> {
    let checked = names.iter().enumerate().map(|(at, name)| {
        let name = name.to_ascii_lowercase();
        let wrong = |reason| Err(ConfigError::new(format!("forwardHeaders[{at}]"), reason));
        match () {
            () if !is_field_name(&name) => wrong("is no name of a header"),
            () if OWN.contains(&&*name) || name.starts_with("x-amz") => {
                wrong("is a header that the call has its own of")
            }
            () if names.iter().skip(at + 1).any(|other| other.eq_ignore_ascii_case(&name)) => {
                wrong("is listed twice")
            }
            () => Ok(name),
        }
    });
    checked.collect()
}
