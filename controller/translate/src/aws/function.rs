//! A Backend of type AWS, with its LambdaPolicy -> the configuration of the filter that calls its function.

use std::net::IpAddr;
use std::sync::Arc;

use ferrule_aws_signing::AwsSigning;
use ferrule_kit::{ConfigError, Filter};
use ferrule_lambda::Lambda;
use serde_json::{Map, Value, json};

use super::{Fault, Outbound, identity, policy};
use crate::api::backend::{AwsBackend, AwsLambda};
use crate::api::lambda_policy::LambdaPolicy;
use crate::credentials::Identity;
use crate::kinds::World;
use crate::object::Key;
use crate::problem::{Problem, Reason};
use crate::settings::{FilterHost, Settings};

/// `AwsBackend.region`.
const DEFAULT_REGION: &str = "us-east-1";

/// Fields of the filter that a LambdaPolicy may have; the others are the Backend's or the controller's.
const OF_POLICY: [&str; 10] = [
    "functionName",
    "functions",
    "invocationMode",
    "payloadMode",
    "errorStatus",
    "logType",
    "clientContext",
    "forwardHeaders",
    "multiValueHeaders",
    "requestContext",
];

/// Fields of the filter by where they stand in a Backend.
const OF_BACKEND: [(&str, &str); 6] = [
    ("functionName", "spec.aws.lambda.functionName"),
    ("qualifier", "spec.aws.lambda.qualifier"),
    ("accountId", "spec.aws.lambda.accountId"),
    ("endpointURL", "spec.aws.lambda.endpointURL"),
    ("region", "spec.aws.region"),
    ("payloadMode", "spec.aws.lambda.payloadTransformMode"),
];

/// Bytes that a call may hold: more than any payload that Lambda takes, whose limit is the filter's to tell ("Lambda quotas").
const MAX_PAYLOAD: u64 = 8 << 20;

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsEndpoint {
    /// Host name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether TLS is spoken, to whom the operating system's authorities vouch for.
    pub tls: bool,
}

impl AwsEndpoint {
    /// Of an authority without user information.
    pub(super) fn new(authority: &str, tls: bool) -> Option<Self> {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|port| *port > 0)?),
            _ => (authority, if tls { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        // A certificate is for a name.
        let can_be_secure = !tls || host.parse::<IpAddr>().is_err();
        (!host.is_empty() && can_be_secure).then_some(Self { host, port, tls })
    }
}

/// What requests to the Backend `key` become.
///
/// # Errors
/// Field of the Backend, and what is wrong with it; where it is a policy's field, the policy is named.
pub(super) fn compile(
    world: &World,
    settings: &Settings,
    key: &Key,
    aws: &AwsBackend,
    policy: Option<&LambdaPolicy>,
) -> Result<Arc<Outbound>, Fault> {
    let wrong = |field: &str, why: &str| Err(Fault::new(format!("spec.aws{field}"), why));
    let lambda = match (&aws.lambda, &aws.ec2) {
        (Some(lambda), None) => lambda,
        (None, Some(_)) => return wrong(".ec2", "is not supported; supported: lambda"),
        _ => return wrong("", "exactly one of lambda and ec2 must be set"),
    };
    if matches!(settings.filter_host, FilterHost::Wasm { .. }) {
        return wrong("", "filters on wasm cannot read secrets, so nobody could sign");
    }
    let region = aws.region.as_deref().unwrap_or(DEFAULT_REGION);
    let identity = identity::of(world, &key.0, ("spec.aws.auth", aws.auth.as_ref()), region)?;
    let spec = policy.map(|policy| &policy.spec);
    match (spec.and_then(|spec| spec.function_url.as_ref()), policy) {
        (Some(url), Some(policy)) => by_url(region, identity, url, policy),
        _ => by_call(aws, lambda, region, identity, policy),
    }
    .map(Arc::new)
}

/// Requests that are turned into calls of the Lambda API.
fn by_call(
    aws: &AwsBackend,
    lambda: &AwsLambda,
    region: &str,
    identity: Identity,
    policy: Option<&LambdaPolicy>,
) -> Result<Outbound, Fault> {
    let mut config = of_backend(aws, lambda, region)?;
    if let Some(policy) = policy {
        if let Some(field) = policy.spec.call.keys().find(|field| !OF_POLICY.contains(&field.as_str())) {
            return Err(in_policy(policy, field, "is no field of a LambdaPolicy"));
        }
        config.extend(policy.spec.call.clone());
    }
    config.insert("credentials".to_owned(), json!({"secret": {"sdsName": identity.to_string()}}));
    let config = Value::Object(config);
    let placed = |error: ConfigError| place(&error, policy);
    ferrule_kit::compile::<Lambda>(config.to_string().as_bytes()).map_err(placed)?;
    let no_endpoint = |why: &str| Err(Fault::new("spec.aws.lambda.endpointURL", why));
    let Ok(authority) =
        serde_json::from_value(config.clone()).map(|config| ferrule_lambda::authority(&config))
    else {
        return no_endpoint("cannot be read");
    };
    let tls = !lambda.endpoint_url.as_deref().is_some_and(|url| url.starts_with("http://"));
    match AwsEndpoint::new(&authority.map_err(placed)?, tls) {
        Some(endpoint) => Ok(called(Lambda::NAME, config, identity, endpoint)),
        None => no_endpoint("needs a host, which must be a name where it begins with https"),
    }
}

fn of_backend(aws: &AwsBackend, lambda: &AwsLambda, region: &str) -> Result<Map<String, Value>, Fault> {
    let at = |field: &str, why: &str| Fault::new(format!("spec.aws.lambda.{field}"), why);
    let invocation = match lambda.invocation_mode.as_deref() {
        None | Some("Sync") => "RequestResponse",
        Some("Async") => "Event",
        Some(_) => return Err(at("invocationMode", "must be Sync or Async")),
    };
    let payload = match lambda.payload_transform_mode.as_deref() {
        None => "Envoy",
        Some(mode @ ("Envoy" | "None")) => mode,
        Some(_) => return Err(at("payloadTransformMode", "must be Envoy or None; a LambdaPolicy has more")),
    };
    if lambda.function_name.contains("{{") {
        return Err(at("functionName", "must be a name; a LambdaPolicy can have a template"));
    }
    let account = lambda.account_id.as_ref().or(aws.account_id.as_ref());
    let Some(account) = account.filter(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())) else {
        return Err(at("accountId", "must be twelve digits, here or in spec.aws.accountId"));
    };
    let fields = json!({
        "functionName": lambda.function_name,
        "qualifier": lambda.qualifier,
        "accountId": account,
        "region": region,
        "endpointURL": lambda.endpoint_url,
        "invocationMode": invocation,
        "payloadMode": payload,
    });
    let Value::Object(fields) = fields else { return Ok(Map::new()) };
    Ok(fields.into_iter().filter(|(_, value)| !value.is_null()).collect())
}

/// Requests that go to a function's URL as they are, signed.
fn by_url(region: &str, identity: Identity, url: &str, policy: &LambdaPolicy) -> Result<Outbound, Fault> {
    if let Some(field) = policy.spec.call.keys().next() {
        return Err(in_policy(
            policy,
            field,
            "has no meaning for a functionURL, whose function gets requests from Lambda",
        ));
    }
    let secure = url.strip_prefix("https://").map(|rest| (rest, true));
    let found = secure.or_else(|| url.strip_prefix("http://").map(|rest| (rest, false)));
    let found = found.map(|(rest, tls)| (rest.strip_suffix('/').unwrap_or(rest), tls));
    let is_authority = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
    let found = found.filter(|(authority, _)| is_authority(authority));
    let endpoint = found.and_then(|(authority, tls)| Some((authority, AwsEndpoint::new(authority, tls)?)));
    let Some((authority, endpoint)) = endpoint else {
        return Err(in_policy(policy, "functionURL", "must be https:// or http://, a host and maybe a port"));
    };
    let config = json!({
        "region": region,
        "service": "lambda",
        "host": authority.to_ascii_lowercase(),
        "credentials": {"secret": {"sdsName": identity.to_string()}},
    });
    ferrule_kit::compile::<AwsSigning>(config.to_string().as_bytes()).map_err(|error| place(&error, None))?;
    Ok(called(AwsSigning::NAME, config, identity, endpoint))
}

fn called(filter: &'static str, config: Value, identity: Identity, endpoint: AwsEndpoint) -> Outbound {
    Outbound { filter, config, identity, endpoint: Some(endpoint), is_call: true, held: Some(MAX_PAYLOAD) }
}

/// Where an error of the filter's stands: in the policy, if that has the field, else in the Backend.
fn place(error: &ConfigError, policy: Option<&LambdaPolicy>) -> Fault {
    let first = error.field.split(['.', '[']).next().unwrap_or_default();
    if let Some(policy) = policy.filter(|policy| policy.spec.call.contains_key(first) || first.is_empty()) {
        return in_policy(policy, &error.field, &error.reason);
    }
    let known = OF_BACKEND.iter().find(|(name, _)| *name == first);
    Fault::new(known.map_or("spec.aws", |(_, path)| path), error.reason.clone())
}

fn in_policy(policy: &LambdaPolicy, field: &str, why: &str) -> Fault {
    let key: Key = (policy.metadata.namespace.as_str().into(), policy.metadata.name.as_str().into());
    let field = if field.is_empty() { "spec".to_owned() } else { format!("spec.{field}") };
    let on = policy::reference(&key);
    let detail = format!("{on} {field}: {why}");
    let problem = Problem::new(&on, field, Reason::Invalid, why);
    Fault { policy: Some(Box::new(problem)), ..Fault::new("spec.aws.lambda", detail) }
}
