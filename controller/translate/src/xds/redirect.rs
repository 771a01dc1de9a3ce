//! `HTTPRequestRedirectFilter` -> `envoy.config.route.v3.RedirectAction`.

use envoy_types::pb::envoy::config::route::v3 as envoy;
use envoy_types::pb::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};

use super::Unsupported;
use super::rewrite::{self, PathRewrite, precise_host};
use crate::api::http_route::{HTTPRequestRedirectFilter, HTTPRouteMatch};
use crate::gateways::Entrance;

/// Lowers it for requests that match `matched` and come in there.
pub(crate) fn lower(
    redirect: &HTTPRequestRedirectFilter,
    matched: &HTTPRouteMatch,
    entrance: Entrance,
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
        port_redirect: redirect_port(redirect, entrance),
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
fn redirect_port(redirect: &HTTPRequestRedirectFilter, entrance: Entrance) -> u32 {
    let own_of = |secure: bool| if secure { 443 } else { 80 };
    let scheme = redirect.scheme.as_deref();
    let own = own_of(scheme.map_or(entrance.secure, |scheme| scheme == "https"));
    let port = redirect.port.unwrap_or(if scheme.is_some() { own } else { entrance.port });
    let host_has_none = redirect.hostname.is_some() || entrance.port == own_of(entrance.secure);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written for a redirect to `scheme` and `port` of requests that came in by TLS or not, on that port.
    fn written(scheme: Option<&str>, port: Option<u16>, secure: bool, listener: u16) -> u32 {
        let scheme = scheme.map(str::to_owned);
        let redirect = HTTPRequestRedirectFilter { scheme, port, ..HTTPRequestRedirectFilter::default() };
        redirect_port(&redirect, Entrance { port: listener, secure })
    }

    #[test]
    fn the_port_that_is_a_schemes_own_is_written_only_where_clients_wrote_another() {
        for (scheme, port, secure, listener, expected) in [
            (None, None, false, 80, 0),
            (None, None, true, 443, 0),
            (None, None, false, 8080, 8080),
            (None, None, true, 8443, 8443),
            // On the other scheme's port.
            (None, None, true, 80, 80),
            (None, None, false, 443, 443),
            (Some("https"), None, false, 80, 0),
            (Some("https"), None, false, 8080, 443),
            (Some("http"), None, true, 443, 0),
            (Some("http"), None, true, 8443, 80),
            (Some("https"), Some(8443), false, 80, 8443),
            (None, Some(443), true, 8443, 443),
            (None, Some(80), true, 443, 80),
        ] {
            assert_eq!(
                written(scheme, port, secure, listener),
                expected,
                "{scheme:?} {port:?} {secure} {listener}"
            );
        }
    }
}
