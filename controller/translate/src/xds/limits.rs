//! Time-outs and retries of a rule.

use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3 as envoy;
use envoy_types::pb::envoy::config::route::v3::retry_policy::RetryHostPredicate;
use envoy_types::pb::envoy::config::route::v3::retry_policy::retry_host_predicate::ConfigType;
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use envoy_types::pb::google::protobuf::UInt32Value;

use super::{Unsupported, any, gep2257, pb_duration};
use crate::api::http_route::{HTTPRouteRetry, HTTPRouteRule};

/// Failures that are retried besides status codes: those where no byte of the request can have had an effect.
const SAFE_TO_RETRY: &str = "connect-failure,refused-stream,reset-before-request";

/// Further ones where one try has a time-out, which is to be retried (HTTPRouteRetry.backoff). Envoy has one word for a try
/// that it gives up and for one that the backend breaks off.
const TRIES_GIVEN_UP: &str = "reset";

/// How often another host is looked for that has not been tried yet.
const OTHER_HOSTS: i64 = 5;

/// Sets them.
///
/// Envoy's default of 15 seconds is no default of Gateway API's: without a time-out there is none (GEP-1742), and a
/// stream is given up when nothing moves on it.
pub(crate) fn apply(action: &mut envoy::RouteAction, rule: &HTTPRouteRule) -> Result<(), Unsupported> {
    let timeouts = rule.timeouts.clone().unwrap_or_default();
    let request = duration("timeouts.request", timeouts.request.as_deref())?.unwrap_or_default();
    let backend =
        duration("timeouts.backendRequest", timeouts.backend_request.as_deref())?.unwrap_or_default();
    if !request.is_zero() && backend > request {
        return Err(("timeouts.backendRequest".to_owned(), "is longer than timeouts.request".to_owned()));
    }
    action.timeout = Some(pb_duration(request));
    let retry = rule.retry.as_ref().map(|rule| retry(rule, !backend.is_zero())).transpose()?;
    if retry.is_none() && backend.is_zero() {
        return Ok(());
    }
    // One try has its own limit whether or not there is a second one.
    let mut policy =
        retry.unwrap_or(envoy::RetryPolicy { num_retries: Some(number(0)), ..Default::default() });
    policy.per_try_timeout = (!backend.is_zero()).then(|| pb_duration(backend));
    action.retry_policy = Some(policy);
    Ok(())
}

/// `HTTPRouteRetry` (GEP-1731): one retry by default, none for 0. `gives_up` says whether a try has a time-out.
fn retry(retry: &HTTPRouteRetry, gives_up: bool) -> Result<envoy::RetryPolicy, Unsupported> {
    if let Some(place) = retry.codes.iter().position(|code| !(400..=599).contains(code)) {
        return Err((format!("retry.codes[{place}]"), "must be 400 to 599".to_owned()));
    }
    let backoff = duration("retry.backoff", retry.backoff.as_deref())?.filter(|backoff| !backoff.is_zero());
    let mut codes: Vec<u32> = retry.codes.iter().map(|code| u32::from(*code)).collect();
    codes.sort_unstable();
    codes.dedup();
    let on_codes = (!codes.is_empty()).then_some("retriable-status-codes");
    let on_time_out = gives_up.then_some(TRIES_GIVEN_UP);
    let retry_on: Vec<&str> = [Some(SAFE_TO_RETRY), on_time_out, on_codes].into_iter().flatten().collect();
    let attempts = retry.attempts.unwrap_or(1);
    Ok(envoy::RetryPolicy {
        retry_on: retry_on.join(","),
        num_retries: Some(number(attempts)),
        retry_host_predicate: (attempts > 0).then(not_tried_yet).into_iter().collect(),
        host_selection_retry_max_attempts: if attempts > 0 { OTHER_HOSTS } else { 0 },
        retriable_status_codes: codes,
        retry_back_off: backoff.map(|interval| envoy::retry_policy::RetryBackOff {
            base_interval: Some(pb_duration(interval)),
            max_interval: None,
        }),
        ..envoy::RetryPolicy::default()
    })
}

/// Prefers hosts that have not been tried yet.
fn not_tried_yet() -> RetryHostPredicate {
    let predicate = any(&PreviousHostsPredicate::default());
    RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
        config_type: Some(ConfigType::TypedConfig(predicate)),
    }
}

fn number(value: u32) -> UInt32Value {
    UInt32Value { value }
}

fn duration(field: &str, text: Option<&str>) -> Result<Option<Duration>, Unsupported> {
    let read = |text: &str| {
        gep2257(text)
            .ok_or_else(|| (field.to_owned(), format!("{text:?} is no duration, such as 10s or 250ms")))
    };
    text.map(read).transpose()
}
