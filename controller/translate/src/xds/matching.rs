//! `HTTPRouteMatch` -> `envoy.config.route.v3.RouteMatch`.

use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::query_parameter_matcher::QueryParameterMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{HeaderMatcher, QueryParameterMatcher, RouteMatch};
use envoy_types::pb::envoy::r#type::matcher::v3::regex_matcher::{EngineType, GoogleRe2};
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatcher, StringMatcher};
use envoy_types::pb::google::protobuf::UInt32Value;

use super::header;
use crate::api::http_route::{HTTPHeaderMatch, HTTPPathMatch, HTTPRouteMatch};
use crate::backends::Application;
use crate::re2;

/// Instructions of a regular expression's program that Envoy allows unless told otherwise.
const DEFAULT_PROGRAM: usize = 100;

/// Methods that can be matched (HTTPMethod). CONNECT has no path to match and needs a tunnel.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];

/// Why a match cannot be lowered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unmatchable {
    pub(crate) field: String,
    pub(crate) why: String,
}

/// Requests that match, of those that are of the kind that the route is about.
pub(crate) fn lower(matched: &HTTPRouteMatch, application: Application) -> Result<RouteMatch, Unmatchable> {
    let at = |field: &str, why: String| Unmatchable { field: field.to_owned(), why };
    let path = path(matched.path.as_ref()).map_err(|(field, why)| at(field, why))?;
    let mut headers = Vec::new();
    for (place, found) in first_of_each(&matched.headers, true) {
        headers.push(header_match(found).map_err(|why| at(&format!("headers[{place}]"), why))?);
    }
    let mut query_parameters = Vec::new();
    for (place, found) in first_of_each(&matched.query_params, false) {
        query_parameters.push(query_match(found).map_err(|why| at(&format!("queryParams[{place}]"), why))?);
    }
    let method = matched.method.as_deref().map(method).transpose().map_err(|why| at("method", why))?;
    headers.extend(method);
    headers.extend((application == Application::Grpc).then(is_grpc));
    Ok(RouteMatch { path_specifier: Some(path), headers, query_parameters, ..RouteMatch::default() })
}

/// Of several entries with an equivalent name, only the first counts (HTTPRouteMatch.headers, .queryParams).
pub(crate) fn first_of_each(
    matches: &[HTTPHeaderMatch],
    ignore_case: bool,
) -> impl Iterator<Item = (usize, &HTTPHeaderMatch)> {
    let same = move |a: &str, b: &str| if ignore_case { a.eq_ignore_ascii_case(b) } else { a == b };
    let is_first = move |place: usize| !matches[..place].iter().any(|m| same(&m.name, &matches[place].name));
    matches.iter().enumerate().filter(move |(place, _)| is_first(*place))
}

fn path(path: Option<&HTTPPathMatch>) -> Result<PathSpecifier, (&'static str, String)> {
    let kind = path.and_then(|path| path.kind.as_deref()).unwrap_or("PathPrefix");
    let value = path.and_then(|path| path.value.as_deref()).unwrap_or("/");
    let checked = || match path_fault(value) {
        Some(why) => Err(("path.value", why)),
        None => Ok(value),
    };
    match kind {
        "Exact" => Ok(PathSpecifier::Path(checked()?.to_owned())),
        // `/abc/` and `/abc` are the same prefix, and `/abcd` has neither (HTTPPathMatch).
        "PathPrefix" => Ok(match checked()?.trim_end_matches('/') {
            "" => PathSpecifier::Prefix("/".to_owned()),
            prefix => PathSpecifier::PathSeparatedPrefix(prefix.to_owned()),
        }),
        "RegularExpression" => Ok(PathSpecifier::SafeRegex(regex(value).map_err(|why| ("path.value", why))?)),
        other => Err(("path.type", format!("{other} is not supported"))),
    }
}

/// The rules that HTTPPathMatch has for exact paths and prefixes.
fn path_fault(value: &str) -> Option<String> {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-/._~!$&'()*+,;=:@%".contains(&b);
    let escapes = value.split('%').skip(1);
    let mut escapes =
        escapes.map(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit()));
    if !value.starts_with('/') {
        return Some("must start with /".to_owned());
    }
    if value.len() > 1024 {
        return Some("is longer than 1024 characters".to_owned());
    }
    if !value.bytes().all(is_allowed) || !escapes.all(|good| good) {
        return Some("holds a character that a path cannot have; write it as %XX".to_owned());
    }
    let lower = value.to_ascii_lowercase();
    let dotted =
        |segment: &str| lower.contains(&format!("/{segment}/")) || lower.ends_with(&format!("/{segment}"));
    let bad = lower.contains("//") || lower.contains("%2f") || dotted(".") || dotted("..");
    bad.then(|| "must not contain //, %2f, . or .. segments".to_owned())
}

fn header_match(found: &HTTPHeaderMatch) -> Result<HeaderMatcher, String> {
    let specifier = Some(HeaderMatchSpecifier::StringMatch(string(found)?));
    let name = match header::name(&found.name)? {
        // Envoy keeps Host in the pseudo header of HTTP/2 (RFC 9113 section 8.3.1).
        name if name == "host" => ":authority".to_owned(),
        name => name,
    };
    Ok(HeaderMatcher { name, header_match_specifier: specifier, ..HeaderMatcher::default() })
}

fn query_match(found: &HTTPHeaderMatch) -> Result<QueryParameterMatcher, String> {
    let name = header::name(&found.name).map(|_| found.name.clone())?;
    let specifier = Some(QueryParameterMatchSpecifier::StringMatch(string(found)?));
    Ok(QueryParameterMatcher { name, query_parameter_match_specifier: specifier })
}

fn string(matched: &HTTPHeaderMatch) -> Result<StringMatcher, String> {
    let pattern = match matched.kind.as_deref().unwrap_or("Exact") {
        "Exact" => MatchPattern::Exact(matched.value.clone()),
        "RegularExpression" => MatchPattern::SafeRegex(regex(&matched.value)?),
        other => return Err(format!("type {other} is not supported")),
    };
    Ok(StringMatcher { match_pattern: Some(pattern), ..StringMatcher::default() })
}

/// A regular expression, which must match all of a value.
///
/// The limit of its size is raised in the expression itself, where it needs that: a proxy that someone else has
/// bootstrapped knows nothing of ours. The field is deprecated and logged, so small expressions do without.
#[expect(deprecated, reason = "the only way to say it in the expression")]
pub(crate) fn regex(pattern: &str) -> Result<RegexMatcher, String> {
    let size = re2::check(pattern)?;
    let limit = GoogleRe2 { max_program_size: Some(UInt32Value { value: 100_000 }) };
    let engine = (size > DEFAULT_PROGRAM / 2).then_some(EngineType::GoogleRe2(limit));
    Ok(RegexMatcher { regex: pattern.to_owned(), engine_type: engine })
}

/// gRPC over HTTP/2, also as browsers speak it: what GRPCRoutes are about.
fn is_grpc() -> HeaderMatcher {
    let pattern = Some(MatchPattern::Prefix("application/grpc".to_owned()));
    let prefix = StringMatcher { match_pattern: pattern, ..StringMatcher::default() };
    HeaderMatcher {
        name: "content-type".to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(prefix)),
        ..HeaderMatcher::default()
    }
}

fn method(method: &str) -> Result<HeaderMatcher, String> {
    if !METHODS.contains(&method) {
        return Err(format!("{method} is not supported; supported: {}", METHODS.join(", ")));
    }
    let pattern = Some(MatchPattern::Exact(method.to_owned()));
    let exact = StringMatcher { match_pattern: pattern, ..StringMatcher::default() };
    Ok(HeaderMatcher {
        name: ":method".to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(exact)),
        ..HeaderMatcher::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(value: &str) -> Result<PathSpecifier, (&'static str, String)> {
        path(Some(&HTTPPathMatch { kind: None, value: Some(value.to_owned()) }))
    }

    #[test]
    fn slashes_at_the_end_of_a_prefix_do_not_count() {
        assert_eq!(prefix("/a/").unwrap(), PathSpecifier::PathSeparatedPrefix("/a".to_owned()));
        assert_eq!(prefix("/").unwrap(), PathSpecifier::Prefix("/".to_owned()));
    }

    #[test]
    fn paths_that_no_request_could_have_are_refused() {
        for bad in ["a", "/a?b", "/a#b", "/a//b", "/a/../b", "/a/.", "/a%2Fb", "/a%zz", "/a b", "/é"] {
            assert!(prefix(bad).is_err(), "{bad}");
        }
        for good in ["/.well-known", "/a..b", "/a%20b", "/v1/things:do@x"] {
            assert!(prefix(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn large_expressions_raise_envoys_limit_themselves() {
        assert!(regex("[a-z]+").unwrap().engine_type.is_none());
        assert!(regex("[a-z]{200}").unwrap().engine_type.is_some());
    }
}
