//! An AWSSigningPolicy -> the configuration of the filter that signs requests as they are.

use std::net::IpAddr;
use std::sync::Arc;

use ferrule_aws_signing::AwsSigning;
use ferrule_kit::Filter;
use serde_json::json;

use super::{AwsEndpoint, Fault, Outbound, identity};
use crate::api::aws_signing_policy::AWSSigningPolicySpec;
use crate::api::backend::{Backend, Host, StaticBackend};
use crate::kinds::World;
use crate::settings::{FilterHost, Settings};

/// Bytes that are held to be signed: what API Gateway takes ("Amazon API Gateway quotas", payload size).
const BUFFER_LIMIT: u64 = 10 << 20;
/// The most that may be asked for: what the largest domains of OpenSearch take ("Amazon OpenSearch Service quotas").
const MAX_BUFFER_LIMIT: u64 = 100 << 20;

/// What requests to the target of a policy of `namespace` become; `backend` is the target where it is one.
///
/// # Errors
/// Field of the policy, and what is wrong with it.
pub(super) fn compile(
    world: &World,
    settings: &Settings,
    namespace: &Arc<str>,
    spec: &AWSSigningPolicySpec,
    backend: Option<&Backend>,
) -> Result<Arc<Outbound>, Fault> {
    if matches!(settings.filter_host, FilterHost::Wasm { .. }) {
        return Err(Fault::new("spec", "filters on wasm cannot read secrets, so nobody could sign"));
    }
    if backend.is_some_and(|backend| backend.spec.aws.is_some()) {
        return Err(Fault::new(
            "spec.targetRefs",
            "a function is called by requests that are signed already",
        ));
    }
    let (payload, held) = payload(spec)?;
    let fixed = backend.and_then(|backend| backend.spec.fixed.as_ref());
    let endpoint = endpoint(spec, fixed)?;
    let identity = identity::of(world, namespace, ("spec.auth", spec.auth.as_ref()), &spec.region)?;
    let mut config = json!({
        "region": spec.region,
        "service": spec.service,
        "payload": payload,
        "signedHeaders": spec.signed_headers,
        "credentials": {"secret": {"sdsName": identity.to_string()}},
    });
    if let Some(host) = spec.host.clone().or_else(|| fixed.and_then(authority)) {
        config["host"] = host.into();
    }
    ferrule_kit::compile::<AwsSigning>(config.to_string().as_bytes())
        .map_err(|error| Fault::new(format!("spec.{}", error.field), error.reason))?;
    Ok(Arc::new(Outbound { filter: AwsSigning::NAME, config, identity, endpoint, is_call: false, held }))
}

/// What of the body is signed, as the filter says it, and how much of it may be held for that.
fn payload(spec: &AWSSigningPolicySpec) -> Result<(&'static str, Option<u64>), Fault> {
    match (spec.payload.as_deref(), spec.buffer_limit) {
        (None | Some("Buffered"), limit) => match limit.unwrap_or(BUFFER_LIMIT) {
            held @ 1..=MAX_BUFFER_LIMIT => Ok(("Hash", Some(held))),
            _ => Err(Fault::new("spec.bufferLimit", format!("must be 1 to {MAX_BUFFER_LIMIT}"))),
        },
        (Some("Unsigned"), None) => Ok(("Unsigned", None)),
        (Some("Unsigned"), Some(_)) => {
            Err(Fault::new("spec.bufferLimit", "has no meaning for a payload that is Unsigned"))
        }
        (Some(_), _) => Err(Fault::new("spec.payload", "must be Buffered or Unsigned")),
    }
}

/// Where requests to a Backend go that is spoken to by TLS.
fn endpoint(
    spec: &AWSSigningPolicySpec,
    fixed: Option<&StaticBackend>,
) -> Result<Option<AwsEndpoint>, Fault> {
    let wrong = |why: &str| Err(Fault::new("spec.tls", why));
    match (spec.tls.as_deref(), fixed) {
        (None, _) => Ok(None),
        (Some("System"), None) => {
            wrong("is for Backends of type Static; a Service can have a BackendTLSPolicy")
        }
        (Some("System"), Some(fixed)) => match (fixed.hosts.as_slice(), &fixed.app_protocol) {
            ([one], None) if is_name(one) => {
                Ok(Some(AwsEndpoint { host: one.host.clone(), port: one.port, tls: true }))
            }
            _ => wrong("needs a Backend with one host, a name, and without appProtocol"),
        },
        (Some(_), _) => wrong("must be System"),
    }
}

/// How requests to a Backend call its host, if it has one host that is a name.
fn authority(fixed: &StaticBackend) -> Option<String> {
    let [one] = fixed.hosts.as_slice() else { return None };
    let Host { host, port } = one;
    is_name(one).then(|| match port {
        80 | 443 => host.clone(),
        other => format!("{host}:{other}"),
    })
}

fn is_name(host: &Host) -> bool {
    host.host.parse::<IpAddr>().is_err()
}
