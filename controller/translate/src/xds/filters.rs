//! The list of filters of a rule or of a backend, sorted by what they do.

use super::Unsupported;
use super::header::HeaderEdits;
use crate::api::http_filter::{HTTPCORSFilter, HTTPExternalAuthFilter, HTTPRequestMirrorFilter};
use crate::api::http_route::{
    HTTPHeaderFilter, HTTPRequestRedirectFilter, HTTPRouteFilter, HTTPURLRewriteFilter,
};
use crate::api::meta::KGATEWAY_GROUP;
use crate::resolved::Level;

/// What filters do. Places are those in the list.
#[derive(Clone, Default)]
pub(crate) struct Filters<'a> {
    pub(crate) request: HeaderEdits,
    pub(crate) response: HeaderEdits,
    pub(crate) redirect: Option<&'a HTTPRequestRedirectFilter>,
    pub(crate) host: Option<(Level, &'a HTTPURLRewriteFilter)>,
    pub(crate) path: Option<(Level, &'a HTTPURLRewriteFilter)>,
    pub(crate) cors: Option<(Level, usize, &'a HTTPCORSFilter)>,
    /// Who is asked; whoever says no.
    pub(crate) auths: Vec<(Level, usize, &'a HTTPExternalAuthFilter)>,
    pub(crate) mirrors: Vec<(Level, usize, &'a HTTPRequestMirrorFilter)>,
}

impl<'a> Filters<'a> {
    /// Those of a rule.
    pub(crate) fn of_rule(filters: &'a [HTTPRouteFilter]) -> Result<Self, Unsupported> {
        let mut found = Self::default();
        found.extend(filters, Level::Rule)?;
        Ok(found)
    }

    /// These, and then those of a backend: what is said twice is the backend's word.
    pub(crate) fn and_of_backend(
        &self,
        place: usize,
        filters: &'a [HTTPRouteFilter],
    ) -> Result<Self, Unsupported> {
        let mut found = self.clone();
        found.extend(filters, Level::Backend(place))?;
        Ok(found)
    }

    fn extend(&mut self, filters: &'a [HTTPRouteFilter], level: Level) -> Result<(), Unsupported> {
        let list = level.list();
        for (place, filter) in filters.iter().enumerate() {
            let at = |(inner, why): (&str, &str)| (format!("{list}[{place}]{inner}"), why.to_owned());
            let repeated = filters[..place].iter().any(|other| other.kind == filter.kind);
            if repeated && !matches!(filter.kind.as_str(), "ExtensionRef" | "RequestMirror") {
                return Err(at(("", "repeats a type that may stand here once")));
            }
            only_its_own(filter).map_err(|why| at(("", why)))?;
            self.push(filter, level, place)?;
        }
        Ok(())
    }

    fn push(&mut self, filter: &'a HTTPRouteFilter, level: Level, place: usize) -> Result<(), Unsupported> {
        let list = level.list();
        let edit = |edits: &mut HeaderEdits, name: &str, modifier: Option<&HTTPHeaderFilter>| {
            let at = |(inner, why)| (format!("{list}[{place}].{name}.{inner}"), why);
            modifier.map_or(Ok(()), |modifier| edits.push(modifier).map_err(at))
        };
        match filter.kind.as_str() {
            "RequestHeaderModifier" => {
                edit(&mut self.request, "requestHeaderModifier", filter.request_header_modifier.as_ref())?;
            }
            "ResponseHeaderModifier" => {
                edit(&mut self.response, "responseHeaderModifier", filter.response_header_modifier.as_ref())?;
            }
            "URLRewrite" => self.rewrite(filter, level),
            "RequestMirror" => {
                self.mirrors.extend(filter.request_mirror.as_deref().map(|mirror| (level, place, mirror)));
            }
            "CORS" => self.cors = filter.cors.as_deref().map(|cors| (level, place, cors)),
            "ExternalAuth" => {
                self.auths.extend(filter.external_auth.as_deref().map(|auth| (level, place, auth)));
            }
            "RequestRedirect" if level == Level::Rule => self.redirect = filter.request_redirect.as_deref(),
            "ExtensionRef" if level == Level::Rule => extension(filter, place)?,
            other => return Err((format!("{list}[{place}].type"), format!("{other} is not supported here"))),
        }
        Ok(())
    }

    /// Refuses what Envoy does after a request has been signed: the signature would hold no more, or others would get to see it.
    /// Only calls of functions have a host of their own; elsewhere the one that is written is signed.
    pub(crate) fn leave_alone_what_is_signed(&self, is_call: bool) -> Result<(), Unsupported> {
        let host = self.host.filter(|_| is_call).map(|(level, _)| (level, "URLRewrite of the host"));
        let path = self.path.map(|(level, _)| (level, "URLRewrite of the path"));
        let mirror = self.mirrors.first().map(|(level, ..)| (*level, "RequestMirror"));
        match host.or(path).or(mirror) {
            Some((level, kind)) => {
                let what = if is_call { "becomes a signed call of a function" } else { "is signed" };
                let why = format!("{kind} is not supported where a request {what}");
                Err((level.list(), why))
            }
            None => Ok(()),
        }
    }

    fn rewrite(&mut self, filter: &'a HTTPRouteFilter, level: Level) {
        let rewrite = filter.url_rewrite.as_deref().map(|rewrite| (level, rewrite));
        self.host = rewrite.filter(|(_, rewrite)| rewrite.hostname.is_some()).or(self.host);
        self.path = rewrite.filter(|(_, rewrite)| rewrite.path.is_some()).or(self.path);
    }
}

/// Whether a backend's filters need an Envoy route of its own: a part of a weighted cluster can edit header fields only.
pub(crate) fn need_route(filters: &[HTTPRouteFilter]) -> bool {
    let edits = |filter: &HTTPRouteFilter| {
        matches!(filter.kind.as_str(), "RequestHeaderModifier" | "ResponseHeaderModifier")
    };
    !filters.iter().all(edits)
}

/// A filter has the field of its type and no other (HTTPRouteFilter).
fn only_its_own(filter: &HTTPRouteFilter) -> Result<(), &'static str> {
    let fields = [
        ("RequestHeaderModifier", filter.request_header_modifier.is_some()),
        ("ResponseHeaderModifier", filter.response_header_modifier.is_some()),
        ("RequestRedirect", filter.request_redirect.is_some()),
        ("URLRewrite", filter.url_rewrite.is_some()),
        ("RequestMirror", filter.request_mirror.is_some()),
        ("CORS", filter.cors.is_some()),
        ("ExternalAuth", filter.external_auth.is_some()),
        ("ExtensionRef", filter.extension_ref.is_some()),
    ];
    if fields.iter().any(|(kind, is_set)| *is_set && *kind != filter.kind) {
        return Err("has the field of another type");
    }
    if fields.iter().any(|(kind, is_set)| !*is_set && *kind == filter.kind) {
        return Err("lacks the field of its type");
    }
    Ok(())
}

fn extension(filter: &HTTPRouteFilter, place: usize) -> Result<(), Unsupported> {
    let named = filter.extension_ref.as_ref().map(|named| (named.group.as_str(), named.kind.as_str()));
    match named {
        Some((KGATEWAY_GROUP, "TrafficPolicy")) => Ok(()),
        _ => Err((
            format!("filters[{place}].extensionRef"),
            "only a TrafficPolicy can be an extension".to_owned(),
        )),
    }
}
