//! One port of a Gateway that speaks HTTP, in TLS or not: virtual hosts, and what stands around them.
//!
//! Listeners that share a port are kept apart: a host belongs to the listener whose host name fits it best, and only
//! routes that are attached to that listener serve it (Gateway API, "listener isolation").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::listener::v3::Filter;
use prost::Message;

use super::host::{Around, Host, HostRoute, Lowering, policies_of};
use super::tables::Tables;
use crate::gateways::{GatewayPlan, ListenerPlan, Protocol, Transport};
use crate::hostname::{covers, intersection, specificity};
use crate::needs::Needs;
use crate::object::{Key, ObjectRef};
use crate::outcome::RouteOutcome;
use crate::policies::{Applied, POLICIES, PolicyIndex, Target};
use crate::problem::Problem;
use crate::route::LoweredRoute;
use crate::settings::{FilterHost, Settings};
use crate::translation::{Origins, Resource, ResourceKind, Resources};
use crate::xds::routes::RouteConfigurationBuilder;
use crate::xds::{self, misdirected};

/// What a port serves, while it is put together.
pub(crate) struct Served<'a> {
    pub(super) settings: &'a Settings,
    pub(super) plan: &'a GatewayPlan,
    pub(super) key: &'a Key,
    pub(super) port: u16,
    /// Name of the Envoy listener and of its route configuration.
    pub(super) name: Arc<str>,
    /// Policies of the Gateway.
    pub(super) gateway: Applied,
    /// Open listeners on this port, with their policies.
    listeners: Vec<(usize, Applied)>,
    pub(super) hosts: BTreeMap<String, Host>,
    /// Whether a connection is a listener's, so that requests for hosts of others are misdirected.
    tells_chains: bool,
    origins: Vec<ObjectRef>,
    policies: BTreeSet<ObjectRef>,
}

impl<'a> Served<'a> {
    /// A port without routes: hosts of listeners answer 404.
    pub(crate) fn new(
        settings: &'a Settings,
        policies: &PolicyIndex,
        key: &'a Key,
        plan: &'a GatewayPlan,
        port: u16,
    ) -> Self {
        let open: Vec<usize> = plan.open(port, Transport::Tcp).collect();
        let is_https = |place: &usize| plan.listeners[*place].protocol == Some(Protocol::Https);
        let tells_chains = open.len() > 1 && open.iter().any(is_https);
        let listeners: Vec<(usize, Applied)> =
            open.into_iter().map(|p| (p, policies_at(policies, plan, &plan.listeners[p]))).collect();
        let gateway = policies.at(&Target::of(&plan.reference, None));
        let empty = |at: usize| Host { listener: at, routes: Vec::new() };
        let hosts = listeners
            .iter()
            .enumerate()
            .map(|(at, (place, _))| (plan.listeners[*place].hostname.clone(), empty(at)));
        Self {
            settings,
            plan,
            key,
            port,
            name: format!("{}/{}/{port}", key.0, key.1).into(),
            hosts: hosts.collect(),
            policies: policies_of(std::iter::once(&gateway).chain(listeners.iter().map(|(_, own)| own)))
                .collect(),
            gateway,
            listeners,
            tells_chains,
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

    fn add_host(&mut self, at: usize, own: &str, outcome: &RouteOutcome, lowered: &Arc<LoweredRoute>) {
        let listener = &self.plan.listeners[self.listeners[at].0].hostname;
        let own = own.to_ascii_lowercase();
        let Some(domain) = intersection(listener, &own).filter(|domain| self.owner(domain) == Some(at))
        else {
            return;
        };
        let host =
            self.hosts.entry(domain.to_owned()).or_insert_with(|| Host { listener: at, routes: Vec::new() });
        host.routes.push(HostRoute::new(&own, lowered, &outcome.reference));
    }

    /// The listener that a host belongs to: the one with the most specific host name that covers it.
    fn owner(&self, domain: &str) -> Option<usize> {
        let hostname = |at: usize| self.plan.listeners[self.listeners[at].0].hostname.as_str();
        let covering = (0..self.listeners.len()).filter(|at| covers(hostname(*at), domain));
        covering.max_by_key(|at| specificity(hostname(*at)))
    }

    /// What holds for a listener's hosts.
    pub(super) fn around(&self, listener: usize) -> Around<'_> {
        let (place, own) = &self.listeners[listener];
        let label = || self.plan.label(*place);
        Around {
            host: &self.settings.filter_host,
            gateway: &self.gateway,
            listener: own,
            chain: self.tells_chains.then(label),
            suffix: if self.wasm() { format!("@{}", label()) } else { String::new() },
        }
    }

    fn wasm(&self) -> bool {
        matches!(self.settings.filter_host, FilterHost::Wasm { .. })
    }

    /// Request header fields that are between Envoy and us.
    pub(super) fn hidden(&self) -> Vec<&'static str> {
        let chain = self.tells_chains.then_some(misdirected::CHAIN);
        chain.into_iter().chain(self.settings.scopes().map(|_| xds::scope::KEY)).collect()
    }

    fn early(&self) -> Vec<TypedExtensionConfig> {
        let key = self.settings.scopes().map(|module| xds::scope::key_of_requests(module, self.port));
        self.tells_chains.then(misdirected::mark).into_iter().chain(key).collect()
    }
}

/// Lowers a port to its routes and, on wasm, its plugins. Returns what its routes need, and what its connections end up
/// in.
pub(crate) fn lower(
    mut served: Served<'_>,
    tables: &mut Tables,
    resources: &mut Resources,
    origins: &mut Origins,
    problems: &mut Vec<Problem>,
) -> (Needs, Filter) {
    let (mut needs, specifier) = match served.settings.scopes() {
        Some(module) => {
            let needs = tables.lower(module, &mut served, resources, origins, problems);
            (needs, xds::scope::specifier())
        }
        None => {
            let needs = lower_whole(&mut served, resources, origins, problems);
            (needs, xds::manager::rds(&served.name))
        }
    };
    needs.policies = std::mem::take(&mut served.policies);
    let chain = xds::chain::lower(served.settings, &needs, served.port);
    (needs, xds::manager::lower(specifier, chain, served.early()))
}

/// One table for the whole port.
fn lower_whole(
    served: &mut Served<'_>,
    resources: &mut Resources,
    origins: &mut Origins,
    problems: &mut Vec<Problem>,
) -> Needs {
    let hosts = std::mem::take(&mut served.hosts);
    let mut lowering = Lowering::default();
    let filters = lowering.filters_of_gateway(&served.settings.filter_host, &served.gateway);
    let mut configuration = RouteConfigurationBuilder::new(&served.name, &filters, &served.hidden());
    for (domain, host) in hosts {
        let entries = host.entries();
        problems.extend(super::host::shadows(&domain, &entries));
        let domain = if domain.is_empty() { "*" } else { &domain };
        let built = lowering.virtual_host(&served.around(host.listener), (domain, domain), &entries);
        configuration.virtual_host(&built);
    }
    let mut insert = |kind, name: &Arc<str>, body: Vec<u8>, from: Vec<ObjectRef>| {
        resources.insert(kind, Resource::of_bytes(Arc::clone(name), body.into()));
        origins.insert((kind, Arc::clone(name)), from.into());
    };
    let Lowering { needs, plugins } = lowering;
    let mut from = std::mem::take(&mut served.origins);
    from.extend(served.policies.iter().cloned());
    if let FilterHost::Wasm { directory } = &served.settings.filter_host {
        let used = POLICIES.iter().zip(&plugins).zip(needs.filters).filter(|(_, used)| *used);
        for ((policy, plugin), _) in used {
            let plugin = plugin.plugin(directory, policy.filter(), served.port);
            let name = plugin.name.as_str().into();
            insert(ResourceKind::ExtensionConfig, &name, plugin.encode_to_vec(), from.clone());
        }
    }
    from.push(served.plan.reference.clone());
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
