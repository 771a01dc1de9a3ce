//! `HTTPCORSFilter` (GEP-1767) -> the policy of Envoy's CORS filter for a route.
//!
//! Envoy itself echoes what was asked for in the place of `*` where credentials are allowed.

use envoy_types::pb::envoy::extensions::filters::http::cors::v3::{Cors, CorsPolicy};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use envoy_types::pb::envoy::r#type::matcher::v3::StringMatcher;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::google::protobuf::{Any, BoolValue};

use super::{Unsupported, any, header, matching};
use crate::api::http_filter::HTTPCORSFilter;

/// Name of the filter in the chain.
pub(crate) const NAME: &str = "ferrule.cors";

/// Seconds that browsers remember an answer where nothing is said (HTTPCORSFilter.maxAge).
const MAX_AGE: i32 = 5;

/// Largest number of origins (HTTPCORSFilter.allowOrigins).
const MAX_ORIGINS: usize = 64;

/// The filter, which does nothing but on routes that have a policy.
pub(crate) fn filter() -> HttpFilter {
    HttpFilter {
        name: NAME.to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&Cors::default()))),
        ..HttpFilter::default()
    }
}

/// The policy of a route.
///
/// # Errors
/// Field of the filter, and what is wrong with it.
pub(crate) fn lower(cors: &HTTPCORSFilter) -> Result<Any, Unsupported> {
    let credentials = cors.allow_credentials.unwrap_or(false);
    let names = |field: &str, list: &[String]| {
        for (place, name) in list.iter().enumerate() {
            header::name(name).map_err(|why| (format!("{field}[{place}]"), why))?;
        }
        Ok::<String, Unsupported>(list_of(list))
    };
    // `*` would mean a field of that name where credentials are sent (HTTPCORSFilter.exposeHeaders).
    let exposed = cors.expose_headers.iter().filter(|name| !(credentials && *name == "*")).cloned();
    let max_age = cors.max_age.unwrap_or(MAX_AGE);
    if max_age < 1 {
        return Err(("maxAge".to_owned(), "must be at least 1".to_owned()));
    }
    let policy = CorsPolicy {
        allow_origin_string_match: origins(&cors.allow_origins)?,
        allow_methods: names("allowMethods", &cors.allow_methods)?,
        allow_headers: names("allowHeaders", &cors.allow_headers)?,
        expose_headers: names("exposeHeaders", &exposed.collect::<Vec<_>>())?,
        max_age: max_age.to_string(),
        allow_credentials: Some(BoolValue { value: credentials }),
        // Who is not allowed is told so here; the backend might say otherwise.
        forward_not_matching_preflights: Some(BoolValue { value: false }),
        ..CorsPolicy::default()
    };
    Ok(any(&policy))
}

/// A list with `*` in it is `*`.
fn list_of(names: &[String]) -> String {
    if names.iter().any(|name| name == "*") { "*".to_owned() } else { names.join(", ") }
}

fn origins(origins: &[String]) -> Result<Vec<StringMatcher>, Unsupported> {
    if origins.len() > MAX_ORIGINS {
        return Err(("allowOrigins".to_owned(), format!("has more than {MAX_ORIGINS} origins")));
    }
    let patterns = origins.iter().enumerate().map(|(place, origin)| match pattern(origin) {
        Ok(pattern) => Ok(StringMatcher { match_pattern: Some(pattern), ..StringMatcher::default() }),
        Err(why) => Err((format!("allowOrigins[{place}]"), why)),
    });
    patterns.collect()
}

/// An origin as browsers write it: in lower case, without a port that is the scheme's own (RFC 6454 §6.2).
fn pattern(origin: &str) -> Result<MatchPattern, String> {
    if origin == "*" {
        return matching::regex(".*").map(MatchPattern::SafeRegex);
    }
    let origin = origin.to_ascii_lowercase();
    let wrong =
        || "must be `*`, or http:// or https://, a host, and a port where it is not the default".to_owned();
    let (scheme, authority) = origin.split_once("://").ok_or_else(wrong)?;
    let own_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(wrong()),
    };
    let authority = authority.strip_suffix(own_port).unwrap_or(authority);
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_host = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-*".contains(&b));
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    if !is_host || !is_port {
        return Err(wrong());
    }
    if !host.contains('*') {
        return Ok(MatchPattern::Exact(format!("{scheme}://{authority}")));
    }
    // `*` takes any number of labels (HTTPCORSFilter.allowOrigins), but no port.
    let expression = regex_syntax::escape(&format!("{scheme}://{authority}")).replace(r"\*", "[^:/]*");
    matching::regex(&expression).map(MatchPattern::SafeRegex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(origin: &str) -> String {
        match pattern(origin) {
            Ok(MatchPattern::Exact(text)) => text,
            Ok(MatchPattern::SafeRegex(regex)) => format!("~{}", regex.regex),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn origins_are_compared_as_browsers_write_them() {
        assert_eq!(shown("https://Foo.com:443"), "https://foo.com");
        assert_eq!(shown("http://foo.com:443"), "http://foo.com:443");
        assert_eq!(shown("https://*.bar.com"), r"~https://[^:/]*\.bar\.com");
        assert_eq!(shown("http://*:8080"), "~http://[^:/]*:8080");
        assert_eq!(shown("*"), "~.*");
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for bad in [
            "",
            "foo.com",
            "ftp://foo.com",
            "https://",
            "https://a/b",
            "https://a:0",
            "https://a:b:c",
            "null",
        ] {
            assert!(pattern(bad).is_err(), "{bad}");
        }
    }
}
