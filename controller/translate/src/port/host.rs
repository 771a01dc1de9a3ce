//! One host on one port: which rules serve it, in which order, and the virtual host that they become.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::RouteMatch;
use prost::Message;

use crate::gateways::Prerouting;
use crate::hostname::specificity;
use crate::needs::Needs;
use crate::object::ObjectRef;
use crate::policies::{Applied, Own, POLICIES};
use crate::problem::{Problem, Reason};
use crate::route::{Entry, LoweredRoute};
use crate::settings::FilterHost;
use crate::xds::filter::PluginRoutes;
use crate::xds::per_filter::PerFilter;
use crate::xds::routes::VirtualHostBuilder;
use crate::xds::{self, action, misdirected};

/// A host, and the routes that serve it.
pub(super) struct Host {
    /// Place of its listener among those of the port.
    pub(super) listener: usize,
    pub(super) routes: Vec<HostRoute>,
}

/// A route that serves a host.
#[derive(Clone)]
pub(crate) struct HostRoute {
    /// The route's own host name decides first, not what it has in common with the listener's (GEP-1713 and the
    /// feature GatewayRouteHostnameIntersectionPrecedence).
    own_host: Reverse<(bool, usize)>,
    lowered: Arc<LoweredRoute>,
    pub(super) reference: ObjectRef,
}

impl HostRoute {
    /// A route by what it became and the name of its own, in lower case, by which it serves the host.
    pub(super) fn new(own: &str, lowered: &Arc<LoweredRoute>, reference: &ObjectRef) -> Self {
        let (lowered, reference) = (Arc::clone(lowered), reference.clone());
        Self { own_host: Reverse(specificity(own)), lowered, reference }
    }

    /// The policies of its rules, and the objects that say what becomes of their requests.
    pub(super) fn policies(&self) -> impl Iterator<Item = ObjectRef> {
        let entries = &self.lowered.entries;
        let outbound = entries.iter().filter_map(|entry| entry.outbound.as_ref());
        let outbound = outbound.flat_map(|outbound| outbound.origins.iter().cloned());
        policies_of(entries.iter().map(|entry| &entry.applied)).chain(outbound)
    }
}

impl PartialEq for HostRoute {
    /// What was lowered is immutable, so the same address means the same content.
    fn eq(&self, other: &Self) -> bool {
        self.own_host == other.own_host && Arc::ptr_eq(&self.lowered, &other.lowered)
    }
}

/// A rule's match, with the route that it stands in.
pub(super) struct HostEntry<'a> {
    route: &'a HostRoute,
    entry: &'a Entry,
}

impl Host {
    /// The host of a listener at that place, without routes.
    pub(super) fn new(listener: usize) -> Self {
        // As a rule there will be one.
        Self { listener, routes: Vec::with_capacity(1) }
    }

    /// What serves it, the one that wins first.
    pub(super) fn entries(&self) -> Vec<HostEntry<'_>> {
        let of_route = |route| move |entry| HostEntry { route, entry };
        let all = self.routes.iter().flat_map(|route| route.lowered.entries.iter().map(of_route(route)));
        let mut all: Vec<HostEntry<'_>> = all.collect();
        all.sort_by(|a, b| {
            (&a.route.own_host, &a.entry.precedence).cmp(&(&b.route.own_host, &b.entry.precedence))
        });
        all
    }
}

/// What holds for all hosts of a listener.
pub(super) struct Around<'a> {
    pub(super) host: &'a FilterHost,
    /// Policies of the Gateway.
    pub(super) gateway: &'a Applied,
    /// Policies of the listener.
    pub(super) listener: &'a Applied,
    /// The chain that its requests come through, if requests for its hosts may come through others.
    pub(super) chain: Option<String>,
    /// What its requests pass before they are routed, with the listener's label, if anything.
    pub(super) prerouting: Option<(String, &'a Arc<Prerouting>)>,
    /// What names of routes end in, to tell listeners apart.
    pub(super) suffix: String,
}

/// What comes of routes, besides them.
#[derive(Default)]
pub(super) struct Lowering {
    pub(super) needs: Needs,
    pub(super) plugins: [PluginRoutes; POLICIES.len()],
}

impl Lowering {
    /// Configuration of filters for all routes of a Gateway.
    pub(super) fn filters_of_gateway(&mut self, host: &FilterHost, gateway: &Applied) -> PerFilter {
        self.needs.note(gateway);
        let mut filters = xds::filter::per_route(host, gateway);
        switch(gateway, false, &mut filters);
        filters
    }

    /// The virtual host of that name and domain.
    pub(super) fn virtual_host(
        &mut self,
        around: &Around<'_>,
        (name, domain): (&str, &str),
        entries: &[HostEntry<'_>],
    ) -> VirtualHostBuilder {
        let effective = around.listener.clone().over(around.gateway);
        let mut filters = xds::filter::per_route(around.host, around.listener);
        let decompresses = switch(&effective, around.gateway.decompresses(), &mut filters);
        let needs = needs(around, entries);
        if around.prerouting.is_some() {
            // They are there for every request of the host, and ask about those whose route says so.
            filters.extend(needs.auths.keys().map(|name| (name.clone(), xds::auth::switch(false))));
        }
        let mut builder = VirtualHostBuilder::new(name, domain, &filters);
        if let Some(chain) = &around.chain {
            builder.route(&misdirected(chain), "misdirected", &PerFilter::new());
        }
        if let Some((label, prerouting)) = &around.prerouting {
            let first = xds::prerouting::first_route(around.host, label, prerouting, &needs);
            builder.route(&first, "prerouting", &PerFilter::new());
        }
        for HostEntry { entry, .. } in entries {
            self.route(&mut builder, around, &effective, decompresses, entry);
        }
        self.needs.extend(needs);
        builder
    }

    fn route(
        &mut self,
        builder: &mut VirtualHostBuilder,
        around: &Around<'_>,
        wider: &Applied,
        decompresses: bool,
        entry: &Entry,
    ) {
        let mut effective = entry.applied.clone().over(wider);
        if effective.is_broken() {
            builder.route(&refusing(&entry.matcher), &entry.name, &PerFilter::new());
            return;
        }
        let mut filters = PerFilter::new();
        let edits_responses = entry.edits_responses || effective.decompresses();
        let own = Own { matcher: entry.selects.as_deref(), edits_responses };
        if own != Own::default() {
            let apart = effective.apart(&own);
            filters.extend(xds::filter::per_route(around.host, &apart));
            effective = apart.over(&effective);
        }
        switch(&effective, decompresses, &mut filters);
        let mut name = Cow::Borrowed(entry.name.as_str());
        if !around.suffix.is_empty() {
            name.to_mut().push_str(&around.suffix);
            self.plug(&name, &effective);
        }
        builder.route(&entry.body, &name, &filters);
    }

    /// The Envoy route of that name runs what applies.
    fn plug(&mut self, route: &str, effective: &Applied) {
        for (plugin, config) in self.plugins.iter_mut().zip(effective.configs()) {
            if let Some(config) = config {
                plugin.add(route, config);
            }
        }
    }
}

/// What a host's routes need, whatever is attached to them.
fn needs(around: &Around<'_>, entries: &[HostEntry<'_>]) -> Needs {
    let mut needs = Needs::default();
    needs.note(around.gateway);
    needs.note(around.listener);
    for HostEntry { entry, route } in entries {
        needs.note(&entry.applied);
        needs.ask(&route.reference, &entry.auths);
        needs.sessions |= entry.has_sessions;
        needs.edits |= entry.has_edits;
        entry.outbound.iter().for_each(|outbound| needs.send(outbound));
    }
    needs
}

/// Switches the decompressors where what applies here wants them otherwise than what is `inherited`; returns what it wants.
fn switch(effective: &Applied, inherited: bool, filters: &mut PerFilter) -> bool {
    let wanted = effective.decompresses();
    if wanted != inherited {
        filters.extend(xds::decompressor::switch(wanted));
    }
    wanted
}

/// A policy applies that cannot be carried out: these requests must not go on without it.
fn refusing(matcher: &[u8]) -> Vec<u8> {
    let matcher = RouteMatch::decode(matcher).unwrap_or_default();
    action::route(action::fixed(500), matcher, &PerFilter::new())
}

/// Requests that came through the chain of a listener other than `owner` (HTTPSListenerDetectMisdirectedRequests).
fn misdirected(owner: &str) -> Vec<u8> {
    action::route(action::fixed(421), misdirected::matcher(owner), &PerFilter::new())
}

/// The policies of what is attached.
pub(super) fn policies_of<'a>(applied: impl Iterator<Item = &'a Applied>) -> impl Iterator<Item = ObjectRef> {
    applied.flat_map(|applied| &applied.from).map(|policy| policy.reference.clone())
}

/// Of two rules that match the very same requests only the first is ever used; that is allowed, but rarely meant.
pub(super) fn shadows(domain: &str, entries: &[HostEntry<'_>]) -> Vec<Problem> {
    if entries.len() < 2 {
        return Vec::new();
    }
    let domain = if domain.is_empty() { "every host" } else { domain };
    let mut winners: HashMap<&[u8], (&HostRoute, &Entry)> = HashMap::new();
    let mut problems = Vec::new();
    for HostEntry { route, entry } in entries {
        let Some((winner, won)) = winners.get(entry.matcher.as_slice()) else {
            winners.insert(&entry.matcher, (route, entry));
            continue;
        };
        let (by, field) = (&winner.reference, &won.field);
        let detail = format!("never used for {domain}: {by} {field} takes the same requests");
        problems.push(Problem::new(&route.reference, &entry.field, Reason::Shadowed, detail));
    }
    problems
}
