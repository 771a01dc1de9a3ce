//! What a rule does with the requests that match it -> `envoy.config.route.v3.Route`.

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
use envoy_types::pb::google::protobuf::UInt32Value;
use prost::Message;

use super::header::HeaderEdits;
use super::per_filter::{self, OF_ROUTE, PerFilter};
use super::rewrite::{self, PathRewrite};
use super::{Unsupported, limits};
use crate::api::http_route::{
    HTTPBackendRef, HTTPHeaderFilter, HTTPRequestRedirectFilter, HTTPRouteFilter, HTTPRouteMatch,
    HTTPRouteRule, HTTPURLRewriteFilter,
};
use crate::api::meta::KGATEWAY_GROUP;
use crate::backends::{Destination, Unresolved};
use crate::hostname;

/// A cluster that never exists: its share of requests gets the 500 that the specification asks for (HTTPRouteRule.backendRefs).
const UNRESOLVED: &str = "unresolved";

/// Largest share of a backend (BackendRef.weight).
const MAX_WEIGHT: u32 = 1_000_000;

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

/// Joins match, action and configuration of filters, and encodes them. The name is left out: see [`super::routes`].
pub(crate) fn route(action: Action, matched: envoy::RouteMatch, filters: &PerFilter) -> Vec<u8> {
    let route = envoy::Route {
        r#match: Some(matched),
        action: Some(action.action),
        request_headers_to_add: action.request.add,
        request_headers_to_remove: action.request.remove,
        response_headers_to_add: action.response.add,
        response_headers_to_remove: action.response.remove,
        ..envoy::Route::default()
    };
    let mut encoded = route.encode_to_vec();
    per_filter::put(OF_ROUTE, filters, &mut encoded);
    encoded
}

/// Lowers a rule for one of its matches, on a listener with that port.
pub(crate) fn lower(
    rule: &HTTPRouteRule,
    matched: &HTTPRouteMatch,
    resolved: &[Result<Destination, Unresolved>],
    port: u16,
) -> Result<Action, Unsupported> {
    let filters = collect(&rule.filters, "filters", true)?;
    if rule.session_persistence.is_some() {
        return Err(refused("sessionPersistence", "is not supported"));
    }
    let action = match filters.redirect {
        Some(_) if filters.rewrite.is_some() => {
            return Err(refused("filters", "RequestRedirect and URLRewrite exclude each other"));
        }
        Some(_) if !rule.backend_refs.is_empty() => {
            return Err(refused("filters", "RequestRedirect and backendRefs exclude each other"));
        }
        Some(redirect) => EnvoyAction::Redirect(redirected(redirect, matched, port)?),
        None => forward(rule, matched, filters.rewrite, resolved)?,
    };
    Ok(Action { action, request: filters.request, response: filters.response })
}

fn refused(field: &str, why: &str) -> Unsupported {
    (field.to_owned(), why.to_owned())
}

#[derive(Default)]
struct Filters<'a> {
    request: HeaderEdits,
    response: HeaderEdits,
    redirect: Option<&'a HTTPRequestRedirectFilter>,
    rewrite: Option<&'a HTTPURLRewriteFilter>,
}

/// Sorts a list of filters by what they do; `of_rule` says whether they stand at a rule, or else at a backend.
fn collect<'a>(
    filters: &'a [HTTPRouteFilter],
    list: &str,
    of_rule: bool,
) -> Result<Filters<'a>, Unsupported> {
    let mut found = Filters::default();
    for (place, filter) in filters.iter().enumerate() {
        let at = |(inner, why): (&str, &str)| (format!("{list}[{place}]{inner}"), why.to_owned());
        let repeated = filters[..place].iter().any(|other| other.kind == filter.kind);
        if repeated && filter.kind != "ExtensionRef" {
            return Err(at(("", "repeats a type that may stand here once")));
        }
        only_its_own(filter).map_err(|why| at(("", why)))?;
        let edit = |edits: &mut HeaderEdits, name: &str, modifier: &HTTPHeaderFilter| {
            edits.push(modifier).map_err(|(inner, why)| (format!("{list}[{place}].{name}.{inner}"), why))
        };
        match filter.kind.as_str() {
            "RequestHeaderModifier" => {
                let modifier = filter.request_header_modifier.as_ref();
                modifier.map_or(Ok(()), |m| edit(&mut found.request, "requestHeaderModifier", m))?;
            }
            "ResponseHeaderModifier" => {
                let modifier = filter.response_header_modifier.as_ref();
                modifier.map_or(Ok(()), |m| edit(&mut found.response, "responseHeaderModifier", m))?;
            }
            "RequestRedirect" if of_rule => found.redirect = filter.request_redirect.as_deref(),
            "URLRewrite" if of_rule => found.rewrite = filter.url_rewrite.as_deref(),
            "ExtensionRef" if of_rule => extension(filter).map_err(at)?,
            other => return Err(at((".type", &format!("{other} is not supported here")))),
        }
    }
    Ok(found)
}

/// A filter has the field of its type and no other (HTTPRouteFilter).
fn only_its_own(filter: &HTTPRouteFilter) -> Result<(), &'static str> {
    let fields = [
        ("RequestHeaderModifier", filter.request_header_modifier.is_some()),
        ("ResponseHeaderModifier", filter.response_header_modifier.is_some()),
        ("RequestRedirect", filter.request_redirect.is_some()),
        ("URLRewrite", filter.url_rewrite.is_some()),
        ("RequestMirror", filter.request_mirror.is_some()),
        ("CORS", filter.cors.is_some()),
        ("ExternalAuth", filter.external_auth.is_some()),
        ("ExtensionRef", filter.extension_ref.is_some()),
    ];
    if fields.iter().any(|(kind, is_set)| *is_set && *kind != filter.kind) {
        return Err("has the field of another type");
    }
    if fields.iter().any(|(kind, is_set)| !*is_set && *kind == filter.kind) {
        return Err("lacks the field of its type");
    }
    Ok(())
}

fn extension(filter: &HTTPRouteFilter) -> Result<(), (&'static str, &'static str)> {
    let named = filter.extension_ref.as_ref().map(|named| (named.group.as_str(), named.kind.as_str()));
    match named {
        Some((KGATEWAY_GROUP, "TrafficPolicy")) => Ok(()),
        _ => Err((".extensionRef", "only a TrafficPolicy can be an extension")),
    }
}

fn redirected(
    redirect: &HTTPRequestRedirectFilter,
    matched: &HTTPRouteMatch,
    port: u16,
) -> Result<envoy::RedirectAction, Unsupported> {
    let at = |field: &str, why: String| (format!("filters.requestRedirect.{field}"), why);
    if let Some(scheme) =
        redirect.scheme.as_ref().filter(|scheme| !matches!(scheme.as_str(), "http" | "https"))
    {
        return Err(at("scheme", format!("{scheme} is not supported; supported: http, https")));
    }
    let host =
        redirect.hostname.as_deref().map(precise_host).transpose().map_err(|why| at("hostname", why))?;
    let path = redirect.path.as_ref().map(|path| rewrite::lower(path, matched)).transpose();
    let path_rewrite_specifier = path.map_err(|why| at("path", why))?.map(|path| match path {
        PathRewrite::Full(path) => PathRewriteSpecifier::PathRedirect(path),
        PathRewrite::Prefix(prefix) => PathRewriteSpecifier::PrefixRewrite(prefix),
        PathRewrite::Regex(regex) => PathRewriteSpecifier::RegexRewrite(regex),
    });
    Ok(envoy::RedirectAction {
        host_redirect: host.unwrap_or_default(),
        port_redirect: redirect_port(redirect, port),
        response_code: response_code(redirect.status_code).map_err(|why| at("statusCode", why))?.into(),
        scheme_rewrite_specifier: redirect.scheme.clone().map(SchemeRewriteSpecifier::SchemeRedirect),
        path_rewrite_specifier,
        ..envoy::RedirectAction::default()
    })
}

/// A host name without wildcard (PreciseHostname).
fn precise_host(host: &str) -> Result<String, String> {
    let fault = if host.starts_with('*') { Some("must not be a wildcard") } else { hostname::fault(host) };
    fault.map_or_else(|| Ok(host.to_ascii_lowercase()), |why| Err(why.to_owned()))
}

/// Without a port: the scheme's own, or else the listener's; the scheme's own should not be written
/// (HTTPRequestRedirectFilter.port).
///
/// Envoy keeps the port that the client wrote into Host unless it is given another. So the scheme's own is given, and
/// written, where clients must have written the listener's.
fn redirect_port(redirect: &HTTPRequestRedirectFilter, listener: u16) -> u32 {
    let own = match redirect.scheme.as_deref() {
        Some("https") => 443,
        _ => 80,
    };
    let port = redirect.port.unwrap_or(if redirect.scheme.is_some() { own } else { listener });
    let host_has_none = redirect.hostname.is_some() || listener == 80;
    if port == own && host_has_none { 0 } else { port.into() }
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
    limits::apply(&mut action, rule)?;
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
    let filters = collect(&backend.filters, &format!("backendRefs[{place}].filters"), false)?;
    if backend.weight.is_some_and(|weight| weight > MAX_WEIGHT) {
        return Err((format!("backendRefs[{place}].weight"), format!("must be at most {MAX_WEIGHT}")));
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
    let at = |field: &str, why: String| (format!("filters.urlRewrite.{field}"), why);
    let host =
        rewrite.hostname.as_deref().map(precise_host).transpose().map_err(|why| at("hostname", why))?;
    action.host_rewrite_specifier = host.map(HostRewriteSpecifier::HostRewriteLiteral);
    let Some(path) = &rewrite.path else { return Ok(()) };
    match rewrite::lower(path, matched).map_err(|why| at("path", why))? {
        PathRewrite::Full(path) => action.regex_rewrite = Some(rewrite::full(&path)),
        PathRewrite::Prefix(prefix) => action.prefix_rewrite = prefix,
        PathRewrite::Regex(regex) => action.regex_rewrite = Some(regex),
    }
    Ok(())
}
