//! The hosts of a port, and the table that each has become.
//!
//! A table is lowered again when its host's routes, or what stands around them, have changed; the others are not looked
//! at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;

use super::host::{Around, Host, HostRoute, Lowering, policies_of, shadows};
use super::http::Served;
use crate::gateways::Prerouting;
use crate::needs::Needs;
use crate::object::ObjectRef;
use crate::policies::Applied;
use crate::problem::Problem;
use crate::translation::{Origins, Resource, ResourceKind, Resources};
use crate::xds;
use crate::xds::routes::RouteConfigurationBuilder;

/// The hosts of a port by domain; empty for all.
#[derive(Default)]
pub(crate) struct Hosts {
    hosts: BTreeMap<String, Host>,
    /// Domains to look at.
    touched: BTreeSet<String>,
    /// Boxed: a tree has room for more than it holds.
    tables: BTreeMap<String, Box<Table>>,
    /// Domains whose tables need something.
    needy: BTreeSet<String>,
    /// Domains whose tables have something wrong with them.
    faulty: BTreeSet<String>,
    /// What all tables need.
    needs: Needs,
}

/// A host's table, and what it was made from.
struct Table {
    routes: Vec<HostRoute>,
    gateway: Applied,
    listener: Applied,
    chain: Option<String>,
    prerouting: Option<Arc<Prerouting>>,
    scope: Resource,
    table: Resource,
    origin: Arc<[ObjectRef]>,
    needs: Needs,
    problems: Vec<Problem>,
}

/// A route for one of its hosts: the domain, the place of its listener among those of the port, and the route.
pub(crate) type HostedRoute = (String, usize, HostRoute);

impl Hosts {
    /// Begins anew with the hosts of listeners, which answer 404 while they have no routes.
    pub(crate) fn begin(&mut self, served: &Served<'_>) {
        self.touched.extend(std::mem::take(&mut self.hosts).into_keys());
        self.hosts = served.own_hosts().map(|(at, domain)| (domain.to_owned(), Host::new(at))).collect();
        self.touched.extend(self.hosts.keys().cloned());
    }

    /// Takes a route in, after those of its own that serve the same host.
    pub(crate) fn enter(&mut self, (domain, listener, route): HostedRoute) {
        let host = self.hosts.entry(domain.clone()).or_insert_with(|| Host::new(listener));
        let place = host.routes.partition_point(|known| known.reference <= route.reference);
        host.routes.insert(place, route);
        self.touched.insert(domain);
    }

    /// Takes a route out of one of its hosts.
    pub(crate) fn leave(&mut self, served: &Served<'_>, (domain, _, route): &HostedRoute) {
        let Some(host) = self.hosts.get_mut(domain) else { return };
        host.routes.retain(|known| known.reference != route.reference);
        if host.routes.is_empty() && !served.own_hosts().any(|(_, own)| own == domain) {
            self.hosts.remove(domain);
        }
        self.touched.insert(domain.clone());
    }

    /// All hosts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Host)> {
        self.hosts.iter()
    }

    /// What the tables need.
    pub(super) fn needs(&self) -> &Needs {
        &self.needs
    }

    /// What is wrong with the tables.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.faulty.iter().filter_map(|domain| self.tables.get(domain)).flat_map(|table| &table.problems)
    }

    /// Brings the tables of hosts that have changed, and their resources, up to date.
    pub(crate) fn lower(
        &mut self,
        module: &str,
        served: &Served<'_>,
        resources: &mut Resources,
        origins: &mut Origins,
    ) {
        let mut needs_differ = false;
        for domain in std::mem::take(&mut self.touched) {
            let earlier = self.tables.remove(&domain);
            let needed = earlier.as_ref().map(|table| table.needs.clone()).unwrap_or_default();
            let names = earlier.as_ref().map(|table| Arc::clone(&table.table.name));
            let table =
                self.hosts.get(&domain).map(|host| Table::renew(module, served, &domain, host, earlier));
            let needs = table.as_ref().map(|table| table.needs.clone()).unwrap_or_default();
            needs_differ |= needs != needed;
            note(&mut self.needy, &domain, needs != Needs::default());
            note(&mut self.faulty, &domain, table.as_ref().is_some_and(|table| !table.problems.is_empty()));
            match table {
                Some(table) => {
                    table.put(resources, origins);
                    self.tables.insert(domain, table);
                }
                None => names.iter().for_each(|name| withdraw(name, resources, origins)),
            }
        }
        if needs_differ {
            self.needs = Needs::default();
            let needy = self.needy.iter().filter_map(|domain| self.tables.get(domain));
            needy.for_each(|table| self.needs.extend(table.needs.clone()));
        }
    }
}

fn note(domains: &mut BTreeSet<String>, domain: &str, is_one: bool) {
    if is_one {
        domains.insert(domain.to_owned());
    } else {
        domains.remove(domain);
    }
}

fn withdraw(name: &Arc<str>, resources: &mut Resources, origins: &mut Origins) {
    for kind in [ResourceKind::ScopedRoutes, ResourceKind::Routes] {
        resources.remove(kind, name);
        origins.remove(&(kind, Arc::clone(name)));
    }
}

impl Table {
    /// The table of a host; the earlier one, if that is still right.
    fn renew(
        module: &str,
        served: &Served<'_>,
        domain: &str,
        host: &Host,
        earlier: Option<Box<Self>>,
    ) -> Box<Self> {
        let around = served.around(host.listener);
        let known = earlier.filter(|table| table.holds(host, &around));
        known.unwrap_or_else(|| Box::new(Self::new(module, served, &around, domain, host)))
    }

    /// Puts its resources among a proxy's.
    fn put(&self, resources: &mut Resources, origins: &mut Origins) {
        let both = [(ResourceKind::ScopedRoutes, &self.scope), (ResourceKind::Routes, &self.table)];
        for (kind, resource) in both {
            origins.insert((kind, Arc::clone(&resource.name)), Arc::clone(&self.origin));
            resources.insert(kind, resource.clone());
        }
    }

    fn new(module: &str, served: &Served<'_>, around: &Around<'_>, domain: &str, host: &Host) -> Self {
        let key = xds::scope::key(served.port, domain);
        let name: Arc<str> = format!("{}/{}/{key}", served.key.0, served.key.1).into();
        let entries = host.entries();
        let problems = shadows(domain, &entries);
        let mut lowering = Lowering::default();
        let mut filters = lowering.filters_of_gateway(around.host, around.gateway);
        let label = if domain.is_empty() { "*" } else { domain };
        let virtual_host = lowering.virtual_host(around, (label, "*"), &entries);
        let mut needs = lowering.needs;
        let needs_filters = needs.is_any() || around.prerouting.is_some();
        filters.extend(xds::scope::of_table(module, &key, needs_filters));
        let mut configuration = RouteConfigurationBuilder::new(&name, &filters, &served.hidden());
        configuration.virtual_host(&virtual_host);
        needs.policies.extend(policies_of(host.routes.iter().flat_map(HostRoute::applied)));
        let scope = xds::scope::lower(&name, &key).encode_to_vec();
        Self {
            scope: Resource::of_bytes(Arc::clone(&name), scope.into()),
            table: Resource::of_bytes(name, configuration.finish().into()),
            origin: origin(served, around, host),
            gateway: around.gateway.clone(),
            listener: around.listener.clone(),
            chain: around.chain.clone(),
            prerouting: around.prerouting.as_ref().map(|(_, filters)| Arc::clone(filters)),
            routes: host.routes.clone(),
            needs,
            problems,
        }
    }

    /// Whether it is still right.
    fn holds(&self, host: &Host, around: &Around<'_>) -> bool {
        self.routes == host.routes
            && self.chain == around.chain
            && self.prerouting.as_ref() == around.prerouting.as_ref().map(|(_, filters)| *filters)
            && self.gateway == *around.gateway
            && self.listener == *around.listener
    }
}

/// The routes, what is attached to them, and the Gateway.
fn origin(served: &Served<'_>, around: &Around<'_>, host: &Host) -> Arc<[ObjectRef]> {
    let mut from: Vec<ObjectRef> = host.routes.iter().map(|route| route.reference.clone()).collect();
    let wider = [around.gateway, around.listener].into_iter();
    from.extend(policies_of(wider.chain(host.routes.iter().flat_map(HostRoute::applied))));
    from.extend(around.prerouting.iter().flat_map(|(_, filters)| filters.policies.iter().cloned()));
    from.sort();
    from.dedup();
    from.push(served.plan.reference.clone());
    from.into()
}
