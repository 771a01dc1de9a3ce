//! What runs before a request is routed, in Envoy's words.
//!
//! Envoy routes a request at once, and decides by its route which filters it passes. So each host of a listener with filters
//! begins with a route that takes all requests that these have not seen yet. It switches on what the listener has, and what
//! any other route of the host may need. Behind the listener's filters the request is marked and then routed again, for the
//! only time that counts; a request that stays on that first route is refused.
//!
//! Invariant: the mark is dynamic metadata, which no client can send.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{FilterConfig, RouteMatch};
use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3::Config as SetFilterState;
use envoy_types::pb::envoy::extensions::filters::http::set_metadata::v3::{Config as SetMetadata, Metadata};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use envoy_types::pb::envoy::r#type::matcher::v3::metadata_matcher::PathSegment;
use envoy_types::pb::envoy::r#type::matcher::v3::metadata_matcher::path_segment::Segment;
use envoy_types::pb::envoy::r#type::matcher::v3::value_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{MetadataMatcher, ValueMatcher};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Any, Struct, Value};

use super::auth::Auth;
use super::per_filter::PerFilter;
use super::{action, any, decompressor, edits, filter, session};
use crate::gateways::{Prerouting, Step};
use crate::needs::Needs;
use crate::policies::POLICIES;
use crate::settings::FilterHost;

/// Marks a request. The same word is the namespace of the mark and its key.
const MARK: &str = "ferrule.prerouted";
/// Has a marked request routed again.
const REROUTE: &str = "ferrule.reroute";

/// Name in the chain of a step of the listener of that label.
fn name(label: &str, place: usize) -> String {
    format!("ferrule.listener.{label}.{place}")
}

/// The filters of listeners, each by its label, and what ends them. All are off but on the first route of a host.
pub(crate) fn filters<'a>(
    host: &FilterHost,
    listeners: impl Iterator<Item = (String, &'a Prerouting)>,
) -> Vec<HttpFilter> {
    let mut filters = Vec::new();
    for (label, prerouting) in listeners {
        filters.extend(prerouting.steps.iter().enumerate().map(|(place, step)| match step {
            Step::Auth(_) => Auth::place(&name(&label, place)),
            Step::Policy(..) => filter::place(host, &name(&label, place)),
        }));
    }
    if !filters.is_empty() {
        filters.extend([fixed(MARK, any(&mark())), fixed(REROUTE, any(&reroute()))]);
    }
    filters
}

/// The configuration of a listener's filters.
pub(crate) fn discovered(
    host: &FilterHost,
    label: &str,
    prerouting: &Prerouting,
) -> Vec<TypedExtensionConfig> {
    let steps = prerouting.steps.iter().enumerate();
    let configs = steps.map(|(place, step)| match step {
        Step::Auth(auth) => auth.discovered(&name(label, place)),
        Step::Policy(policy, config) => {
            filter::for_all(host, &name(label, place), POLICIES[*policy].filter(), &config.json)
        }
    });
    configs.collect()
}

/// The first route of a host whose routes need `needs`.
pub(crate) fn first_route(host: &FilterHost, label: &str, prerouting: &Prerouting, needs: &Needs) -> Vec<u8> {
    let unmarked = MetadataMatcher {
        filter: MARK.to_owned(),
        path: vec![PathSegment { segment: Some(Segment::Key(MARK.to_owned())) }],
        value: Some(ValueMatcher { match_pattern: Some(MatchPattern::PresentMatch(true)) }),
        invert: true,
    };
    let matched = RouteMatch {
        path_specifier: Some(PathSpecifier::Prefix(String::new())),
        // Where a filter is missing, nothing comes further than this.
        dynamic_metadata: (!prerouting.is_broken).then_some(unmarked).into_iter().collect(),
        ..RouteMatch::default()
    };
    let filters =
        if prerouting.is_broken { PerFilter::new() } else { needed(host, label, prerouting, needs) };
    action::route(action::fixed(500), matched, &filters)
}

/// All filters that a request of the host may have to pass, switched on.
fn needed(host: &FilterHost, label: &str, prerouting: &Prerouting, needs: &Needs) -> PerFilter {
    let steps = (0..prerouting.steps.len()).map(|place| name(label, place));
    let ends = [MARK, REROUTE].map(str::to_owned);
    let of_policies = POLICIES.iter().zip(needs.filters).filter(|(_, used)| *used);
    let of_policies = of_policies.filter_map(|(policy, _)| filter::switchable(host, policy.filter()));
    let sessions = needs.sessions.then(|| session::NAME.to_owned());
    let edits = needs.edits.then(|| edits::NAME.to_owned());
    let outbound = needs.outbound.keys().filter_map(|name| filter::switchable(host, name));
    let names = steps
        .chain(ends)
        .chain(sessions)
        .chain(edits)
        .chain(outbound)
        .chain(of_policies)
        .chain(needs.auths.keys().cloned());
    let mut filters: PerFilter = names.map(|name| (name, on())).collect();
    if needs.decompression || prerouting.needs().decompression {
        filters.extend(decompressor::switch(true));
    }
    filters
}

/// Switches a filter on and says nothing else to it.
fn on() -> Any {
    any(&FilterConfig { config: Some(Any::default()), ..FilterConfig::default() })
}

fn fixed(name: &str, config: Any) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        disabled: true,
        config_type: Some(ConfigType::TypedConfig(config)),
        ..HttpFilter::default()
    }
}

fn mark() -> SetMetadata {
    let yes = Value { kind: Some(Kind::BoolValue(true)) };
    let value = Some(Struct { fields: [(MARK.to_owned(), yes)].into() });
    let metadata = vec![Metadata { metadata_namespace: MARK.to_owned(), value, ..Metadata::default() }];
    SetMetadata { metadata, ..SetMetadata::default() }
}

fn reroute() -> SetFilterState {
    SetFilterState { clear_route_cache: true, ..SetFilterState::default() }
}
