//! Configuration as written; the reference of its JSON.
//!
//! Invariant: strict, so an unknown field is an error.

use ferrule_aws::{CredentialsConfig, SecretConfig};
use serde::Deserialize;

/// Which function to call, how, and as whom. A configuration without function, region and credentials calls none, as that of a listener
/// whose routes have their own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The function's name or ARN; or a template of its name: text with `{{ segment(1) }}` (of the path, from 0),
    /// `{{ header('name') }}` and `{{ query('name') }}` in it.
    #[serde(default, rename = "functionName")]
    pub function_name: String,
    /// The functions that a template may choose; needed where there is one, and only there.
    #[serde(default)]
    pub functions: Vec<String>,
    /// Version or alias. None is the function's own `$LATEST`.
    #[serde(default)]
    pub qualifier: Option<String>,
    /// Account of the function, twelve digits: the call then names it by its ARN.
    #[serde(default, rename = "accountId")]
    pub account_id: Option<String>,
    /// Region of the function, and of the signature.
    #[serde(default)]
    pub region: String,
    /// URL of the Lambda API, without a path; the region's own if none. Its host becomes the request's.
    #[serde(default, rename = "endpointURL")]
    pub endpoint_url: Option<String>,
    /// How the function is called.
    #[serde(default, rename = "invocationMode")]
    pub invocation_mode: InvocationMode,
    /// What it is given, and what it is to return.
    #[serde(default, rename = "payloadMode")]
    pub payload_mode: PayloadMode,
    /// Which status a client gets where a function fails.
    #[serde(default, rename = "errorStatus")]
    pub error_status: ErrorStatus,
    /// Whether Lambda is to send the end of the function's log, which no client gets.
    #[serde(default, rename = "logType")]
    pub log_type: LogType,
    /// JSON for the function's context, up to 2,688 bytes.
    #[serde(default, rename = "clientContext")]
    pub client_context: Option<String>,
    /// Names of the client's header fields that go out, and are signed, besides travelling in the event.
    #[serde(default, rename = "forwardHeaders")]
    pub forward_headers: Vec<String>,
    /// What events say of where they come from.
    #[serde(default, rename = "requestContext")]
    pub request_context: RequestContext,
    /// `Alb` only: events and answers have lists of values, as with a target group's `lambda.multi_value_headers.enabled`.
    #[serde(default, rename = "multiValueHeaders")]
    pub multi_value_headers: bool,
    /// Secrets to follow besides that of `credentials`: those of the listener's routes, which cannot follow their own.
    #[serde(default)]
    pub secrets: Vec<SecretConfig>,
    /// Who signs.
    #[serde(default)]
    pub credentials: CredentialsConfig,
    /// Milliseconds that hosts wait which make the call themselves (wasm); elsewhere the route's timeout holds.
    #[serde(default = "minute", rename = "timeoutMs")]
    pub timeout_ms: u32,
}

impl Config {
    pub(crate) fn calls_none(&self) -> bool {
        self.function_name.is_empty() && self.region.is_empty() && self.credentials.is_empty()
    }
}

fn minute() -> u32 {
    60_000
}

/// How a function is called.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum InvocationMode {
    /// Its result is the answer.
    #[default]
    RequestResponse,
    /// It is called later; the answer is 202.
    Event,
    /// It is not called; the answer tells whether it could be: 204.
    DryRun,
    /// Its result is the answer as it comes, piece by piece.
    ResponseStream,
}

/// What a function is given, and what it is to return.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum PayloadMode {
    /// The event of Envoy's built-in filter, and its answer.
    #[default]
    Envoy,
    /// The body as it is, and the result as it is.
    None,
    /// API Gateway's format 1.0, as of REST APIs.
    ApiGatewayV1,
    /// API Gateway's format 2.0, as of HTTP APIs and function URLs.
    ApiGatewayV2,
    /// That of an Application Load Balancer.
    Alb,
}

/// Which status a client gets where a function fails or its answer is none of the format.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum ErrorStatus {
    /// 502, 504 for one that ran out of time.
    #[default]
    Gateway,
    /// As Gloo: 504 with the error as the body; 500 for an answer that is none.
    Gloo,
    /// As Envoy's built-in filter: 200 with the error as the body; 500 without a body for an answer that is none.
    Envoy,
}

/// Whether Lambda sends the end of the function's log.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum LogType {
    /// No.
    #[default]
    None,
    /// Its last 4 KB, in base64.
    Tail,
}

/// What events say of where they come from; members that a format does not have are not written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestContext {
    /// `accountId`; `anonymous` unless given.
    #[serde(default, rename = "accountId")]
    pub account_id: Option<String>,
    /// `apiId`; empty unless given.
    #[serde(default, rename = "apiId")]
    pub api_id: String,
    /// `stage`; `$default` unless given.
    #[serde(default)]
    pub stage: Option<String>,
    /// `resource` and `resourcePath` of format 1.0; the path unless given.
    #[serde(default, rename = "resourcePath")]
    pub resource_path: Option<String>,
    /// `elb.targetGroupArn`; empty unless given.
    #[serde(default, rename = "targetGroupArn")]
    pub target_group_arn: String,
}
