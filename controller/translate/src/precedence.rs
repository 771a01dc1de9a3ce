//! Which of several matching rules wins: the orders that HTTPRouteRule.matches and GRPCRouteRule.matches document.

use std::cmp::Reverse;

use crate::api::http_route::HTTPRouteMatch;
use crate::api::meta::ObjectMeta;
use crate::backends::Application;
use crate::grpc;

/// Compares so that the rule that wins is the smaller one.
///
/// Where an HTTPRoute and a GRPCRoute share a host name, calls by gRPC are the GRPCRoute's, and all else is the
/// HTTPRoute's (GRPCRouteSpec.hostnames lets us have both).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Precedence {
    is_http: bool,
    /// By gRPC the length of the service.
    path: Reverse<(PathRank, usize)>,
    /// By HTTP whether there is one, by gRPC its length.
    method: Reverse<usize>,
    headers: Reverse<usize>,
    query_params: Reverse<usize>,
    /// Older routes win; those without a time come last.
    created: (bool, String),
    route: (String, String),
    /// Rule, match and share.
    place: [usize; 3],
}

/// Exact paths come first. The specification leaves regular expressions open; they come before prefixes, because who
/// writes one means it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PathRank {
    Prefix,
    RegularExpression,
    Exact,
}

impl Precedence {
    /// `place` is that of rule, match and share.
    pub(crate) fn of(
        matched: &HTTPRouteMatch,
        application: Application,
        route: &ObjectMeta,
        place: [usize; 3],
    ) -> Self {
        let is_http = application != Application::Grpc;
        let (path, method) = if is_http { by_http(matched) } else { by_grpc(matched) };
        let created = route.creation_timestamp.clone();
        Self {
            is_http,
            path: Reverse(path),
            method: Reverse(method),
            headers: Reverse(matched.headers.len()),
            query_params: Reverse(matched.query_params.len()),
            created: (created.is_none(), created.unwrap_or_default()),
            route: (route.namespace.clone(), route.name.clone()),
            place,
        }
    }
}

fn by_http(matched: &HTTPRouteMatch) -> ((PathRank, usize), usize) {
    let path = matched.path.as_ref();
    let rank = match path.and_then(|path| path.kind.as_deref()) {
        Some("Exact") => PathRank::Exact,
        Some("RegularExpression") => PathRank::RegularExpression,
        _ => PathRank::Prefix,
    };
    let value = path.and_then(|path| path.value.as_deref()).unwrap_or("/");
    ((rank, value.trim_end_matches('/').len()), usize::from(matched.method.is_some()))
}

fn by_grpc(matched: &HTTPRouteMatch) -> ((PathRank, usize), usize) {
    let (service, method) = matched.path.as_ref().map(grpc::lengths).unwrap_or_default();
    ((PathRank::Prefix, service), method)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rank(matched: serde_json::Value, route: serde_json::Value, rule: usize) -> Precedence {
        let matched = serde_json::from_value(matched).unwrap();
        Precedence::of(&matched, Application::Http, &serde_json::from_value(route).unwrap(), [rule, 0, 0])
    }

    #[test]
    fn the_documented_order_holds() {
        let route = json!({"name": "r"});
        let path = |kind: &str, value: &str| json!({"path": {"type": kind, "value": value}});
        let with_header = json!({"path": {"value": "/a"}, "headers": [{"name": "x", "value": "y"}]});
        let order = [
            rank(path("Exact", "/a"), route.clone(), 9),
            rank(path("PathPrefix", "/a/b"), route.clone(), 8),
            rank(json!({"path": {"value": "/a"}, "method": "GET"}), route.clone(), 7),
            rank(with_header, route.clone(), 6),
            rank(
                json!({"path": {"value": "/a"}, "queryParams": [{"name": "x", "value": "y"}]}),
                route.clone(),
                5,
            ),
            rank(
                path("PathPrefix", "/a"),
                json!({"name": "z", "creationTimestamp": "2020-01-01T00:00:00Z"}),
                4,
            ),
            rank(
                path("PathPrefix", "/a"),
                json!({"name": "a", "creationTimestamp": "2021-01-01T00:00:00Z"}),
                3,
            ),
            rank(path("PathPrefix", "/a"), json!({"name": "a"}), 2),
            rank(path("PathPrefix", "/a"), json!({"name": "b"}), 0),
            rank(path("PathPrefix", "/a"), json!({"name": "b"}), 1),
            rank(json!({}), route, 0),
        ];
        assert!(order.is_sorted(), "{order:#?}");
    }

    #[test]
    fn calls_go_by_service_then_method_then_headers_and_before_all_that_is_no_call() {
        let call = |method: serde_json::Value| {
            let route = json!({"spec": {"rules": [{"matches": [method]}]}});
            let route = grpc::as_http(&serde_json::from_value(route).unwrap());
            Precedence::of(&route.spec.rules[0].matches[0], Application::Grpc, &route.metadata, [0, 0, 0])
        };
        let order = [
            call(json!({"method": {"service": "a.Long", "method": "M"}})),
            call(json!({"method": {"service": "a.Long"}, "headers": [{"name": "x", "value": "y"}]})),
            call(json!({"method": {"service": "a.Long"}})),
            call(json!({"method": {"type": "RegularExpression", "service": "a.L.*"}})),
            call(json!({"method": {"service": "", "method": "Method"}})),
            call(json!({"method": {"type": "RegularExpression", "method": "Me.*"}})),
            call(json!({"headers": [{"name": "x", "value": "y"}]})),
            call(json!({})),
            rank(json!({"path": {"type": "Exact", "value": "/a.Long/M"}}), json!({"name": "r"}), 0),
        ];
        assert!(order.is_sorted(), "{order:#?}");
    }
}
