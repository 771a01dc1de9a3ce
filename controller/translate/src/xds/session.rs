//! `SessionPersistence` (GEP-1619) -> Envoy's `stateful_session` filter.
//!
//! The session is the address of an endpoint, in a cookie or a header field. It decides among the endpoints of the backend
//! that was chosen by weight, and never which backend that is; where its endpoint is gone, another session begins.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::filters::http::stateful_session::v3::stateful_session_per_route::Override;
use envoy_types::pb::envoy::extensions::filters::http::stateful_session::v3::{
    StatefulSession, StatefulSessionPerRoute,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use envoy_types::pb::envoy::extensions::http::stateful_session::cookie::v3::CookieBasedSessionState;
use envoy_types::pb::envoy::extensions::http::stateful_session::header::v3::HeaderBasedSessionState;
use envoy_types::pb::envoy::r#type::http::v3::{Cookie, CookieAttribute};
use envoy_types::pb::google::protobuf::Any;

use super::{Unsupported, any, gep2257, header, pb_duration};
use crate::api::http_filter::{CookieConfig, SessionPersistence};

/// Name of the filter in the chain.
pub(crate) const NAME: &str = "ferrule.session";

/// The filter, which is off but on routes with sessions.
pub(crate) fn filter() -> HttpFilter {
    HttpFilter {
        name: NAME.to_owned(),
        disabled: true,
        config_type: Some(ConfigType::TypedConfig(any(&StatefulSession::default()))),
        ..HttpFilter::default()
    }
}

/// The sessions of a rule, which has this name among all rules, on a port where clients speak TLS if it is `secure`.
///
/// # Errors
/// Field of it, and what is wrong with it.
pub(crate) fn lower(session: &SessionPersistence, rule: &str, secure: bool) -> Result<Any, Unsupported> {
    let lifetime = session.absolute_timeout.as_deref().map(|text| {
        let wrong = || ("absoluteTimeout".to_owned(), format!("{text:?} is no duration, such as 10s or 1h"));
        gep2257(text).ok_or_else(wrong)
    });
    let lifetime = lifetime.transpose()?.filter(|lifetime| !lifetime.is_zero());
    let (name, state) = match session.kind.as_deref().unwrap_or("Cookie") {
        "Cookie" => {
            let cookie = cookie(&session.cookie.clone().unwrap_or_default(), lifetime, rule, secure)?;
            ("envoy.http.stateful_session.cookie", any(&CookieBasedSessionState { cookie: Some(cookie) }))
        }
        "Header" => {
            let name = session.header.as_ref().map(|header| header.name.as_str()).unwrap_or_default();
            let name = header::name(name).map_err(|why| ("header.name".to_owned(), why))?;
            if lifetime.is_some() {
                return Err(("absoluteTimeout".to_owned(), "is not supported for type Header".to_owned()));
            }
            ("envoy.http.stateful_session.header", any(&HeaderBasedSessionState { name }))
        }
        other => {
            return Err(("type".to_owned(), format!("{other} is not supported; supported: Cookie, Header")));
        }
    };
    let state = TypedExtensionConfig { name: name.to_owned(), typed_config: Some(state) };
    let session = StatefulSession { session_state: Some(state), ..StatefulSession::default() };
    Ok(any(&StatefulSessionPerRoute { r#override: Some(Override::StatefulSession(session)) }))
}

fn cookie(
    cookie: &CookieConfig,
    lifetime: Option<Duration>,
    rule: &str,
    secure: bool,
) -> Result<Cookie, Unsupported> {
    let refused = |field: &str, why: &str| Err((field.to_owned(), why.to_owned()));
    let ttl = match (cookie.lifetime_type.as_deref().unwrap_or("Session"), lifetime) {
        ("Permanent", Some(lifetime)) => lifetime,
        ("Permanent", None) => {
            return refused("absoluteTimeout", "is required for a cookie of lifetimeType Permanent");
        }
        ("Session", None) => Duration::ZERO,
        // Envoy tells clients of every lifetime that it keeps track of, which makes a permanent cookie.
        ("Session", Some(_)) => {
            return refused("absoluteTimeout", "is supported for cookies of lifetimeType Permanent only");
        }
        _ => return refused("cookie.lifetimeType", "must be Session or Permanent"),
    };
    // Unique (CookieConfig.name), and the same for as long as the rule is.
    let own = || format!("session-{:016x}", rapidhash::v3::rapidhash_v3(rule.as_bytes()));
    let name = cookie.name.clone().unwrap_or_else(own);
    // A token (RFC 6265 section 4.1.1), as names of fields are.
    header::name(&name)
        .map_err(|_| ("cookie.name".to_owned(), format!("{name:?} is no name of a cookie")))?;
    let path = cookie.path.clone().unwrap_or_else(|| "/".to_owned());
    if !path.starts_with('/') || path.contains(|c: char| c == ';' || c.is_control()) {
        return refused("cookie.path", "must be an absolute path without semicolons");
    }
    // Envoy adds HttpOnly (GEP-1619, "Secure, HttpOnly, SameSite").
    let attribute =
        |name: &str, value: &str| CookieAttribute { name: name.to_owned(), value: value.to_owned() };
    let mut attributes = vec![attribute("SameSite", "Strict")];
    attributes.extend(secure.then(|| attribute("Secure", "")));
    Ok(Cookie { name, ttl: Some(pb_duration(ttl)), path, attributes })
}
