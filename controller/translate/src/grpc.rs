//! A GRPCRoute as the HTTPRoute that it is: calls are POSTs to `/service/method` (gRPC over HTTP/2).
//!
//! Indexes of rules, matches, filters and backends stay the same, so that problems name the fields of the GRPCRoute.

use crate::api::grpc_route::{
    GRPCBackendRef, GRPCMethodMatch, GRPCRoute, GRPCRouteFilter, GRPCRouteMatch, GRPCRouteRule,
};
use crate::api::http_route::{
    HTTPBackendRef, HTTPPathMatch, HTTPRoute, HTTPRouteFilter, HTTPRouteMatch, HTTPRouteRule, HTTPRouteSpec,
};
use crate::api::meta::Unread;

/// One name in a path.
const ANY: &str = "[^/]+";

/// The HTTPRoute that takes the same calls.
pub(crate) fn as_http(route: &GRPCRoute) -> HTTPRoute {
    let spec = route.spec.clone();
    HTTPRoute {
        metadata: route.metadata.clone(),
        spec: HTTPRouteSpec {
            parent_refs: spec.parent_refs,
            use_default_gateways: spec.use_default_gateways,
            hostnames: spec.hostnames,
            rules: spec.rules.into_iter().map(rule).collect(),
        },
        status: Unread,
    }
}

fn rule(rule: GRPCRouteRule) -> HTTPRouteRule {
    HTTPRouteRule {
        name: rule.name,
        matches: rule.matches.into_iter().map(matched).collect(),
        filters: rule.filters.into_iter().map(filter).collect(),
        backend_refs: rule.backend_refs.into_iter().map(backend).collect(),
        session_persistence: rule.session_persistence,
        ..HTTPRouteRule::default()
    }
}

fn matched(matched: GRPCRouteMatch) -> HTTPRouteMatch {
    let path = matched.method.map(path);
    HTTPRouteMatch { path, headers: matched.headers, ..HTTPRouteMatch::default() }
}

fn path(method: GRPCMethodMatch) -> HTTPPathMatch {
    let is_exact = method.kind.as_deref().unwrap_or("Exact") == "Exact";
    let given = |part: Option<String>| part.filter(|part| !part.is_empty());
    let (kind, value) = match (given(method.service), given(method.method), is_exact) {
        (Some(service), Some(method), true) => ("Exact", format!("/{service}/{method}")),
        (Some(service), None, true) => ("PathPrefix", format!("/{service}")),
        (None, Some(method), true) => {
            ("RegularExpression", format!("/{ANY}/{}", regex_syntax::escape(&method)))
        }
        (None, None, _) => ("PathPrefix", "/".to_owned()),
        (service, method, false) => {
            let group =
                |part: Option<String>| part.map_or_else(|| ANY.to_owned(), |part| format!("(?:{part})"));
            ("RegularExpression", format!("/{}/{}", group(service), group(method)))
        }
    };
    HTTPPathMatch { kind: Some(kind.to_owned()), value: Some(value) }
}

/// How long service and method are in a path that is made from them here; 0 for any.
pub(crate) fn lengths(path: &HTTPPathMatch) -> (usize, usize) {
    let value = path.value.as_deref().unwrap_or_default();
    let value = value.strip_prefix('/').unwrap_or(value);
    let length = |part: &str| {
        let part = part.strip_prefix("(?:").map_or(part, |part| part.trim_end_matches(')'));
        if part == ANY { 0 } else { part.len() }
    };
    let (service, method) = match path.kind.as_deref() {
        Some("PathPrefix") => (value, ""),
        Some("Exact") => value.split_once('/').unwrap_or((value, "")),
        _ => match value.strip_prefix(ANY).and_then(|rest| rest.strip_prefix('/')) {
            Some(method) => (ANY, method),
            None => value.split_once(")/").unwrap_or((value, "")),
        },
    };
    (length(service), length(method))
}

fn filter(filter: GRPCRouteFilter) -> HTTPRouteFilter {
    HTTPRouteFilter {
        kind: filter.kind,
        request_header_modifier: filter.request_header_modifier,
        response_header_modifier: filter.response_header_modifier,
        request_mirror: filter.request_mirror,
        extension_ref: filter.extension_ref,
        ..HTTPRouteFilter::default()
    }
}

fn backend(backend: GRPCBackendRef) -> HTTPBackendRef {
    HTTPBackendRef {
        group: backend.group,
        kind: backend.kind,
        name: backend.name,
        namespace: backend.namespace,
        port: backend.port,
        weight: backend.weight,
        filters: backend.filters.into_iter().map(filter).collect(),
    }
}
