//! Requests for a host of another listener than the one that the connection was opened for (RFC 9110 section 15.5.20).
//!
//! A client with an HTTP/2 connection sends requests for any host on it that the certificate is good for. So each chain
//! writes its name into a header field, over what the client may have written there, and each virtual host begins with
//! a route for requests whose chain is not that of the host's listener. The field goes no further than the router.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutation as Mutation;
use envoy_types::pb::envoy::config::common::mutation_rules::v3::header_mutation::Action;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption, TypedExtensionConfig};
use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{HeaderMatcher, RouteMatch};
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use envoy_types::pb::envoy::r#type::matcher::v3::StringMatcher;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;

use super::any;

/// Names the chain that a request came through, between Envoy's codec and its router.
pub(crate) const CHAIN: &str = "x-ferrule-chain";

/// Writes the chain's name into each request before it is routed.
pub(crate) fn mark() -> TypedExtensionConfig {
    let value = "%FILTER_CHAIN_NAME%".to_owned();
    let header = HeaderValue { key: CHAIN.to_owned(), value, ..HeaderValue::default() };
    let overwrite = HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    };
    let mutations = vec![Mutation { action: Some(Action::Append(overwrite)) }];
    TypedExtensionConfig {
        name: "envoy.http.early_header_mutation.header_mutation".to_owned(),
        typed_config: Some(any(&HeaderMutation { mutations })),
    }
}

/// Matches every request that came through another chain than the one of that name.
pub(crate) fn matcher(chain: &str) -> RouteMatch {
    let exact = Some(MatchPattern::Exact(chain.to_owned()));
    let name = StringMatcher { match_pattern: exact, ..StringMatcher::default() };
    let other = HeaderMatcher {
        name: CHAIN.to_owned(),
        invert_match: true,
        // Fails closed, if ever the field were not there.
        treat_missing_header_as_empty: true,
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(name)),
    };
    RouteMatch {
        path_specifier: Some(PathSpecifier::Prefix("/".to_owned())),
        headers: vec![other],
        ..RouteMatch::default()
    }
}
