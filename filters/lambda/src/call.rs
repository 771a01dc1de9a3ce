//! The request that calls a function: its fields, signed.
//!
//! Invariant: of the client's fields none goes out but those that the configuration names, those that make the trace, and those
//! that Envoy's router takes for itself.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ferrule_aws::{Identity, Payload, Request, Sha256Hex, Signature, Signer};
use ferrule_kit::{ConfigError, Host, Lines, Message, Recast, changes_on_its_way, is_field_name, line};

use crate::config::{Config, InvocationMode, LogType, MAX_CLIENT_CONTEXT, PayloadMode};
use crate::failure::Failure;
use crate::function::{Function, Functions, authority};
use crate::trace::{TRACE_ID, trace_id};

/// "Lambda quotas", invocation payload: 6 MB for each of request and response of a synchronous call.
const MAX_SYNCHRONOUS: usize = 6_291_556;
/// The same, asynchronous.
const MAX_ASYNCHRONOUS: usize = 1024 * 1024;
/// "Lambda functions as targets": the largest request that a load balancer passes to a function.
const MAX_ALB: usize = 1024 * 1024;

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
const OWN: [&str; 2] = ["authorization", "content-type"];

/// A field of a call.
type Field<'c> = (&'c str, Cow<'c, [u8]>);

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

impl Caller {
    pub(crate) fn compile(config: &Config) -> Result<Self, ConfigError> {
        let identity = Identity::new(config.credentials.clone());
        let identity = identity.map_err(|wrong| ConfigError::new(wrong.path(), wrong.reason))?;
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
    pub(crate) fn call<'c, 'p>(
        &'c self,
        function: &'c Function,
        host: &dyn Host,
        lines: &Lines<'_>,
        payload: impl Iterator<Item = &'p [u8]> + Clone,
    ) -> Result<Recast<'c>, Failure> {
        let length: usize = payload.clone().map(<[u8]>::len).sum();
        if length > self.limit {
            return Err(Failure::TooLarge);
        }
        let mut fields = self.signed_fields(lines);
        let payload = Payload::Hash(Sha256Hex::of(payload));
        let signature = self.sign(function, host, &fields, payload)?;
        fields.extend(signature.into_fields().map(|(name, value)| (name, value.into())));
        fields.extend([
            (":method", b"POST"[..].into()),
            (":path", function.target.as_bytes().into()),
            (":authority", self.authority.as_bytes().into()),
            ("content-length", length.to_string().into_bytes().into()),
        ]);
        fields.extend(trace_id(lines).map(|trace| (TRACE_ID, trace.into())));
        Ok(Recast::of(fields, lines, is_for_the_proxy))
    }

    fn sign(
        &self,
        function: &Function,
        host: &dyn Host,
        fields: &[Field<'_>],
        payload: Payload,
    ) -> Result<Signature, Failure> {
        let now = host.now();
        let credentials =
            self.identity.credentials(now, |name| host.secret(name)).map_err(Failure::Credentials)?;
        let lines = fields.iter().map(|(name, value)| (*name, &**value));
        let lines: Vec<(&str, &[u8])> = lines.chain([("host", self.authority.as_bytes())]).collect();
        let (path, query) = (&*function.canonical, &*self.functions.query);
        let request = Request { method: "POST", path, query, fields: &lines, payload };
        Ok(self.signer.sign(&credentials, &request, now))
    }

    fn signed_fields<'c>(&'c self, lines: &Lines<'_>) -> Vec<Field<'c>> {
        let mut fields = Vec::with_capacity(16);
        fields.extend(self.fixed.iter().map(|(name, value)| (*name, Cow::Borrowed(&**value))));
        match line(lines, "content-type") {
            _ if self.is_json => fields.push(("content-type", b"application/json"[..].into())),
            Some(media_type) if !media_type.is_empty() => {
                fields.push(("content-type", media_type.to_vec().into()));
            }
            _ => {}
        }
        let forwarded = self.forwarded.iter().filter_map(|name| Some((&**name, joined(lines, name)?.into())));
        fields.extend(forwarded);
        fields
    }
}

/// All lines of that name as one; none where that is empty, because proxies leave out lines that say nothing, and a signature of such
/// a one would be wrong.
fn joined(lines: &Lines<'_>, name: &str) -> Option<Vec<u8>> {
    let named = lines.iter().filter(|(known, _)| **known == *name.as_bytes());
    let values: Vec<&[u8]> = named.map(|(_, value)| &**value).filter(|value| !value.is_empty()).collect();
    if values.is_empty() { None } else { Some(values.join(&b","[..])) }
}

/// Whether a line of that name stays with a request that becomes a call.
fn is_for_the_proxy(name: &[u8]) -> bool {
    name.starts_with(b":") || ROUTER.contains(&name)
}

/// A call has no trailers, nor has what a function returns.
pub(crate) fn drop_trailers(host: &mut dyn Host, message: Message) {
    let lines = host.field_lines(message.trailers());
    let names: Vec<String> =
        lines.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    names.iter().for_each(|name| host.remove_field(message.trailers(), name));
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
        if context.len() > MAX_CLIENT_CONTEXT {
            return Err(wrong("is longer than 2,685 bytes"));
        }
        fields.push(("x-amz-client-context", STANDARD.encode(context).into_bytes()));
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
            () if changes_on_its_way(&name) => wrong("is a header that may change on its way"),
            () if names.iter().skip(at + 1).any(|other| other.eq_ignore_ascii_case(&name)) => {
                wrong("is listed twice")
            }
            () => Ok(name),
        }
    });
    checked.collect()
}
