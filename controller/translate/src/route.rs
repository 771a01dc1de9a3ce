//! One HTTPRoute or GRPCRoute on one port: what its rules become, independent of the listeners that serve it.
//!
//! This is the unit that is kept between translations: it is made again only when one of its inputs changes.

use std::sync::Arc;

use prost::Message;

use crate::api::http_route::{HTTPRoute, HTTPRouteMatch, HTTPRouteRule};
use crate::api::reference::LocalObjectReference;
use crate::backends::{Application, Destination, Unresolved, resolve};
use crate::kinds::World;
use crate::object::ObjectRef;
use crate::policies::{Applied, PolicyIndex, Target};
use crate::precedence::Precedence;
use crate::problem::{Problem, Reason};
use crate::settings::Settings;
use crate::xds;
use crate::xds::matching::Unmatchable;

/// All that decides how a route is lowered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RouteInputs {
    pub(crate) route: ByAddress,
    /// By rule and backend reference.
    pub(crate) resolved: Vec<Vec<Result<Destination, Unresolved>>>,
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
    /// Policies of the rule over those of the route.
    pub(crate) applied: Applied,
    pub(crate) field: String,
}

/// Looks everything up that lowering needs.
pub(crate) fn inputs(
    world: &World,
    policies: &PolicyIndex,
    reference: &ObjectRef,
    route: &Arc<HTTPRoute>,
) -> RouteInputs {
    let application = Application::of_route(&reference.kind);
    let of_rule = |rule: &HTTPRouteRule| {
        rule.backend_refs.iter().map(|b| resolve(world, reference, b, application)).collect()
    };
    let resolved = route.spec.rules.iter().map(of_rule).collect();
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
    port: u16,
) -> LoweredRoute {
    let route = &*inputs.route.0;
    let mut lowered = LoweredRoute { entries: Vec::new(), problems: Vec::new() };
    for (place, rule) in route.spec.rules.iter().enumerate() {
        lower_rule(settings, reference, inputs, (port, place), rule, &mut lowered);
    }
    // There are thousands of these, and most have one entry.
    lowered.entries.shrink_to_fit();
    lowered
}

fn lower_rule(
    settings: &Settings,
    reference: &ObjectRef,
    inputs: &RouteInputs,
    (port, place): (u16, usize),
    rule: &HTTPRouteRule,
    lowered: &mut LoweredRoute,
) {
    let field = format!("spec.rules[{place}]");
    let unresolved =
        inputs.resolved[place].iter().enumerate().filter_map(|(at, found)| Some((at, found.as_ref().err()?)));
    for (at, (reason, detail)) in unresolved {
        let field = format!("{field}.backendRefs[{at}]");
        lowered.problems.push(Problem::new(reference, field, *reason, detail));
    }
    let applied = &inputs.applied[place];
    for (namespace, name) in &applied.missing {
        let detail = format!("TrafficPolicy {namespace}/{name} does not exist");
        let field = format!("{field}.filters");
        lowered.problems.push(Problem::new(reference, field, Reason::FilterNotFound, detail));
    }
    let everything = [HTTPRouteMatch::default()];
    let matches = if rule.matches.is_empty() { &everything[..] } else { &rule.matches };
    for (at, matched) in matches.iter().enumerate() {
        let field = format!("{field}.matches[{at}]");
        let matcher = match xds::matching::lower(matched) {
            Ok(matcher) => matcher,
            Err(Unmatchable { field: inner, why }) => {
                let field = format!("{field}.{inner}");
                lowered.problems.push(Problem::new(reference, field, Reason::UnsupportedValue, why));
                continue;
            }
        };
        let action = match xds::action::lower(rule, matched, &inputs.resolved[place], port) {
            Ok(action) if !applied.is_broken() => action,
            Ok(_) => xds::action::fixed(500),
            Err((inner, why)) => {
                if at == 0 {
                    let field = format!("spec.rules[{place}].{inner}");
                    lowered.problems.push(Problem::new(reference, field, Reason::UnsupportedValue, why));
                }
                xds::action::fixed(500)
            }
        };
        let precedence = Precedence::of(matched, &inputs.route.0.metadata, place, at);
        let encoded_matcher = matcher.encode_to_vec();
        let filters = xds::filter::per_route(&settings.filter_host, applied);
        let body = xds::action::route(action, matcher, &filters);
        let kind = reference.kind.to_lowercase();
        let name = format!("{kind}/{}/{}/{place}/{at}", reference.namespace, reference.name);
        let applied = applied.clone();
        lowered.entries.push(Entry { precedence, name, body, matcher: encoded_matcher, applied, field });
    }
}
