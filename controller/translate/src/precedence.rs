//! Which of several matching rules wins: the order that HTTPRoute's documentation of `matches` gives.

use std::cmp::Reverse;

use crate::api::http_route::HTTPRouteMatch;
use crate::api::meta::ObjectMeta;

/// Compares so that the rule that wins is the smaller one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Precedence {
    path: Reverse<(PathRank, usize)>,
    method: Reverse<bool>,
    headers: Reverse<usize>,
    query_params: Reverse<usize>,
    /// Older routes win; those without a time come last.
    created: (bool, String),
    route: (String, String),
    rule: usize,
    matched: usize,
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
    pub(crate) fn of(matched: &HTTPRouteMatch, route: &ObjectMeta, rule: usize, place: usize) -> Self {
        let path = matched.path.clone().unwrap_or_default();
        let rank = match path.kind.as_deref() {
            Some("Exact") => PathRank::Exact,
            Some("RegularExpression") => PathRank::RegularExpression,
            _ => PathRank::Prefix,
        };
        let length = path.value.as_deref().unwrap_or("/").trim_end_matches('/').len();
        let created = route.creation_timestamp.clone();
        Self {
            path: Reverse((rank, length)),
            method: Reverse(matched.method.is_some()),
            headers: Reverse(matched.headers.len()),
            query_params: Reverse(matched.query_params.len()),
            created: (created.is_none(), created.unwrap_or_default()),
            route: (route.namespace.clone(), route.name.clone()),
            rule,
            matched: place,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rank(matched: serde_json::Value, route: serde_json::Value, rule: usize) -> Precedence {
        let matched = serde_json::from_value(matched).unwrap();
        Precedence::of(&matched, &serde_json::from_value(route).unwrap(), rule, 0)
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
}
