//! What a rule does with the requests that match it -> `envoy.config.route.v3.Route`.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::DataSource;
use envoy_types::pb::envoy::config::route::v3 as envoy;
use envoy_types::pb::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};
use envoy_types::pb::envoy::config::route::v3::route::Action as EnvoyAction;
use envoy_types::pb::envoy::config::route::v3::route_action::{
    ClusterNotFoundResponseCode, ClusterSpecifier, HostRewriteSpecifier,
};
use envoy_types::pb::envoy::config::route::v3::weighted_cluster::ClusterWeight;
use envoy_types::pb::google::protobuf::{Any, UInt32Value};

use super::header::HeaderEdits;
use super::rewrite::{self, PathRewrite};
use super::{gep2257, pb_duration};
use crate::api::http_route::{
    HTTPBackendRef, HTTPRequestRedirectFilter, HTTPRouteFilter, HTTPRouteMatch, HTTPRouteRule,
    HTTPURLRewriteFilter,
};
use crate::api::meta::KGATEWAY_GROUP;
use crate::backends::{Destination, Unresolved};

/// A cluster that never exists: its share of requests gets the 500 that the specification asks for (HTTPRouteRule.backendRefs).
const UNRESOLVED: &str = "unresolved";

/// Field of the rule, and why it cannot be lowered.
pub(crate) type Unsupported = (String, String);

/// What is done, and the edits around it.
pub(crate) struct Action {
    action: EnvoyAction,
    request: HeaderEdits,
    response: HeaderEdits,
}

/// An answer without a body.
pub(crate) fn fixed(status: u32) -> Action {
    let body: Option<DataSource> = None;
    let answer = envoy::DirectResponseAction { status, body, ..Default::default() };
    Action {
        action: EnvoyAction::DirectResponse(answer),
        request: HeaderEdits::default(),
        response: HeaderEdits::default(),
    }
}

/// Joins match and action. The name is left out: see [`super::routes`].
pub(crate) fn route(
    action: Action,
    matched: envoy::RouteMatch,
    per_filter: HashMap<String, Any>,
) -> envoy::Route {
    envoy::Route {
        r#match: Some(matched),
        action: Some(action.action),
        request_headers_to_add: action.request.add,
        request_headers_to_remove: action.request.remove,
        response_headers_to_add: action.response.add,
        response_headers_to_remove: action.response.remove,
        typed_per_filter_config: per_filter,
        ..envoy::Route::default()
    }
}

/// Lowers a rule for one of its matches, on a listener with that port.
pub(crate) fn lower(
    rule: &HTTPRouteRule,
    matched: &HTTPRouteMatch,
    resolved: &[Result<Destination, Unresolved>],
    port: u16,
) -> Result<Action, Unsupported> {
    let filters = collect(&rule.filters, "filters")?;
    if rule.session_persistence.is_some() {
        return Err(("sessionPersistence".to_owned(), "is not supported".to_owned()));
    }
    let action = match filters.redirect {
        Some(_) if filters.rewrite.is_some() => {
            return Err((
                "filters".to_owned(),
                "RequestRedirect and URLRewrite exclude each other".to_owned(),
            ));
        }
        Some(redirect) => EnvoyAction::Redirect(redirected(redirect, matched, port)?),
        None => forward(rule, matched, filters.rewrite, resolved)?,
    };
    Ok(Action { action, request: filters.request, response: filters.response })
}

#[derive(Default)]
struct Filters<'a> {
    request: HeaderEdits,
    response: HeaderEdits,
    redirect: Option<&'a HTTPRequestRedirectFilter>,
    rewrite: Option<&'a HTTPURLRewriteFilter>,
}

fn collect<'a>(filters: &'a [HTTPRouteFilter], list: &str) -> Result<Filters<'a>, Unsupported> {
    let mut found = Filters::default();
    for (place, filter) in filters.iter().enumerate() {
        let refused = |why: &str| (format!("{list}[{place}]"), why.to_owned());
        let missing = || refused("lacks the field of its type");
        match filter.kind.as_str() {
            "RequestHeaderModifier" => {
                found.request.push(filter.request_header_modifier.as_ref().ok_or_else(missing)?)
            }
            "ResponseHeaderModifier" => {
                found.response.push(filter.response_header_modifier.as_ref().ok_or_else(missing)?);
            }
            "RequestRedirect" => found.redirect = Some(filter.request_redirect.as_ref().ok_or_else(missing)?),
            "URLRewrite" => found.rewrite = Some(filter.url_rewrite.as_ref().ok_or_else(missing)?),
            "ExtensionRef" => {
                let reference = filter.extension_ref.as_ref().ok_or_else(missing)?;
                if (reference.group.as_str(), reference.kind.as_str()) != (KGATEWAY_GROUP, "TrafficPolicy") {
                    return Err(refused("only a TrafficPolicy can be an extension"));
                }
            }
            other => return Err(refused(&format!("type {other} is not supported"))),
        }
    }
    Ok(found)
}

fn redirected(
    redirect: &HTTPRequestRedirectFilter,
    matched: &HTTPRouteMatch,
    port: u16,
) -> Result<envoy::RedirectAction, Unsupported> {
    let refused = |why: String| ("filters".to_owned(), why);
    let path =
        redirect.path.as_ref().map(|path| rewrite::lower(path, matched)).transpose().map_err(refused)?;
    let path_rewrite_specifier = path.map(|path| match path {
        PathRewrite::Full(path) => PathRewriteSpecifier::PathRedirect(path),
        PathRewrite::Prefix(prefix) => PathRewriteSpecifier::PrefixRewrite(prefix),
        PathRewrite::Regex(regex) => PathRewriteSpecifier::RegexRewrite(regex),
    });
    Ok(envoy::RedirectAction {
        host_redirect: redirect.hostname.clone().unwrap_or_default(),
        port_redirect: redirect_port(redirect, port),
        response_code: response_code(redirect.status_code).map_err(refused)?.into(),
        scheme_rewrite_specifier: redirect.scheme.clone().map(SchemeRewriteSpecifier::SchemeRedirect),
        path_rewrite_specifier,
        ..envoy::RedirectAction::default()
    })
}

/// Without a port: the scheme's own, which is not written, or else the listener's (HTTPRequestRedirectFilter.port).
fn redirect_port(redirect: &HTTPRequestRedirectFilter, listener: u16) -> u32 {
    let port = match (redirect.port, redirect.scheme.as_deref()) {
        (Some(port), _) => port,
        (None, Some(_)) => return 0,
        (None, None) => listener,
    };
    match (redirect.scheme.as_deref().unwrap_or("http"), port) {
        ("http", 80) | ("https", 443) => 0,
        (_, port) => port.into(),
    }
}

fn response_code(status: Option<u16>) -> Result<RedirectResponseCode, String> {
    Ok(match status.unwrap_or(302) {
        301 => RedirectResponseCode::MovedPermanently,
        302 => RedirectResponseCode::Found,
        303 => RedirectResponseCode::SeeOther,
        307 => RedirectResponseCode::TemporaryRedirect,
        308 => RedirectResponseCode::PermanentRedirect,
        other => return Err(format!("statusCode {other} is not supported")),
    })
}

fn forward(
    rule: &HTTPRouteRule,
    matched: &HTTPRouteMatch,
    rewrite: Option<&HTTPURLRewriteFilter>,
    resolved: &[Result<Destination, Unresolved>],
) -> Result<EnvoyAction, Unsupported> {
    if rule.backend_refs.iter().all(|backend| backend.weight == Some(0)) {
        return Ok(fixed(500).action);
    }
    let mut action = envoy::RouteAction {
        cluster_specifier: Some(clusters(&rule.backend_refs, resolved)?),
        cluster_not_found_response_code: ClusterNotFoundResponseCode::InternalServerError.into(),
        ..envoy::RouteAction::default()
    };
    apply_rewrite(&mut action, rewrite, matched)?;
    apply_timeouts(&mut action, rule)?;
    Ok(EnvoyAction::Route(action))
}

fn clusters(
    backends: &[HTTPBackendRef],
    resolved: &[Result<Destination, Unresolved>],
) -> Result<ClusterSpecifier, Unsupported> {
    let named = |found: &Result<Destination, Unresolved>| match found {
        Ok(destination) => destination.cluster(),
        Err(_) => UNRESOLVED.to_owned(),
    };
    if let ([backend], [found]) = (backends, resolved)
        && backend.filters.is_empty()
    {
        return Ok(ClusterSpecifier::Cluster(named(found)));
    }
    let mut clusters = Vec::with_capacity(backends.len());
    for (place, (backend, found)) in backends.iter().zip(resolved).enumerate() {
        clusters.push(weighted(place, backend, named(found))?);
    }
    Ok(ClusterSpecifier::WeightedClusters(envoy::WeightedCluster { clusters, ..Default::default() }))
}

fn weighted(place: usize, backend: &HTTPBackendRef, name: String) -> Result<ClusterWeight, Unsupported> {
    let list = format!("backendRefs[{place}].filters");
    let filters = collect(&backend.filters, &list)?;
    if filters.redirect.is_some() || filters.rewrite.is_some() {
        return Err((list, "only header modifiers are supported on a backend".to_owned()));
    }
    Ok(ClusterWeight {
        name,
        weight: Some(UInt32Value { value: backend.weight.unwrap_or(1) }),
        request_headers_to_add: filters.request.add,
        request_headers_to_remove: filters.request.remove,
        response_headers_to_add: filters.response.add,
        response_headers_to_remove: filters.response.remove,
        ..ClusterWeight::default()
    })
}

fn apply_rewrite(
    action: &mut envoy::RouteAction,
    rewrite: Option<&HTTPURLRewriteFilter>,
    matched: &HTTPRouteMatch,
) -> Result<(), Unsupported> {
    let Some(rewrite) = rewrite else { return Ok(()) };
    action.host_rewrite_specifier = rewrite.hostname.clone().map(HostRewriteSpecifier::HostRewriteLiteral);
    let Some(path) = &rewrite.path else { return Ok(()) };
    match rewrite::lower(path, matched).map_err(|why| ("filters".to_owned(), why))? {
        PathRewrite::Full(path) => action.regex_rewrite = Some(rewrite::full(&path)),
        PathRewrite::Prefix(prefix) => action.prefix_rewrite = prefix,
        PathRewrite::Regex(regex) => action.regex_rewrite = Some(regex),
    }
    Ok(())
}

/// Envoy's default of 15 seconds is no default of Gateway API's: without a time-out there is none (GEP-1742).
fn apply_timeouts(action: &mut envoy::RouteAction, rule: &HTTPRouteRule) -> Result<(), Unsupported> {
    let timeouts = rule.timeouts.clone().unwrap_or_default();
    let read = |field: &str, text: Option<String>| match text {
        None => Ok(None),
        Some(text) => match gep2257(&text) {
            Some(duration) => Ok(Some(duration)),
            None => {
                Err((format!("timeouts.{field}"), format!("{text:?} is no duration, such as 10s or 250ms")))
            }
        },
    };
    let request = read("request", timeouts.request)?;
    let backend = read("backendRequest", timeouts.backend_request)?;
    action.timeout = Some(pb_duration(request.unwrap_or_default()));
    let retry = rule.retry.as_ref().map(retry_policy).transpose()?;
    action.retry_policy = match (retry, backend) {
        (None, None) => None,
        (policy, backend) => {
            let mut policy = policy.unwrap_or(envoy::RetryPolicy {
                num_retries: Some(UInt32Value { value: 0 }),
                ..Default::default()
            });
            policy.per_try_timeout = backend.filter(|limit| !limit.is_zero()).map(pb_duration);
            Some(policy)
        }
    };
    Ok(())
}

/// `HTTPRouteRetry` (GEP-1731): one retry by default, none for 0; connection errors are retried where no byte was sent.
fn retry_policy(retry: &serde_json::Value) -> Result<envoy::RetryPolicy, Unsupported> {
    let refused = |field: &str| (format!("retry.{field}"), "is not valid".to_owned());
    let attempts = match &retry["attempts"] {
        serde_json::Value::Null => 1,
        value => {
            value.as_u64().and_then(|value| u32::try_from(value).ok()).ok_or_else(|| refused("attempts"))?
        }
    };
    let codes = retry["codes"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let codes = codes
        .map(|code| code.as_u64().and_then(|code| u32::try_from(code).ok()).ok_or_else(|| refused("codes")));
    let base_interval = match retry["backoff"].as_str() {
        None => None,
        Some(text) => {
            Some(pb_duration(gep2257(text).filter(|d| !d.is_zero()).ok_or_else(|| refused("backoff"))?))
        }
    };
    Ok(envoy::RetryPolicy {
        retry_on: "connect-failure,refused-stream,reset-before-request,retriable-status-codes".to_owned(),
        num_retries: Some(UInt32Value { value: attempts }),
        retriable_status_codes: codes.collect::<Result<_, _>>()?,
        retry_back_off: base_interval.map(|interval| envoy::retry_policy::RetryBackOff {
            base_interval: Some(interval),
            max_interval: None,
        }),
        ..envoy::RetryPolicy::default()
    })
}
