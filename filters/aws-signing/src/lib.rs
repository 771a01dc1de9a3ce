//! Signs requests to any AWS service on their way to it.
//!
//! Invariants:
//! - A client's own signature never goes on: the fields that make one are replaced or removed.
//! - A body is held only where its digest is signed.
//! - A request that cannot be signed is answered; it does not go on without a signature.

mod config;

use std::sync::Arc;
use std::time::SystemTime;

use ferrule_aws::{
    Credentials, Identity, IdentityError, Payload, Request, SecretConfig, Sha256Hex, Signature, Signer,
    canonical_path, canonical_query, single_encoded_path,
};
use ferrule_kit::{
    ConfigError, Counter, Fields, Filter, Flow, Host, Level, Lines, Message, Response, SecretSource,
    is_field_name, line,
};

pub use config::*;

const SIGNED: Counter = Counter(0);
const CREDENTIAL_ERROR: Counter = Counter(1);
const TOO_LARGE: Counter = Counter(2);

/// Fields that a signature brings.
const OWN: [&str; 4] = ["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

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
    const COUNTERS: &'static [&'static str] = &["signed", "credential_error", "too_large"];

    type Config = Config;
    type Stream = ();

    fn compile(mut config: Config) -> Result<Self, ConfigError> {
        let others = std::mem::take(&mut config.secrets).into_iter().map(SecretConfig::into_source);
        let signing = if config.signs_nothing() { None } else { Some(Signing::compile(config)?) };
        let own = signing.as_ref().and_then(|signing| signing.identity.secret());
        let named = own.into_iter().chain(others);
        let secrets = named.map(|(name, config_source)| SecretSource { name, config_source }).collect();
        Ok(Self { signing, secrets })
    }

    fn looks_back(&self) -> bool {
        false
    }

    fn secrets(&self) -> Vec<SecretSource> {
        self.secrets.clone()
    }

    fn on_headers(&self, (): &mut (), host: &mut dyn Host, message: Message, _: bool) -> Flow {
        match &self.signing {
            Some(signing) if message == Message::Request => signing.on_request(host),
            _ => Flow::Leave,
        }
    }

    fn on_body(&self, (): &mut (), host: &mut dyn Host, message: Message) -> Flow {
        let digest = Sha256Hex::of(host.body(message).iter().map(|chunk| &**chunk));
        self.signing.as_ref().map_or(Flow::Leave, |signing| signing.sign(host, Payload::Hash(digest)))
    }

    fn on_overflow(&self, (): &mut (), host: &mut dyn Host, _: Message) -> Flow {
        host.count(TOO_LARGE, 1);
        log(host, "the request is larger than the buffer limit");
        Flow::Respond(Response::text(413, "aws_signing_filter_too_large", "the request is too large\n"))
    }
}

impl Signing {
    fn compile(config: Config) -> Result<Self, ConfigError> {
        let identity = Identity::new(config.credentials).map_err(|wrong| {
            let path = format!("credentials.{}", wrong.field);
            ConfigError::new(path.trim_end_matches('.'), wrong.reason)
        })?;
        name("region", &config.region)?;
        name("service", &config.service)?;
        let is_s3 =
            config.service == "s3" || config.service.starts_with("s3-") || config.service == "s3express";
        let signer = Signer::new(config.region, config.service);
        Ok(Self {
            signer: if is_s3 { signer.sending_hash() } else { signer },
            identity,
            host: config.host.map(authority).transpose()?,
            payload: config.payload,
            signed: signed(&config.signed_headers)?,
            is_s3,
        })
    }

    fn on_request(&self, host: &mut dyn Host) -> Flow {
        match self.payload {
            PayloadConfig::Unsigned => self.sign(host, Payload::Unsigned),
            // What flows through a tunnel is no part of the request.
            PayloadConfig::Hash if host.is_tunnel() => self.sign(host, Payload::Hash(Sha256Hex::of([]))),
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
                log(host, &error.to_string());
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
        let clients = OWN.map(|name| line(&lines, name).is_some());
        let signature = self.signature(&lines, payload, &credentials, now);
        drop(lines);
        let stale = OWN.into_iter().zip(clients).filter(|(_, sent)| *sent);
        stale.for_each(|(name, _)| host.remove_field(Fields::RequestHeaders, name));
        for (name, value) in signature.fields() {
            host.set_field(Fields::RequestHeaders, name, value);
        }
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
        let (path, query) = match target.iter().position(|byte| *byte == b'?') {
            Some(at) => (&target[..at], &target[at + 1..]),
            None => (target, &b""[..]),
        };
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

fn log(host: &dyn Host, problem: &str) {
    let route = host.route_name();
    host.log(Level::Warn, &format!("aws_signing: route \"{route}\": {problem}"));
}

fn name(field: &str, text: &str) -> Result<(), ConfigError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() || text.len() > 63 || !text.bytes().all(plain) {
        return Err(ConfigError::new(field, "must be lower-case letters, digits and hyphens"));
    }
    Ok(())
}

fn authority(text: String) -> Result<String, ConfigError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_%".contains(&byte);
    if text.is_empty() || !text.bytes().all(plain) {
        return Err(ConfigError::new("host", "must be a host and maybe a port"));
    }
    Ok(text.to_ascii_lowercase())
}

/// Fields that proxies and connections change on the way cannot be signed.
fn signed(names: &[String]) -> Result<Vec<String>, ConfigError> {
    const UNFIT: [&str; 8] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
        "x-amzn-trace-id",
    ];
    let checked = names.iter().enumerate().map(|(at, name)| {
        let name = name.to_ascii_lowercase();
        let wrong = |reason| Err(ConfigError::new(format!("signedHeaders[{at}]"), reason));
        match () {
            () if !is_field_name(&name) => wrong("is no name of a header"),
            () if UNFIT.contains(&&*name) || OWN.contains(&&*name) => {
                wrong("is a header that may change on its way")
            }
            () => Ok(name),
        }
    });
    checked.collect()
}
