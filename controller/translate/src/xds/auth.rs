//! `HTTPExternalAuthFilter` (GEP-1494) -> Envoy's `ext_authz` filter.
//!
//! Invariants:
//! - Fails closed: where the authorization server cannot be reached, takes too long or answers nonsense, the request is
//!   refused.
//! - What a server may see and change is a setting of Envoy's filter and not of routes. So each setting is a filter of its
//!   own in the chain, off but on the routes that have it, and routes with the same one share it.

use std::time::Duration;

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutationRules;
use envoy_types::pb::envoy::config::core::v3::grpc_service::{EnvoyGrpc, TargetSpecifier};
use envoy_types::pb::envoy::config::core::v3::http_uri::HttpUpstreamType;
use envoy_types::pb::envoy::config::core::v3::{ApiVersion, GrpcService, HttpUri, TypedExtensionConfig};
use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3::ext_authz::Services;
use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3::ext_authz_per_route::Override;
use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3::{
    AuthorizationResponse, BufferSettings, ExtAuthz, ExtAuthzPerRoute, HttpService,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{ListStringMatcher, RegexMatcher, StringMatcher};
use envoy_types::pb::google::protobuf::Any;
use prost::Name;

use super::{Unsupported, any, filter, header, pb_duration};
use crate::api::http_filter::{ForwardBodyConfig, HTTPAuthConfig, HTTPExternalAuthFilter};
use crate::backends::Destination;

/// How long a server may think about a request. Gateway API has no field for it, and Envoy's own 200 ms refuse what a busy
/// one would have let in.
const PATIENCE: Duration = Duration::from_secs(10);

/// What no server may write into a request, besides Envoy's own and what the listener was chosen by: what frames a message
/// (RFC 9110 section 7.6.1), and what is between Envoy and us. Envoy takes no expression that is much longer.
const UNTOUCHABLE: &str =
    "content-length|transfer-encoding|(proxy-)?connection|keep-alive|te|trailer|upgrade|x-ferrule-.*";

/// What is between Envoy and us.
const OURS: &str = "x-ferrule-";

/// An authorization server with all that is said about asking it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Auth {
    /// Its filter's name in the chain, which says what the filter does: other settings have another one.
    pub(crate) name: String,
    config: Any,
}

impl Auth {
    /// The filter that asks `to`.
    ///
    /// # Errors
    /// Field of the filter, and what is wrong with it.
    pub(crate) fn new(filter: &HTTPExternalAuthFilter, to: &Destination) -> Result<Self, Unsupported> {
        let config = any(&lower(filter, to)?);
        let name = format!("ferrule.auth.{:016x}", rapidhash::v3::rapidhash_v3(&config.value));
        Ok(Self { name, config })
    }

    /// Its place in the chain, where it is off.
    pub(crate) fn place(name: &str) -> HttpFilter {
        filter::discovered(name, ExtAuthz::type_url())
    }

    /// Its configuration, under the name of its place.
    pub(crate) fn discovered(&self, name: &str) -> TypedExtensionConfig {
        TypedExtensionConfig { name: name.to_owned(), typed_config: Some(self.config.clone()) }
    }
}

/// Has a part of the routes ask, or not.
pub(crate) fn switch(on: bool) -> Any {
    any(&ExtAuthzPerRoute { r#override: Some(Override::Disabled(!on)) })
}

fn lower(auth: &HTTPExternalAuthFilter, to: &Destination) -> Result<ExtAuthz, Unsupported> {
    let (allowed, services) = match auth.protocol.as_str() {
        "GRPC" => {
            let allowed = auth.grpc.as_ref().map_or(&[][..], |grpc| &grpc.allowed_headers);
            // An empty list means all of them (GRPCAuthConfig.allowedHeaders), as in Envoy no list does.
            (names("grpc.allowedHeaders", allowed)?, Services::GrpcService(grpc_service(to)))
        }
        "HTTP" => {
            let http = auth.http.clone().unwrap_or_default();
            // These, besides those that are always sent (HTTPAuthConfig.allowedHeaders).
            let allowed = names("http.allowedHeaders", &http.allowed_headers)?;
            (allowed, Services::HttpService(http_service(&http, to)?))
        }
        other => {
            return Err(("protocol".to_owned(), format!("{other} is not supported; supported: GRPC, HTTP")));
        }
    };
    Ok(ExtAuthz {
        services: Some(services),
        transport_api_version: ApiVersion::V3.into(),
        with_request_body: body(auth.forward_body.as_ref())?,
        allowed_headers: (!allowed.patterns.is_empty()).then_some(allowed),
        disallowed_headers: Some(list([MatchPattern::Prefix(OURS.to_owned())])),
        decoder_header_mutation_rules: Some(rules()),
        validate_mutations: true,
        ..ExtAuthz::default()
    })
}

fn grpc_service(to: &Destination) -> GrpcService {
    let envoy = EnvoyGrpc { cluster_name: to.cluster(), authority: to.authority(), ..EnvoyGrpc::default() };
    GrpcService {
        timeout: Some(pb_duration(PATIENCE)),
        target_specifier: Some(TargetSpecifier::EnvoyGrpc(envoy)),
        ..GrpcService::default()
    }
}

fn http_service(http: &HTTPAuthConfig, to: &Destination) -> Result<HttpService, Unsupported> {
    let copied = if http.allowed_response_headers.is_empty() {
        // All of them (HTTPAuthConfig.allowedResponseHeaders).
        list([MatchPattern::SafeRegex(expression("[^:].*"))])
    } else {
        names("http.allowedResponseHeaders", &http.allowed_response_headers)?
    };
    let response = AuthorizationResponse { allowed_upstream_headers: Some(copied), ..Default::default() };
    let uri = HttpUri {
        uri: format!("http://{}", to.authority()),
        timeout: Some(pb_duration(PATIENCE)),
        http_upstream_type: Some(HttpUpstreamType::Cluster(to.cluster())),
    };
    Ok(HttpService {
        server_uri: Some(uri),
        path_prefix: prefix(&http.path).map_err(|why| ("http.path".to_owned(), why))?,
        authorization_response: Some(response),
        ..HttpService::default()
    })
}

/// What is put in front of paths: with a slash at its start and none at its end, because paths begin with one.
fn prefix(path: &str) -> Result<String, String> {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Ok(String::new());
    }
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-./_~!$&'()*+,;=:@%".contains(&b);
    if !path.bytes().all(is_plain) || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("must be a path without query, empty parts, `.` and `..`".to_owned());
    }
    Ok(format!("/{path}"))
}

/// Larger bodies are refused with 413 (HTTPExternalAuthFilter.forwardBody): a server that sees a part of one cannot vouch for it.
fn body(forward: Option<&ForwardBodyConfig>) -> Result<Option<BufferSettings>, Unsupported> {
    let most = forward.map_or(0, |forward| forward.max_size);
    let most = u32::try_from(most)
        .map_err(|_| ("forwardBody.maxSize".to_owned(), "must not be negative".to_owned()))?;
    Ok((most > 0).then(|| BufferSettings { max_request_bytes: most, ..BufferSettings::default() }))
}

/// Host and authority Envoy guards by itself: they "must not" be written (HTTPAuthConfig.allowedResponseHeaders,
/// ListenerFilters.requests). It would guard the method, too.
fn rules() -> HeaderMutationRules {
    HeaderMutationRules {
        allow_expression: Some(expression(":method")),
        disallow_expression: Some(expression(UNTOUCHABLE)),
        ..HeaderMutationRules::default()
    }
}

fn names(field: &str, names: &[String]) -> Result<ListStringMatcher, Unsupported> {
    let mut patterns = Vec::with_capacity(names.len());
    for (place, name) in names.iter().enumerate() {
        let name = header::name(name).map_err(|why| (format!("{field}[{place}]"), why))?;
        patterns.push(MatchPattern::Exact(name));
    }
    Ok(list(patterns))
}

/// Envoy compares the names of fields in lower case.
fn list(patterns: impl IntoIterator<Item = MatchPattern>) -> ListStringMatcher {
    let matcher = |pattern| StringMatcher { match_pattern: Some(pattern), ..StringMatcher::default() };
    ListStringMatcher { patterns: patterns.into_iter().map(matcher).collect() }
}

/// A short expression of our own.
fn expression(expression: &str) -> RegexMatcher {
    RegexMatcher { regex: expression.to_owned(), ..RegexMatcher::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_join_paths_with_one_slash() {
        for (written, prefix_is) in [("", ""), ("/", ""), ("/auth", "/auth"), ("auth/v1/", "/auth/v1")] {
            assert_eq!(prefix(written).as_deref(), Ok(prefix_is), "{written}");
        }
        for bad in ["/a/../b", "/a//b", "/a?b=c", "/a b", "/./a", "/a#b", "/a\r\nb"] {
            assert!(prefix(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_settings_have_another_filter() {
        let to = |name: &str| {
            let key = ("ns".into(), name.into());
            Destination::Service(key, 80, crate::backends::Application::Http)
        };
        let auth =
            HTTPExternalAuthFilter { protocol: "HTTP".to_owned(), ..HTTPExternalAuthFilter::default() };
        let body = ForwardBodyConfig { max_size: 1 };
        let larger = HTTPExternalAuthFilter { forward_body: Some(body), ..auth.clone() };
        let name =
            |auth: &HTTPExternalAuthFilter, service| Auth::new(auth, &to(service)).map(|auth| auth.name);
        assert_eq!(name(&auth, "a"), name(&auth, "a"));
        assert_ne!(name(&auth, "a"), name(&auth, "b"));
        assert_ne!(name(&auth, "a"), name(&larger, "a"));
    }
}
