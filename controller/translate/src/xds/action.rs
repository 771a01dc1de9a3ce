//! What a rule does with the requests that match it -> `envoy.config.route.v3.Route`.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{DataSource, HeaderValueOption, RuntimeFractionalPercent};
use envoy_types::pb::envoy::config::route::v3 as envoy;
use envoy_types::pb::envoy::config::route::v3::route::Action as EnvoyAction;
use envoy_types::pb::envoy::config::route::v3::route_action::{
    ClusterNotFoundResponseCode, ClusterSpecifier, HostRewriteSpecifier, RequestMirrorPolicy,
};
use envoy_types::pb::envoy::config::route::v3::weighted_cluster::ClusterWeight;
use envoy_types::pb::google::protobuf::{Any, Duration, UInt32Value, UInt64Value};
use prost::Message;

use super::auth::{self, Auth};
use super::filters::{Filters, need_route};
use super::header::HeaderEdits;
use super::mirror::{self, of_million};
use super::per_filter::{self, OF_ROUTE, PerFilter};
use super::rewrite::{self, PathRewrite, precise_host};
use super::{Unsupported, cors, edits, limits, redirect, session};
use crate::api::http_route::{HTTPBackendRef, HTTPRouteMatch, HTTPRouteRule};
use crate::aws::Outbound;
use crate::backends::Application;
use crate::gateways::Entrance;
use crate::resolved::{Found, Resolved};

/// A cluster that never exists: its share of requests gets the error that the specification asks for
/// (HTTPRouteRule.backendRefs, GRPCRouteRule.backendRefs).
pub(crate) const UNRESOLVED: &str = "unresolved";

/// Largest share of a backend (BackendRef.weight).
const MAX_WEIGHT: u32 = 1_000_000;

/// How long a call may be silent: a little longer than a function may run ("Lambda quotas", 15 minutes), where Envoy would end it after
/// five. What the HTTPRoute's `timeouts` say ends it earlier.
const CALL_IDLE_TIMEOUT: Duration = Duration { seconds: 905, nanos: 0 };

/// What is done, and what is done around it.
pub(crate) struct Action {
    action: EnvoyAction,
    request: HeaderEdits,
    response: HeaderEdits,
    /// Configuration of Envoy's own filters.
    filters: PerFilter,
    /// Filters that ask first.
    pub(crate) auths: Vec<Arc<Auth>>,
    /// What the requests become.
    pub(crate) outbound: Option<Arc<Outbound>>,
}

impl Action {
    /// Whether fields are edited by a filter.
    pub(crate) fn has_edits(&self) -> bool {
        self.filters.contains_key(edits::NAME)
    }

    /// Whether the route may edit responses: what it makes of those to its requests, other responses come without.
    pub(crate) fn edits_responses(&self) -> bool {
        let parts = match &self.action {
            EnvoyAction::Route(route) => match &route.cluster_specifier {
                Some(ClusterSpecifier::WeightedClusters(weighted)) => &weighted.clusters[..],
                _ => &[],
            },
            _ => &[],
        };
        let edits = |add: &[HeaderValueOption], remove: &[String]| !add.is_empty() || !remove.is_empty();
        self.has_edits()
            || edits(&self.response.add, &self.response.remove)
            || parts.iter().any(|part| edits(&part.response_headers_to_add, &part.response_headers_to_remove))
    }

    /// The host that requests get last of all.
    fn host(&self) -> Option<&str> {
        let EnvoyAction::Route(route) = &self.action else { return None };
        match route.host_rewrite_specifier.as_ref()? {
            HostRewriteSpecifier::HostRewriteLiteral(host) => Some(host),
            _ => None,
        }
    }

    /// Makes the requests what AWS takes: all that edits them comes before.
    fn becoming(mut self, outbound: &Arc<Outbound>) -> Self {
        let (request, response) = (std::mem::take(&mut self.request), std::mem::take(&mut self.response));
        self.filters.insert(edits::NAME.to_owned(), edits::lower(request, response));
        if let (true, EnvoyAction::Route(route)) = (outbound.is_call, &mut self.action) {
            route.idle_timeout = Some(CALL_IDLE_TIMEOUT);
        }
        self.outbound = Some(Arc::clone(outbound));
        self
    }

    /// Whether the requests stay with an endpoint.
    pub(crate) fn has_sessions(&self) -> bool {
        self.filters.contains_key(session::NAME)
    }
}

/// What is done with a share of the requests.
pub(crate) struct Share {
    pub(crate) action: Action,
    /// Millionths, those of the shares before it counted in; `None` for all that is left.
    pub(crate) up_to: Option<u32>,
}

impl Share {
    /// All requests are refused: what was asked for them cannot be done.
    pub(crate) fn refusing() -> Self {
        Self { action: fixed(500), up_to: None }
    }

    /// What of the requests its Envoy route may take, those of the routes before it counted in: Envoy draws one number
    /// for a request, whichever routes it is compared with.
    pub(crate) fn fraction(&self) -> Option<RuntimeFractionalPercent> {
        self.up_to.map(of_million)
    }
}

/// An answer without a body.
pub(crate) fn fixed(status: u32) -> Action {
    let body: Option<DataSource> = None;
    let answer = envoy::DirectResponseAction { status, body, ..Default::default() };
    Action {
        action: EnvoyAction::DirectResponse(answer),
        request: HeaderEdits::default(),
        response: HeaderEdits::default(),
        filters: PerFilter::new(),
        auths: Vec::new(),
        outbound: None,
    }
}

/// Joins match, action and configuration of filters, and encodes them. The name is left out: see [`super::routes`].
pub(crate) fn route(action: Action, matched: envoy::RouteMatch, filters: &PerFilter) -> Vec<u8> {
    let held = action.outbound.as_ref().and_then(|outbound| outbound.held);
    let route = envoy::Route {
        r#match: Some(matched),
        action: Some(action.action),
        request_headers_to_add: action.request.add,
        request_headers_to_remove: action.request.remove,
        response_headers_to_add: action.response.add,
        response_headers_to_remove: action.response.remove,
        request_body_buffer_limit: held.map(|value| UInt64Value { value }),
        ..envoy::Route::default()
    };
    let mut encoded = route.encode_to_vec();
    let asking = action.auths.iter().map(|auth| (auth.name.clone(), auth::switch(true)));
    let filters: PerFilter = asking.chain(action.filters).chain(filters.clone()).collect();
    per_filter::put(OF_ROUTE, &filters, &mut encoded);
    encoded
}

/// What decides how a rule is lowered for one of its matches.
#[derive(Clone, Copy)]
pub(crate) struct Lowering<'a> {
    pub(crate) rule: &'a HTTPRouteRule,
    pub(crate) matched: &'a HTTPRouteMatch,
    pub(crate) resolved: &'a Resolved,
    pub(crate) entrance: Entrance,
    pub(crate) application: Application,
    /// How its requests stay with an endpoint, or why they cannot.
    pub(crate) session: Option<&'a Result<Any, Unsupported>>,
}

fn refused<T>(field: &str, why: &str) -> Result<T, Unsupported> {
    Err((field.to_owned(), why.to_owned()))
}

impl<'a> Lowering<'a> {
    /// What is done with the requests that match, in shares.
    pub(crate) fn lower(&self) -> Result<Vec<Share>, Unsupported> {
        let filters = Filters::of_rule(&self.rule.filters)?;
        match filters.redirect {
            Some(_) => Ok(whole(self.redirect(filters)?)),
            None => self.forward(&filters),
        }
    }

    fn redirect(&self, filters: Filters<'_>) -> Result<Action, Unsupported> {
        let excluded = [
            ("URLRewrite", filters.host.or(filters.path).is_some()),
            ("CORS", filters.cors.is_some()),
            ("RequestMirror", !filters.mirrors.is_empty()),
            ("backendRefs", !self.rule.backend_refs.is_empty()),
        ];
        if let Some((other, _)) = excluded.into_iter().find(|(_, is_set)| *is_set) {
            return refused("filters", &format!("RequestRedirect and {other} exclude each other"));
        }
        let redirect = filters.redirect.map(|filter| redirect::lower(filter, self.matched, self.entrance));
        let redirect = EnvoyAction::Redirect(redirect.transpose()?.unwrap_or_default());
        let Some(auths) = self.auths(&filters)? else { return Ok(fixed(500)) };
        let (request, response) = (filters.request, filters.response);
        let filters = PerFilter::new();
        Ok(Action { action: redirect, request, response, filters, auths, outbound: None })
    }

    fn forward(&self, filters: &Filters<'a>) -> Result<Vec<Share>, Unsupported> {
        let mut backends = Vec::with_capacity(self.rule.backend_refs.len());
        for (place, backend) in self.rule.backend_refs.iter().enumerate() {
            if backend.weight.is_some_and(|weight| weight > MAX_WEIGHT) {
                let why = format!("must be at most {MAX_WEIGHT}");
                return refused(&format!("backendRefs[{place}].weight"), &why);
            }
            let filters = filters.and_of_backend(place, &backend.filters)?;
            let (found, outbound) = (&self.resolved.backends[place], self.resolved.outbound[place].as_ref());
            backends.push(Backend { backend, found, outbound, filters });
        }
        backends.retain(|backend| backend.weight() > 0);
        match backends.as_slice() {
            [] => Ok(whole(fixed(self.unavailable()))),
            [only] => self.single(only).map(whole),
            many if many.iter().any(Backend::needs_route) => self.split(many),
            many => self.mix(filters, many).map(whole),
        }
    }

    fn single(&self, backend: &Backend<'a>) -> Result<Action, Unsupported> {
        let action = self.route(&backend.filters, ClusterSpecifier::Cluster(backend.cluster()))?;
        let Some(outbound) = backend.outbound else { return Ok(action) };
        backend.filters.leave_alone_what_is_signed(outbound.is_call)?;
        let renamed = action.host().map(|host| Arc::new(outbound.sent_to(host)));
        Ok(action.becoming(renamed.as_ref().unwrap_or(outbound)))
    }

    /// An Envoy route for each backend.
    fn split(&self, backends: &[Backend<'a>]) -> Result<Vec<Share>, Unsupported> {
        let total: u64 = backends.iter().map(Backend::weight).sum();
        let mut sum = 0;
        let mut shares = Vec::with_capacity(backends.len());
        for backend in backends {
            sum += backend.weight();
            let up_to = u32::try_from(sum * 1_000_000 / total).ok().filter(|_| sum < total);
            shares.push(Share { action: self.single(backend)?, up_to });
        }
        Ok(shares)
    }

    /// One Envoy route for backends that differ in edits of header fields at most.
    fn mix(&self, filters: &Filters<'a>, backends: &[Backend<'a>]) -> Result<Action, Unsupported> {
        let edited = backends.iter().any(|one| !one.backend.filters.is_empty());
        let clusters = backends.iter().map(|one| one.weighted(edited)).collect();
        let clusters = envoy::WeightedCluster { clusters, ..Default::default() };
        let mut action = self.route(filters, ClusterSpecifier::WeightedClusters(clusters))?;
        if edited {
            // The edits of the rule are in those of each backend, which have the last word.
            (action.request, action.response) = Default::default();
        }
        Ok(action)
    }

    fn route(&self, filters: &Filters<'a>, to: ClusterSpecifier) -> Result<Action, Unsupported> {
        let not_found = match self.application {
            Application::Grpc => ClusterNotFoundResponseCode::ServiceUnavailable,
            _ => ClusterNotFoundResponseCode::InternalServerError,
        };
        let mut action = envoy::RouteAction {
            cluster_specifier: Some(to),
            cluster_not_found_response_code: not_found.into(),
            request_mirror_policies: self.mirrors(filters)?,
            ..envoy::RouteAction::default()
        };
        self.rewrite(&mut action, filters)?;
        limits::apply(&mut action, self.rule)?;
        let mut of_filters = PerFilter::new();
        if let Some((level, place, filter)) = filters.cors {
            let at = |(inner, why)| (format!("{}[{place}].cors.{inner}", level.list()), why);
            of_filters.insert(cors::NAME.to_owned(), cors::lower(filter).map_err(at)?);
        }
        if let Some(session) = self.session {
            of_filters.insert(session::NAME.to_owned(), session.clone()?);
        }
        let Some(auths) = self.auths(filters)? else { return Ok(fixed(500)) };
        let (request, response) = (filters.request.clone(), filters.response.clone());
        let action = EnvoyAction::Route(action);
        Ok(Action { action, request, response, filters: of_filters, auths, outbound: None })
    }

    /// Who is asked about the requests; `None` where one of them is not there, and so none may pass.
    fn auths(&self, filters: &Filters<'a>) -> Result<Option<Vec<Arc<Auth>>>, Unsupported> {
        let mut auths = Vec::new();
        for (level, place, filter) in &filters.auths {
            let at = |(inner, why)| (format!("{}[{place}].externalAuth.{inner}", level.list()), why);
            let Some(to) = self.resolved.in_filter(*level, *place) else { return Ok(None) };
            auths.push(Arc::new(Auth::new(filter, to).map_err(at)?));
        }
        Ok(Some(auths))
    }

    /// A mirror that leads nowhere is left out (HTTPRequestMirrorFilter.backendRef).
    fn mirrors(&self, filters: &Filters<'a>) -> Result<Vec<RequestMirrorPolicy>, Unsupported> {
        let mut policies = Vec::new();
        for (level, place, filter) in &filters.mirrors {
            let at = |(inner, why)| (format!("{}[{place}].requestMirror.{inner}", level.list()), why);
            let to = self.resolved.in_filter(*level, *place).map(|to| to.cluster());
            let policy = mirror::lower(filter, to.clone().unwrap_or_default()).map_err(at)?;
            policies.extend(to.map(|_| policy));
        }
        Ok(policies)
    }

    fn rewrite(&self, action: &mut envoy::RouteAction, filters: &Filters<'a>) -> Result<(), Unsupported> {
        if let Some((level, host)) = filters.host.and_then(|(l, filter)| Some((l, filter.hostname.as_ref()?)))
        {
            let host =
                precise_host(host).map_err(|why| (format!("{}.urlRewrite.hostname", level.list()), why))?;
            action.host_rewrite_specifier = Some(HostRewriteSpecifier::HostRewriteLiteral(host));
        }
        let Some((level, path)) = filters.path.and_then(|(l, filter)| Some((l, filter.path.as_ref()?)))
        else {
            return Ok(());
        };
        let at = |why| (format!("{}.urlRewrite.path", level.list()), why);
        match rewrite::lower(path, self.matched).map_err(at)? {
            PathRewrite::Full(path) => action.regex_rewrite = Some(rewrite::full(&path)),
            PathRewrite::Prefix(prefix) => action.prefix_rewrite = prefix,
            PathRewrite::Regex(regex) => action.regex_rewrite = Some(regex),
        }
        Ok(())
    }

    /// The status where there is no backend: 500, and by gRPC `UNAVAILABLE`, which 503 becomes.
    fn unavailable(&self) -> u32 {
        if self.application == Application::Grpc { 503 } else { 500 }
    }
}

fn whole(action: Action) -> Vec<Share> {
    vec![Share { action, up_to: None }]
}

/// A backend of a rule, with the rule's filters and its own.
struct Backend<'a> {
    backend: &'a HTTPBackendRef,
    found: &'a Found,
    outbound: Option<&'a Arc<Outbound>>,
    filters: Filters<'a>,
}

impl Backend<'_> {
    fn weight(&self) -> u64 {
        self.backend.weight.unwrap_or(1).into()
    }

    /// Whether it needs an Envoy route of its own, besides for its filters.
    fn needs_route(&self) -> bool {
        self.outbound.is_some() || need_route(&self.backend.filters)
    }

    fn cluster(&self) -> String {
        self.found.as_ref().map_or_else(|_| UNRESOLVED.to_owned(), |destination| destination.cluster())
    }

    /// A part of a weighted cluster; `edited` says whether it makes the edits.
    fn weighted(&self, edited: bool) -> ClusterWeight {
        let edits = |edits: &HeaderEdits| if edited { edits.clone() } else { HeaderEdits::default() };
        let (request, response) = (edits(&self.filters.request), edits(&self.filters.response));
        ClusterWeight {
            name: self.cluster(),
            weight: Some(UInt32Value { value: self.backend.weight.unwrap_or(1) }),
            request_headers_to_add: request.add,
            request_headers_to_remove: request.remove,
            response_headers_to_add: response.add,
            response_headers_to_remove: response.remove,
            ..ClusterWeight::default()
        }
    }
}
