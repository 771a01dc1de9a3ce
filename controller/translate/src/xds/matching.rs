//! `HTTPRouteMatch` -> `envoy.config.route.v3.RouteMatch`.

use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::query_parameter_matcher::QueryParameterMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{HeaderMatcher, QueryParameterMatcher, RouteMatch};
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatcher, StringMatcher};

use crate::api::http_route::{HTTPHeaderMatch, HTTPPathMatch, HTTPRouteMatch};

/// Why a match cannot be lowered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unmatchable {
    pub(crate) field: String,
    pub(crate) why: String,
}

pub(crate) fn lower(matched: &HTTPRouteMatch) -> Result<RouteMatch, Unmatchable> {
    let path = path(matched.path.as_ref())?;
    let mut headers = Vec::new();
    for (place, header) in first_of_each(&matched.headers, true) {
        let matcher =
            string(header).map_err(|why| Unmatchable { field: format!("headers[{place}]"), why })?;
        let specifier = Some(HeaderMatchSpecifier::StringMatch(matcher));
        let name = header.name.to_ascii_lowercase();
        headers.push(HeaderMatcher { name, header_match_specifier: specifier, ..HeaderMatcher::default() });
    }
    let mut query_parameters = Vec::new();
    for (place, parameter) in first_of_each(&matched.query_params, false) {
        let matcher =
            string(parameter).map_err(|why| Unmatchable { field: format!("queryParams[{place}]"), why })?;
        let specifier = Some(QueryParameterMatchSpecifier::StringMatch(matcher));
        let name = parameter.name.clone();
        query_parameters.push(QueryParameterMatcher { name, query_parameter_match_specifier: specifier });
    }
    headers.extend(matched.method.as_deref().map(method));
    Ok(RouteMatch { path_specifier: Some(path), headers, query_parameters, ..RouteMatch::default() })
}

/// Of several entries with an equivalent name, only the first counts (HTTPRouteMatch.headers, .queryParams).
fn first_of_each(
    matches: &[HTTPHeaderMatch],
    ignore_case: bool,
) -> impl Iterator<Item = (usize, &HTTPHeaderMatch)> {
    let same = move |a: &str, b: &str| if ignore_case { a.eq_ignore_ascii_case(b) } else { a == b };
    let is_first = move |place: usize| !matches[..place].iter().any(|m| same(&m.name, &matches[place].name));
    matches.iter().enumerate().filter(move |(place, _)| is_first(*place))
}

fn path(path: Option<&HTTPPathMatch>) -> Result<PathSpecifier, Unmatchable> {
    let kind = path.and_then(|path| path.kind.as_deref()).unwrap_or("PathPrefix");
    let value = path.and_then(|path| path.value.as_deref()).unwrap_or("/");
    let refused = |why: String| Unmatchable { field: "path".to_owned(), why };
    if kind != "RegularExpression" && !value.starts_with('/') {
        return Err(refused("must start with /".to_owned()));
    }
    match kind {
        "Exact" => Ok(PathSpecifier::Path(value.to_owned())),
        // `/abc/` and `/abc` are the same prefix, and `/abcd` has neither (HTTPPathMatch).
        "PathPrefix" => Ok(match value.trim_end_matches('/') {
            "" => PathSpecifier::Prefix("/".to_owned()),
            prefix => PathSpecifier::PathSeparatedPrefix(prefix.to_owned()),
        }),
        "RegularExpression" => Ok(PathSpecifier::SafeRegex(regex(value).map_err(refused)?)),
        other => Err(refused(format!("type {other} is unknown"))),
    }
}

fn string(matched: &HTTPHeaderMatch) -> Result<StringMatcher, String> {
    let pattern = match matched.kind.as_deref().unwrap_or("Exact") {
        "Exact" => MatchPattern::Exact(matched.value.clone()),
        "RegularExpression" => MatchPattern::SafeRegex(regex(&matched.value)?),
        other => return Err(format!("type {other} is unknown")),
    };
    Ok(StringMatcher { match_pattern: Some(pattern), ..StringMatcher::default() })
}

/// Envoy's RE2 and this crate's parser agree on all but rare constructs; what they do not share shows as a refusal by
/// the proxy.
fn regex(pattern: &str) -> Result<RegexMatcher, String> {
    match regex_syntax::parse(pattern) {
        Ok(_) => Ok(RegexMatcher { regex: pattern.to_owned(), ..RegexMatcher::default() }),
        Err(error) => Err(format!("is no regular expression: {error}")),
    }
}

fn method(method: &str) -> HeaderMatcher {
    let pattern = Some(MatchPattern::Exact(method.to_owned()));
    let exact = StringMatcher { match_pattern: pattern, ..StringMatcher::default() };
    HeaderMatcher {
        name: ":method".to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(exact)),
        ..HeaderMatcher::default()
    }
}

/// Matches every request.
pub(crate) fn everything() -> RouteMatch {
    RouteMatch { path_specifier: Some(PathSpecifier::Prefix("/".to_owned())), ..RouteMatch::default() }
}
