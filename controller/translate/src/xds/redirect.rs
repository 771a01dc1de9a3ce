//! `HTTPRequestRedirectFilter` -> `envoy.config.route.v3.RedirectAction`.

use envoy_types::pb::envoy::config::route::v3 as envoy;
use envoy_types::pb::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};

use super::Unsupported;
use super::rewrite::{self, PathRewrite, precise_host};
use crate::api::http_route::{HTTPRequestRedirectFilter, HTTPRouteMatch};

/// Lowers it for requests that match `matched`, on a listener with that port.
pub(crate) fn lower(
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

/// Without a port: the scheme's own, or else the listener's; the scheme's own should not be written
/// (HTTPRequestRedirectFilter.port).
///
/// Envoy keeps the port that the client wrote into Host unless it is given another. So the scheme's own is given, and
/// written, where clients must have written the listener's.
fn redirect_port(redirect: &HTTPRequestRedirectFilter, listener: u16) -> u32 {
    let own = match redirect.scheme.as_deref() {
        Some("https") => 443,
        None if listener == 443 => 443,
        _ => 80,
    };
    let port = redirect.port.unwrap_or(if redirect.scheme.is_some() { own } else { listener });
    let host_has_none = redirect.hostname.is_some() || matches!(listener, 80 | 443);
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
