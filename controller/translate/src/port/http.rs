//! One port of a Gateway that speaks HTTP: virtual hosts, and what stands around them.
//!
//! Listeners that share a port are kept apart: a host belongs to the listener whose host name fits it best, and only
//! routes that are attached to that listener serve it (Gateway API, "listener isolation").

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::RouteMatch;
use prost::Message;

use crate::gateways::{GatewayPlan, ListenerPlan};
use crate::hostname::{covers, intersection, specificity};
use crate::needs::Needs;
use crate::object::{Key, ObjectRef};
use crate::outcome::RouteOutcome;
use crate::policies::{Applied, POLICIES, PolicyIndex, Target};
use crate::problem::{Problem, Reason};
use crate::route::Entry;
use crate::settings::{FilterHost, Settings};
use crate::translation::{Origins, Resource, ResourceKind, Resources};
use crate::xds::filter::PluginRoutes;
use crate::xds::per_filter::PerFilter;
use crate::xds::routes::{RouteConfigurationBuilder, VirtualHostBuilder};
use crate::xds::{self, action};

/// What a port serves, while it is put together.
pub(crate) struct Served<'a> {
    settings: &'a Settings,
    plan: &'a GatewayPlan,
    port: u16,
    /// Name of the Envoy listener and of its route configuration.
    name: Arc<str>,
    /// Policies of the Gateway.
    gateway: Applied,
    /// Open listeners on this port, with their policies.
    listeners: Vec<(usize, Applied)>,
    hosts: BTreeMap<String, Host>,
    origins: Vec<ObjectRef>,
    policies: BTreeSet<ObjectRef>,
}

struct Host {
    /// Place in [`Served::listeners`].
    listener: usize,
    entries: Vec<HostEntry>,
}

struct HostEntry {
    /// The route's own host name decides first, not what it has in common with the listener's (GEP-1713 and the
    /// feature GatewayRouteHostnameIntersectionPrecedence).
    own_host: Reverse<(bool, usize)>,
    lowered: Arc<crate::route::LoweredRoute>,
    place: usize,
    reference: ObjectRef,
}

impl HostEntry {
    fn entry(&self) -> &Entry {
        &self.lowered.entries[self.place]
    }
}

impl<'a> Served<'a> {
    /// A port without routes: hosts of listeners answer 404.
    pub(crate) fn new(
        settings: &'a Settings,
        policies: &PolicyIndex,
        key: &Key,
        plan: &'a GatewayPlan,
        port: u16,
    ) -> Self {
        let open = plan.listeners.iter().enumerate().filter(|(_, l)| l.port == port && l.takes_routes());
        let listeners: Vec<(usize, Applied)> =
            open.map(|(place, l)| (place, policies_at(policies, plan, l))).collect();
        let gateway = policies.at(&Target::of(&plan.reference, None));
        let empty = |at: usize| Host { listener: at, entries: Vec::new() };
        let hosts = listeners
            .iter()
            .enumerate()
            .map(|(at, (place, _))| (plan.listeners[*place].hostname.clone(), empty(at)));
        Self {
            settings,
            plan,
            port,
            name: format!("{}/{}/{port}", key.0, key.1).into(),
            hosts: hosts.collect(),
            policies: policies_of(std::iter::once(&gateway).chain(listeners.iter().map(|(_, own)| own)))
                .collect(),
            gateway,
            listeners,
            origins: Vec::new(),
        }
    }

    /// Adds a route that is attached to these listeners of the Gateway; says whether it is served here.
    pub(crate) fn add(&mut self, outcome: &RouteOutcome, attached: &[usize]) -> bool {
        let Some(lowered) = outcome.lowered.get(&self.port) else { return false };
        let here: Vec<usize> =
            (0..self.listeners.len()).filter(|at| attached.contains(&self.listeners[*at].0)).collect();
        let every_host = [String::new()];
        let own_hosts = if outcome.route.spec.hostnames.is_empty() {
            &every_host[..]
        } else {
            &outcome.route.spec.hostnames
        };
        for at in &here {
            for own in own_hosts {
                self.add_host(*at, own, outcome, lowered);
            }
        }
        if !here.is_empty() {
            self.origins.push(outcome.reference.clone());
            self.policies.extend(policies_of(lowered.entries.iter().map(|entry| &entry.applied)));
        }
        !here.is_empty()
    }

    fn add_host(
        &mut self,
        at: usize,
        own: &str,
        outcome: &RouteOutcome,
        lowered: &Arc<crate::route::LoweredRoute>,
    ) {
        let listener = &self.plan.listeners[self.listeners[at].0].hostname;
        let own = own.to_ascii_lowercase();
        let Some(domain) = intersection(listener, &own).filter(|domain| self.owner(domain) == Some(at))
        else {
            return;
        };
        let host =
            self.hosts.entry(domain.to_owned()).or_insert_with(|| Host { listener: at, entries: Vec::new() });
        host.entries.extend((0..lowered.entries.len()).map(|place| HostEntry {
            own_host: Reverse(specificity(&own)),
            lowered: Arc::clone(lowered),
            place,
            reference: outcome.reference.clone(),
        }));
    }

    /// The listener that a host belongs to: the one with the most specific host name that covers it.
    fn owner(&self, domain: &str) -> Option<usize> {
        let hostname = |at: usize| self.plan.listeners[self.listeners[at].0].hostname.as_str();
        let covering = (0..self.listeners.len()).filter(|at| covers(hostname(*at), domain));
        covering.max_by_key(|at| specificity(hostname(*at)))
    }

    fn wasm(&self) -> bool {
        matches!(self.settings.filter_host, FilterHost::Wasm { .. })
    }
}

/// Lowers a port to its listener, its route configuration and, on wasm, its plugins. Returns what its routes need.
pub(crate) fn lower(
    mut served: Served<'_>,
    resources: &mut Resources,
    origins: &mut Origins,
    problems: &mut Vec<Problem>,
) -> Needs {
    let host = &served.settings.filter_host;
    let mut lowering = Lowering::default();
    lowering.needs.note(&served.gateway);
    let mut filters = xds::filter::per_route(host, &served.gateway);
    let decompresses = switch(&served.gateway, false, &mut filters);
    let mut configuration = RouteConfigurationBuilder::new(&served.name, &filters);
    for (domain, mut host) in std::mem::take(&mut served.hosts) {
        host.entries
            .sort_by(|a, b| (&a.own_host, &a.entry().precedence).cmp(&(&b.own_host, &b.entry().precedence)));
        warn_of_shadows(&domain, &host, problems);
        configuration.virtual_host(&lowering.virtual_host(&served, &domain, &host, decompresses));
    }
    let mut insert = |kind, name: &Arc<str>, body: Vec<u8>, from: Vec<ObjectRef>| {
        resources.insert(kind, Resource::of_bytes(Arc::clone(name), body.into()));
        origins.insert((kind, Arc::clone(name)), from.into());
    };
    let Lowering { mut needs, plugins } = lowering;
    needs.policies = std::mem::take(&mut served.policies);
    let gateway = served.plan.reference.clone();
    let chain = xds::chain::lower(host, &needs, served.port);
    let listener = xds::listener::lower(&served.name, served.port, chain);
    insert(ResourceKind::Listener, &served.name, listener.encode_to_vec(), vec![gateway.clone()]);
    let mut from = std::mem::take(&mut served.origins);
    from.extend(needs.policies.iter().cloned());
    if let FilterHost::Wasm { directory } = host {
        for ((policy, plugin), _) in
            POLICIES.iter().zip(&plugins).zip(needs.filters).filter(|(_, used)| *used)
        {
            let plugin = plugin.plugin(directory, policy.filter(), served.port);
            let name = plugin.name.as_str().into();
            insert(ResourceKind::ExtensionConfig, &name, plugin.encode_to_vec(), from.clone());
        }
    }
    from.push(gateway);
    insert(ResourceKind::Routes, &served.name, configuration.finish(), from);
    needs
}

/// Policies of a listener, and of the ListenerSet that it stands in.
fn policies_at(policies: &PolicyIndex, plan: &GatewayPlan, listener: &ListenerPlan) -> Applied {
    let own = policies.at(&Target::of(&listener.owner, Some(Arc::clone(&listener.name))));
    if listener.owner == plan.reference {
        own
    } else {
        own.over(&policies.at(&Target::of(&listener.owner, None)))
    }
}

fn policies_of<'a>(applied: impl Iterator<Item = &'a Applied>) -> impl Iterator<Item = ObjectRef> {
    applied.flat_map(|applied| &applied.from).map(|policy| policy.reference.clone())
}

/// Switches the decompressors where what applies here wants them otherwise than what is `inherited`; returns what it wants.
fn switch(effective: &Applied, inherited: bool, filters: &mut PerFilter) -> bool {
    let wanted = effective.decompresses();
    if wanted != inherited {
        filters.extend(xds::decompressor::switch(wanted));
    }
    wanted
}

/// What comes of the routes of a port, besides them.
#[derive(Default)]
struct Lowering {
    needs: Needs,
    plugins: [PluginRoutes; POLICIES.len()],
}

impl Lowering {
    fn virtual_host(
        &mut self,
        served: &Served<'_>,
        domain: &str,
        host: &Host,
        decompresses: bool,
    ) -> VirtualHostBuilder {
        let (place, listener) = &served.listeners[host.listener];
        let around = listener.clone().over(&served.gateway);
        let mut filters = xds::filter::per_route(&served.settings.filter_host, listener);
        let decompresses = switch(&around, decompresses, &mut filters);
        let mut builder = VirtualHostBuilder::new(domain, &filters);
        self.needs.note(listener);
        for entry in host.entries.iter().map(HostEntry::entry) {
            self.needs.note(&entry.applied);
            let effective = entry.applied.clone().over(&around);
            if effective.is_broken() {
                builder.route(&refusing(&entry.matcher), &entry.name, &PerFilter::new());
                continue;
            }
            let mut filters = PerFilter::new();
            switch(&effective, decompresses, &mut filters);
            let mut name = Cow::Borrowed(entry.name.as_str());
            if served.wasm() {
                name.to_mut().push_str(&format!("@{}", served.plan.label(*place)));
                self.plug(&name, &effective);
            }
            builder.route(&entry.body, &name, &filters);
        }
        builder
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

/// A policy applies that cannot be carried out: these requests must not go on without it.
fn refusing(matcher: &[u8]) -> Vec<u8> {
    let matcher = RouteMatch::decode(matcher).unwrap_or_default();
    action::route(action::fixed(500), matcher, &PerFilter::new())
}

/// Of two rules that match the very same requests only the first is ever used; that is allowed, but rarely meant.
fn warn_of_shadows(domain: &str, host: &Host, problems: &mut Vec<Problem>) {
    if host.entries.len() < 2 {
        return;
    }
    let mut winners: HashMap<&[u8], &HostEntry> = HashMap::new();
    for entry in &host.entries {
        let Some(winner) = winners.get(entry.entry().matcher.as_slice()) else {
            winners.insert(&entry.entry().matcher, entry);
            continue;
        };
        let domain = if domain.is_empty() { "every host" } else { domain };
        let detail = format!(
            "never used for {domain}: {} {} takes the same requests",
            winner.reference,
            winner.entry().field
        );
        problems.push(Problem::new(&entry.reference, &entry.entry().field, Reason::Shadowed, detail));
    }
}
