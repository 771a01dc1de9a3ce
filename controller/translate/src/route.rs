//! One HTTPRoute or GRPCRoute on one port: what its rules become, independent of the listeners that serve it.
//!
//! This is the unit that is kept between translations: it is made again only when one of its inputs changes.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::RouteMatch;
use envoy_types::pb::google::protobuf::Any;
use prost::Message;

use crate::api::http_route::{HTTPRoute, HTTPRouteMatch, HTTPRouteRule};
use crate::api::reference::LocalObjectReference;
use crate::aws::Outbound;
use crate::backends::Application;
use crate::context::Context;
use crate::gateways::Entrance;
use crate::object::ObjectRef;
use crate::policies::{Applied, PolicyIndex, Target};
use crate::precedence::Precedence;
use crate::problem::{Problem, Reason};
use crate::resolved::Resolved;
use crate::settings::Settings;
use crate::xds;
use crate::xds::Unsupported;
use crate::xds::action::{Lowering, Share};
use crate::xds::auth::Auth;
use crate::xds::matching::Unmatchable;

/// All that decides how a route is lowered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RouteInputs {
    pub(crate) route: ByAddress,
    /// By rule.
    pub(crate) resolved: Vec<Resolved>,
    /// By rule: policies of the rule over those of the route.
    pub(crate) applied: Vec<Applied>,
}

/// Objects are immutable, so the same address means the same content.
#[derive(Clone, Debug)]
pub(crate) struct ByAddress(pub(crate) Arc<HTTPRoute>);

impl PartialEq for ByAddress {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A route in Envoy's words.
#[derive(Clone, Debug)]
pub(crate) struct LoweredRoute {
    pub(crate) entries: Vec<Entry>,
    pub(crate) problems: Vec<Problem>,
}

/// One match of one rule: one Envoy route.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) precedence: Precedence,
    /// Name of the Envoy route, in which the object can be read.
    pub(crate) name: String,
    /// Encoded `envoy.config.route.v3.Route` without its name.
    pub(crate) body: Vec<u8>,
    /// Encoded `RouteMatch`: equal bytes match equal requests.
    pub(crate) matcher: Vec<u8>,
    /// Names the requests that it is for, where not their URL alone chooses them.
    pub(crate) selects: Option<String>,
    /// Policies of the rule over those of the route.
    pub(crate) applied: Applied,
    /// Filters that ask first.
    pub(crate) auths: Box<[Arc<Auth>]>,
    /// Whether its requests stay with an endpoint.
    pub(crate) has_sessions: bool,
    /// Whether fields of its messages are edited before a function is called.
    pub(crate) has_edits: bool,
    /// Whether the route edits responses.
    pub(crate) edits_responses: bool,
    /// What its requests become.
    pub(crate) outbound: Option<Arc<Outbound>>,
    pub(crate) field: String,
}

/// Looks everything up that lowering needs.
pub(crate) fn inputs(context: &Context<'_>, reference: &ObjectRef, route: &Arc<HTTPRoute>) -> RouteInputs {
    let Context { world, policies, functions, .. } = context;
    let resolved =
        route.spec.rules.iter().map(|rule| Resolved::of(world, functions, reference, rule)).collect();
    let applied = route.spec.rules.iter().map(|rule| applied(policies, reference, rule)).collect();
    RouteInputs { route: ByAddress(Arc::clone(route)), resolved, applied }
}

fn applied(policies: &PolicyIndex, reference: &ObjectRef, rule: &HTTPRouteRule) -> Applied {
    if policies.is_empty() && rule.filters.is_empty() {
        return Applied::default();
    }
    let target = |section| Target::of(reference, section);
    let is_policy = |reference: &&LocalObjectReference| reference.kind == "TrafficPolicy";
    let named = rule.filters.iter().filter_map(|filter| filter.extension_ref.as_ref()).filter(is_policy);
    let named = named.map(|named| policies.named((reference.namespace.clone(), named.name.as_str().into())));
    let at_rule =
        rule.name.as_deref().map(|name| policies.at(&target(Some(name.into())))).unwrap_or_default();
    let by_filter = named.fold(Applied::default(), |wider, narrower| narrower.over(&wider));
    by_filter.over(&at_rule).over(&policies.at(&target(None)))
}

/// Lowers every match of every rule on a port. A rule that cannot be served as written answers 500.
pub(crate) fn lower(
    settings: &Settings,
    reference: &ObjectRef,
    inputs: &RouteInputs,
    entrance: Entrance,
) -> LoweredRoute {
    let route = &*inputs.route.0;
    let mut lowered = LoweredRoute { entries: Vec::new(), problems: Vec::new() };
    for (place, rule) in route.spec.rules.iter().enumerate() {
        lower_rule(settings, reference, inputs, (entrance, place), rule, &mut lowered);
    }
    // There are thousands of these, and most have one entry.
    lowered.entries.shrink_to_fit();
    lowered
}

fn lower_rule(
    settings: &Settings,
    reference: &ObjectRef,
    inputs: &RouteInputs,
    (entrance, place): (Entrance, usize),
    rule: &HTTPRouteRule,
    lowered: &mut LoweredRoute,
) {
    let field = format!("spec.rules[{place}]");
    lowered.problems.extend(inputs.resolved[place].problems(reference, &field));
    let applied = &inputs.applied[place];
    for (namespace, name) in &applied.missing {
        let detail = format!("TrafficPolicy {namespace}/{name} does not exist");
        let field = format!("{field}.filters");
        lowered.problems.push(Problem::new(reference, field, Reason::FilterNotFound, detail));
    }
    let session = sessions(reference, entrance, rule, place);
    let everything = [HTTPRouteMatch::default()];
    let matches = if rule.matches.is_empty() { &everything[..] } else { &rule.matches };
    for (at, matched) in matches.iter().enumerate() {
        let resolved = &inputs.resolved[place];
        let application = Application::of_route(&reference.kind);
        let lowering = Lowering { rule, matched, resolved, entrance, application, session: session.as_ref() };
        let one = Match { settings, reference, inputs, place, at };
        one.lower(&lowering, lowered);
    }
}

/// The sessions of a rule, if it has any.
fn sessions(
    reference: &ObjectRef,
    entrance: Entrance,
    rule: &HTTPRouteRule,
    place: usize,
) -> Option<Result<Any, Unsupported>> {
    let persistence = rule.session_persistence.as_deref()?;
    let rule = rule.name.clone().unwrap_or_else(|| place.to_string());
    let name = format!("{reference}/{rule}");
    let lowered = xds::session::lower(persistence, &name, entrance.secure);
    Some(lowered.map_err(|(field, why)| (format!("sessionPersistence.{field}"), why)))
}

/// One match of a rule.
struct Match<'a> {
    settings: &'a Settings,
    reference: &'a ObjectRef,
    inputs: &'a RouteInputs,
    /// Of the rule.
    place: usize,
    at: usize,
}

impl Match<'_> {
    fn lower(&self, lowering: &Lowering<'_>, lowered: &mut LoweredRoute) {
        let Self { place, at, .. } = self;
        let refused =
            |field: String, why: String| Problem::new(self.reference, field, Reason::UnsupportedValue, why);
        let matcher = match xds::matching::lower(lowering.matched, lowering.application) {
            Ok(matcher) => matcher,
            Err(Unmatchable { field, why }) => {
                let field = format!("spec.rules[{place}].matches[{at}].{field}");
                lowered.problems.push(refused(field, why));
                return;
            }
        };
        let shares = match lowering.lower() {
            Ok(shares) if !self.inputs.applied[*place].is_broken() => shares,
            Ok(_) => vec![Share::refusing()],
            Err((inner, why)) => {
                if *at == 0 {
                    lowered.problems.push(refused(format!("spec.rules[{place}].{inner}"), why));
                }
                vec![Share::refusing()]
            }
        };
        let many = shares.len() > 1;
        for (number, share) in shares.into_iter().enumerate() {
            let entry = self.entry(lowering, matcher.clone(), share, many.then_some(number));
            lowered.entries.push(entry);
        }
    }

    /// `number` is the share's, where there is more than one.
    fn entry(
        &self,
        lowering: &Lowering<'_>,
        mut matcher: RouteMatch,
        share: Share,
        number: Option<usize>,
    ) -> Entry {
        let Self { settings, reference, inputs, place, at } = self;
        let applied = inputs.applied[*place].clone();
        matcher.runtime_fraction = share.fraction();
        let encoded = matcher.encode_to_vec();
        let selects = selects(&matcher, &encoded, number);
        let auths = share.action.auths.clone().into();
        let (has_sessions, has_edits) = (share.action.has_sessions(), share.action.has_edits());
        let edits_responses = share.action.edits_responses();
        let outbound = share.action.outbound.clone();
        let mut filters = xds::filter::per_route(&settings.filter_host, &applied);
        filters.extend(outbound.iter().filter_map(|one| xds::outbound::switch(&settings.filter_host, one)));
        let body = xds::action::route(share.action, matcher, &filters);
        let kind = reference.kind.to_lowercase();
        let mut name = format!("{kind}/{}/{}/{place}/{at}", reference.namespace, reference.name);
        if let Some(number) = number {
            name.push_str(&format!("/{number}"));
        }
        Entry {
            precedence: Precedence::of(
                lowering.matched,
                lowering.application,
                &inputs.route.0.metadata,
                [*place, *at, number.unwrap_or_default()],
            ),
            name,
            body,
            matcher: encoded,
            selects,
            applied,
            auths,
            has_sessions,
            has_edits,
            edits_responses,
            outbound,
            field: format!("spec.rules[{place}].matches[{at}]"),
        }
    }
}

/// See [`Entry::selects`]: the same for the same matcher, whatever rules stand around it.
fn selects(matcher: &RouteMatch, encoded: &[u8], share: Option<usize>) -> Option<String> {
    let by_url = matcher.headers.is_empty() && matcher.query_parameters.is_empty();
    if by_url && matcher.runtime_fraction.is_none() {
        return None;
    }
    let share = share.map(|share| format!("-{share}")).unwrap_or_default();
    Some(format!("{:016x}{share}", rapidhash::v3::rapidhash_v3(encoded)))
}
