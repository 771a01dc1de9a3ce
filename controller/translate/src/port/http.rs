//! One port of a Gateway that speaks HTTP, in TLS or not: virtual hosts, and what stands around them.
//!
//! Listeners that share a port are kept apart: a host belongs to the listener whose host name fits it best, and only
//! routes that are attached to that listener serve it (Gateway API, "listener isolation").

use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::listener::v3::Filter;
use prost::Message;

use super::host::{Around, HostRoute, Lowering, policies_of};
use super::tables::{HostedRoute, Hosts};
use crate::gateways::{Entrance, GatewayPlan, ListenerPlan, Prerouting, Protocol, Transport};
use crate::hostname::{covers, intersection, specificity};
use crate::needs::Needs;
use crate::object::{Key, ObjectRef};
use crate::outcome::RouteOutcome;
use crate::policies::{Applied, POLICIES, PolicyIndex, Target};
use crate::problem::Problem;
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
    entrance: Entrance,
    /// Name of the Envoy listener and of its route configuration.
    pub(super) name: Arc<str>,
    /// Policies of the Gateway.
    pub(super) gateway: Applied,
    /// Open listeners on this port, with their policies.
    listeners: Vec<(usize, Applied)>,
    /// Whether a connection is a listener's, so that requests for hosts of others are misdirected.
    tells_chains: bool,
    /// Policies of the Gateway and of its listeners here.
    policies: BTreeSet<ObjectRef>,
}

impl<'a> Served<'a> {
    /// What stands around the routes of a port.
    pub(crate) fn new(
        settings: &'a Settings,
        policies: &PolicyIndex,
        key: &'a Key,
        plan: &'a GatewayPlan,
        port: u16,
    ) -> Self {
        let open: Vec<usize> = plan.open(port, Transport::Tcp).collect();
        let is_https = |place: &usize| plan.listeners[*place].protocol == Some(Protocol::Https);
        let secure = open.iter().any(is_https);
        let tells_chains = open.len() > 1 && secure;
        let listeners: Vec<(usize, Applied)> =
            open.into_iter().map(|p| (p, policies_at(policies, plan, &plan.listeners[p]))).collect();
        let gateway = policies.at(&Target::of(&plan.reference, None));
        Self {
            settings,
            plan,
            key,
            port,
            entrance: Entrance { port, secure },
            name: format!("{}/{}/{port}", key.0, key.1).into(),
            policies: policies_of(std::iter::once(&gateway).chain(listeners.iter().map(|(_, own)| own)))
                .collect(),
            gateway,
            listeners,
            tells_chains,
        }
    }

    /// The host names of the listeners themselves, each with the place of its listener.
    pub(super) fn own_hosts(&self) -> impl Iterator<Item = (usize, &str)> {
        let hostname = |place: usize| self.plan.listeners[place].hostname.as_str();
        self.listeners.iter().enumerate().map(move |(at, (place, _))| (at, hostname(*place)))
    }

    /// A route by host that it serves here.
    pub(crate) fn hosts_of(&self, gateway: &Key, outcome: &RouteOutcome) -> Vec<HostedRoute> {
        let Some(lowered) = outcome.lowered.get(&self.entrance) else { return Vec::new() };
        let attached: Vec<usize> = outcome.attached_to(gateway).collect();
        let here = (0..self.listeners.len()).filter(|at| attached.contains(&self.listeners[*at].0));
        let every_host = [String::new()];
        let own_hosts = match &outcome.route.spec.hostnames[..] {
            [] => &every_host[..],
            own => own,
        };
        let hosted = here.flat_map(|at| own_hosts.iter().map(move |own| (at, own.to_ascii_lowercase())));
        let hosted = hosted.filter_map(|(at, own)| {
            let listener = &self.plan.listeners[self.listeners[at].0].hostname;
            let domain = intersection(listener, &own).filter(|domain| self.owner(domain) == Some(at))?;
            Some((domain.to_owned(), at, HostRoute::new(&own, lowered, &outcome.reference)))
        });
        hosted.collect()
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
            prerouting: self.plan.listeners[*place].prerouting.as_ref().map(|filters| (label(), filters)),
            suffix: if self.wasm() { format!("@{}", label()) } else { String::new() },
        }
    }

    /// What requests pass before they are routed, by the labels of their listeners.
    pub(crate) fn prerouting(&self) -> impl Iterator<Item = (String, &'a Prerouting)> {
        let plan = self.plan;
        let places = self.listeners.iter().map(|(place, _)| *place);
        places
            .filter_map(move |place| Some((plan.label(place), plan.listeners[place].prerouting.as_deref()?)))
    }

    fn wasm(&self) -> bool {
        matches!(self.settings.filter_host, FilterHost::Wasm { .. })
    }

    /// Request header fields that are between Envoy and us.
    pub(super) fn hidden(&self) -> Vec<&'static str> {
        let chain = self.entrance.secure.then_some(misdirected::CHAIN);
        chain.into_iter().chain(self.settings.scopes().map(|_| xds::scope::KEY)).collect()
    }

    /// Requests are marked also where there is but one listener: when another one comes, routes that look at the mark may be
    /// there before the connections are that end up in the new chains.
    fn early(&self) -> Vec<TypedExtensionConfig> {
        let key = self.settings.scopes().map(|module| xds::scope::key_of_requests(module, self.port));
        self.entrance.secure.then(misdirected::mark).into_iter().chain(key).collect()
    }
}

/// Lowers a port to, where it has one table, its routes and on wasm its plugins. Returns what its routes need, and what
/// its connections end up in.
pub(crate) fn lower(
    served: &Served<'_>,
    hosts: &Hosts,
    resources: &mut Resources,
    origins: &mut Origins,
    problems: &mut Vec<Problem>,
) -> (Needs, Filter) {
    let (mut needs, specifier) = match served.settings.scopes() {
        Some(_) => {
            problems.extend(hosts.problems().cloned());
            (hosts.needs().clone(), xds::scope::specifier())
        }
        None => {
            let needs = lower_whole(served, hosts, resources, origins, problems);
            (needs, xds::manager::rds(&served.name))
        }
    };
    needs.policies.extend(served.policies.iter().cloned());
    for (label, prerouting) in served.prerouting() {
        needs.extend(prerouting.needs());
        for filter in xds::prerouting::discovered(&served.settings.filter_host, &label, prerouting) {
            let resource = Resource::new(&filter.name, &filter);
            let from = prerouting.policies.iter().chain([&served.plan.reference]).cloned().collect();
            origins.insert((ResourceKind::ExtensionConfig, Arc::clone(&resource.name)), from);
            resources.insert(ResourceKind::ExtensionConfig, resource);
        }
    }
    let prerouting = xds::prerouting::filters(&served.settings.filter_host, served.prerouting());
    let chain = xds::chain::lower(served.settings, &needs, served.port, &prerouting);
    (needs, xds::manager::lower(specifier, chain, served.early()))
}

/// One table for the whole port.
fn lower_whole(
    served: &Served<'_>,
    hosts: &Hosts,
    resources: &mut Resources,
    origins: &mut Origins,
    problems: &mut Vec<Problem>,
) -> Needs {
    let mut lowering = Lowering::default();
    let filters = lowering.filters_of_gateway(&served.settings.filter_host, &served.gateway);
    let mut configuration = RouteConfigurationBuilder::new(&served.name, &filters, &served.hidden());
    for (domain, host) in hosts.iter() {
        let entries = host.entries();
        problems.extend(super::host::shadows(domain, &entries));
        let domain = if domain.is_empty() { "*" } else { domain };
        let built = lowering.virtual_host(&served.around(host.listener), (domain, domain), &entries);
        configuration.virtual_host(&built);
    }
    let mut insert = |kind, name: &Arc<str>, body: Box<[u8]>, from: Vec<ObjectRef>| {
        resources.insert(kind, Resource::of_bytes(Arc::clone(name), body.into()));
        origins.insert((kind, Arc::clone(name)), from.into());
    };
    let Lowering { mut needs, plugins } = lowering;
    let routes = || hosts.iter().flat_map(|(_, host)| &host.routes);
    needs.policies.extend(policies_of(routes().flat_map(HostRoute::applied)));
    let mut from: Vec<ObjectRef> = routes().map(|route| route.reference.clone()).collect();
    from.sort();
    from.dedup();
    from.extend(needs.policies.union(&served.policies).cloned());
    if let FilterHost::Wasm { directory } = &served.settings.filter_host {
        let used = POLICIES.iter().zip(&plugins).zip(needs.filters).filter(|(_, used)| *used);
        for ((policy, plugin), _) in used {
            let plugin = plugin.plugin(directory, policy.filter(), served.port);
            let name = plugin.name.as_str().into();
            insert(ResourceKind::ExtensionConfig, &name, plugin.encode_to_vec().into(), from.clone());
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
