//! Signs requests to any AWS service on their way to it.
//!
//! Invariants:
//! - A client's own signature never goes on: the fields that make one are replaced or removed, a URL that is signed is refused.
//! - A body is held only where its digest is signed.
//! - A request that cannot be signed is answered; it does not go on without a signature.

mod config;

use std::sync::Arc;
use std::time::SystemTime;

use ferrule_aws::{
    Credentials, Identity, IdentityError, Payload, Request, SecretConfig, Sha256Hex, Signature, Signer,
    canonical_path, canonical_query, decoded_parameter, is_authority, is_scope_name, lambda_region,
    single_encoded_path, split_target,
};
use ferrule_kit::{
    ConfigError, Counter, Fields, Filter, Flow, Host, Level, Lines, Message, Recast, Response, SecretSource,
    changes_on_its_way, is_field_name, line,
};

pub use config::*;

const SIGNED: Counter = Counter(0);
const CREDENTIAL_ERROR: Counter = Counter(1);
const TOO_LARGE: Counter = Counter(2);
const REFUSED: Counter = Counter(3);

/// Fields that a signature brings.
const OWN: [&str; 4] = ["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

/// Parameters that sign a URL (Signature Version 4 and 2). Beside the gateway's own signature they are an error to some services, and
/// the client's credentials in its place to others.
const PRESIGNED: [&str; 5] =
    ["x-amz-algorithm", "x-amz-credential", "x-amz-security-token", "x-amz-signature", "awsaccesskeyid"];

/// The filter: a compiled [`Config`].
#[derive(Debug)]
pub struct AwsSigning {
    signing: Option<Signing>,
    secrets: Vec<SecretSource>,
}

/// How requests are signed.
#[derive(Debug)]
struct Signing {
    signer: Signer,
    identity: Identity,
    host: Option<String>,
    payload: PayloadConfig,
    signed: Vec<String>,
    is_s3: bool,
}

impl Filter for AwsSigning {
    const NAME: &'static str = "aws_signing";
    const COUNTERS: &'static [&'static str] = &["signed", "credential_error", "too_large", "refused"];

    type Config = Config;
    type Stream = ();

    fn compile(mut config: Config) -> Result<Self, ConfigError> {
        let others = std::mem::take(&mut config.secrets).into_iter().map(SecretConfig::into_source);
        let signing = if config.signs_nothing() { None } else { Some(Signing::compile(config)?) };
        let own = signing.as_ref().and_then(|signing| signing.identity.secret());
        let secrets = own.into_iter().chain(others).map(SecretSource::from).collect();
        Ok(Self { signing, secrets })
    }

    fn looks_back(&self) -> bool {
        false
    }

    fn secrets(&self) -> Vec<SecretSource> {
        self.secrets.clone()
    }

    fn on_headers(&self, (): &mut (), host: &mut dyn Host, message: Message, end: bool) -> Flow {
        match &self.signing {
            Some(signing) if message == Message::Request => signing.on_request(host, end),
            _ => Flow::Leave,
        }
    }

    fn on_body(&self, (): &mut (), host: &mut dyn Host, message: Message) -> Flow {
        let digest = Sha256Hex::of(host.body(message).iter().map(|chunk| &**chunk));
        announce_length(host);
        self.signing.as_ref().map_or(Flow::Leave, |signing| signing.sign(host, Payload::Hash(digest)))
    }

    fn on_overflow(&self, (): &mut (), host: &mut dyn Host, _: Message) -> Flow {
        host.count(TOO_LARGE, 1);
        log(host, Level::Debug, "the request is larger than the buffer limit");
        Flow::Respond(Response::text(413, "aws_signing_filter_too_large", "the request is too large\n"))
    }
}

impl Signing {
    fn compile(config: Config) -> Result<Self, ConfigError> {
        let identity = Identity::new(config.credentials);
        let identity = identity.map_err(|wrong| ConfigError::new(wrong.path(), wrong.reason))?;
        name("region", &config.region)?;
        name("service", &config.service)?;
        let is_s3 =
            config.service == "s3" || config.service.starts_with("s3-") || config.service == "s3express";
        let host = config.host.map(|host| authority(&host, &config.region)).transpose()?;
        let signer = Signer::new(config.region, config.service);
        Ok(Self {
            signer: if is_s3 { signer.sending_hash() } else { signer },
            identity,
            host,
            payload: config.payload,
            signed: signed(&config.signed_headers)?,
            is_s3,
        })
    }

    fn on_request(&self, host: &mut dyn Host, end: bool) -> Flow {
        if is_presigned(host) {
            host.count(REFUSED, 1);
            log(host, Level::Debug, "the request's URL is signed already");
            return Flow::Respond(Response::text(
                400,
                "aws_signing_filter_presigned",
                "the URL must not be signed\n",
            ));
        }
        match self.payload {
            PayloadConfig::Unsigned => self.sign(host, Payload::Unsigned),
            // What flows through a tunnel is no part of the request.
            PayloadConfig::Hash if end || host.is_tunnel() => {
                self.sign(host, Payload::Hash(Sha256Hex::of([])))
            }
            PayloadConfig::Hash => Flow::AwaitBody,
        }
    }

    fn sign(&self, host: &mut dyn Host, payload: Payload) -> Flow {
        match self.try_sign(host, payload) {
            Ok(()) => {
                host.count(SIGNED, 1);
                Flow::Leave
            }
            Err(error) => {
                host.count(CREDENTIAL_ERROR, 1);
                log(host, Level::Warn, &error.to_string());
                let details = format!("aws_signing_filter_credentials_{}", error.word());
                Flow::Respond(Response::text(500, details, "the request could not be signed\n"))
            }
        }
    }

    fn try_sign(&self, host: &mut dyn Host, payload: Payload) -> Result<(), IdentityError> {
        let now = host.now();
        let credentials = self.identity.credentials(now, |name| host.secret(name))?;
        if let Some(authority) = &self.host {
            host.set_field(Fields::RequestHeaders, ":authority", authority.as_bytes());
        }
        let lines = host.field_lines(Fields::RequestHeaders);
        let signature = self.signature(&lines, payload, &credentials, now).into_fields();
        let fields = signature.map(|(name, value)| (name, value.into()));
        let signed = Recast::of(fields, &lines, |name| !OWN.iter().any(|own| own.as_bytes() == name));
        drop(lines);
        signed.apply(host, Fields::RequestHeaders);
        Ok(())
    }

    /// That of a request with these lines, the client's own signature aside.
    fn signature(
        &self,
        lines: &Lines<'_>,
        payload: Payload,
        credentials: &Arc<Credentials>,
        now: SystemTime,
    ) -> Signature {
        let pseudo = |name| line(lines, name).unwrap_or_default();
        let (method, target) = (String::from_utf8_lossy(pseudo(":method")), pseudo(":path"));
        let (path, query) = split_target(target);
        let path = if self.is_s3 { single_encoded_path(path) } else { canonical_path(path) };
        let fields = lines.iter().filter_map(|(name, value)| {
            let name = std::str::from_utf8(name).ok()?;
            self.is_signed(name).then_some((name, &**value))
        });
        let fields: Vec<(&str, &[u8])> = fields.chain([("host", pseudo(":authority"))]).collect();
        let query = canonical_query(query);
        let request = Request { method: &method, path: &path, query: &query, fields: &fields, payload };
        self.signer.sign(credentials, &request, now)
    }

    fn is_signed(&self, name: &str) -> bool {
        let amz = || name.starts_with("x-amz-") && !OWN.contains(&name);
        amz() || self.signed.iter().any(|signed| signed == name)
    }
}

/// A body that is at hand has a length, without which S3 takes no object; trailers need a body without one on HTTP/1.1.
fn announce_length(host: &mut dyn Host) {
    let known = host.field(Fields::RequestHeaders, "content-length").is_some();
    if !known && !host.has_trailers(Message::Request) {
        let length = host.body_len(Message::Request).to_string();
        host.remove_field(Fields::RequestHeaders, "transfer-encoding");
        host.set_field(Fields::RequestHeaders, "content-length", length.as_bytes());
    }
}

/// Whether the request's URL is signed by who has sent it.
fn is_presigned(host: &dyn Host) -> bool {
    let target = host.field(Fields::RequestHeaders, ":path").unwrap_or_default();
    let (_, query) = split_target(&target);
    let mut names =
        query.split(|byte| *byte == b'&').map(|pair| pair.split(|byte| *byte == b'=').next().unwrap_or(pair));
    names.any(|name| {
        let name = decoded_parameter(name);
        PRESIGNED.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    })
}

/// What clients can bring about at will is told only where one asks for such lines.
fn log(host: &dyn Host, level: Level, problem: &str) {
    let route = host.route_name();
    host.log(level, &format!("aws_signing: route \"{route}\": {problem}"));
}

fn name(field: &str, text: &str) -> Result<(), ConfigError> {
    if is_scope_name(text) {
        return Ok(());
    }
    Err(ConfigError::new(field, "must be lower-case letters, digits and hyphens"))
}

fn authority(text: &str, region: &str) -> Result<String, ConfigError> {
    let text = text.to_ascii_lowercase();
    match () {
        () if !is_authority(&text) => Err(ConfigError::new("host", "must be a host and maybe a port")),
        () if lambda_region(&text).is_some_and(|of_host| of_host != region) => {
            Err(ConfigError::new("host", "is that of a region other than `region`"))
        }
        () => Ok(text),
    }
}

/// Fields that proxies and connections change on the way cannot be signed.
fn signed(names: &[String]) -> Result<Vec<String>, ConfigError> {
    let checked = names.iter().enumerate().map(|(at, name)| {
        let name = name.to_ascii_lowercase();
        let wrong = |reason| Err(ConfigError::new(format!("signedHeaders[{at}]"), reason));
        match () {
            () if !is_field_name(&name) => wrong("is no name of a header"),
            () if changes_on_its_way(&name) || OWN.contains(&&*name) => {
                wrong("is a header that may change on its way")
            }
            () => Ok(name),
        }
    });
    checked.collect()
}
