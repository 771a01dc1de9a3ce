//! What is carried of one Gateway: its hosts, where its HTTPRoutes and GRPCRoutes lead, and the resources that there are
//! thousands of.
//!
//! Invariant: what a route changes is worked off host by host and destination by destination; others are not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::backends::Destination;
use crate::clusters::{Clusters, Whose};
use crate::object::Key;
use crate::outcome::RouteOutcome;
use crate::port::{Hosts, Served};
use crate::settings::Settings;
use crate::translation::{Origins, ResourceKind, Resources};

/// The ports of a Gateway that speak HTTP.
pub(crate) type HttpPorts<'a> = BTreeMap<u16, Served<'a>>;

/// What is carried of a Gateway.
#[derive(Default)]
pub(crate) struct Proxy {
    /// How often a route, or a listener's filter, leads to each destination.
    uses: BTreeMap<Destination, usize>,
    /// Destinations that have come into use, or out of it.
    touched: BTreeSet<Destination>,
    hosts: BTreeMap<u16, Hosts>,
    resources: Resources,
    origins: Origins,
}

impl Proxy {
    /// Begins anew with these ports and no routes. What hosts became is kept to be compared with.
    pub(crate) fn begin(&mut self, ports: &HttpPorts<'_>) {
        self.touched.extend(std::mem::take(&mut self.uses).into_keys());
        (self.resources, self.origins) = (Resources::default(), Origins::default());
        self.hosts.retain(|port, _| ports.contains_key(port));
        for (port, served) in ports {
            self.hosts.entry(*port).or_default().begin(served);
            let destinations = served.prerouting().flat_map(|(_, filters)| &filters.destinations);
            destinations.for_each(|destination| self.enter_destination(destination));
        }
    }

    /// Takes a route in.
    pub(crate) fn enter(&mut self, gateway: &Key, ports: &HttpPorts<'_>, outcome: &RouteOutcome) {
        outcome.destinations().for_each(|destination| self.enter_destination(destination));
        for (port, hosts) in &mut self.hosts {
            let Some(served) = ports.get(port) else { continue };
            served.hosts_of(gateway, outcome).into_iter().for_each(|one| hosts.enter(one));
        }
    }

    fn enter_destination(&mut self, destination: &Destination) {
        let uses = self.uses.entry(destination.clone()).or_default();
        *uses += 1;
        if *uses == 1 {
            self.touched.insert(destination.clone());
        }
    }

    /// Takes a route out that was taken in with the same ports.
    pub(crate) fn leave(&mut self, gateway: &Key, ports: &HttpPorts<'_>, outcome: &RouteOutcome) {
        for destination in outcome.destinations() {
            let Some(uses) = self.uses.get_mut(destination) else { continue };
            *uses -= 1;
            if *uses == 0 {
                self.uses.remove(destination);
                self.touched.insert(destination.clone());
            }
        }
        for (port, hosts) in &mut self.hosts {
            let Some(served) = ports.get(port) else { continue };
            for one in served.hosts_of(gateway, outcome) {
                hosts.leave(served, &one);
            }
        }
    }

    /// Whether any of its routes leads there.
    pub(crate) fn uses(&self, destination: &Destination) -> bool {
        self.uses.contains_key(destination)
    }

    /// Where its routes lead.
    pub(crate) fn used(&self) -> &BTreeMap<Destination, usize> {
        &self.uses
    }

    /// Destinations that have come into use, or out of it, since this was last asked.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<Destination> {
        std::mem::take(&mut self.touched)
    }

    /// Brings the resources of `touched` destinations, and of hosts whose routes have changed, up to date.
    pub(crate) fn lower(
        &mut self,
        settings: &Settings,
        whose: Whose<'_>,
        ports: &HttpPorts<'_>,
        (clusters, touched): (&Clusters, &BTreeSet<Destination>),
    ) {
        for destination in touched {
            self.put_cluster(whose, clusters, destination);
        }
        let Some(module) = settings.scopes() else { return };
        for (port, hosts) in &mut self.hosts {
            if let Some(served) = ports.get(port) {
                hosts.lower(module, served, &mut self.resources, &mut self.origins);
            }
        }
    }

    fn put_cluster(&mut self, whose: Whose<'_>, clusters: &Clusters, destination: &Destination) {
        let used = if self.uses(destination) { Some(destination) } else { None };
        let found = used.map(|used| clusters.resources(whose, used)).unwrap_or_default();
        let name = destination.cluster();
        for (kind, resource) in [ResourceKind::Cluster, ResourceKind::Endpoints].into_iter().zip(found) {
            match resource {
                Some((resource, origin)) => {
                    self.origins.insert((kind, Arc::clone(&resource.name)), origin);
                    self.resources.insert(kind, resource);
                }
                None => {
                    self.resources.remove(kind, &name);
                    self.origins.remove(&(kind, name.as_str().into()));
                }
            }
        }
    }

    /// Puts endpoints in the place of those that it has.
    pub(crate) fn renew_endpoints(&mut self, destination: &Destination, endpoints: &crate::Resource) {
        if self.uses(destination) {
            self.resources.insert(ResourceKind::Endpoints, endpoints.clone());
        }
    }

    /// The hosts of its ports.
    pub(crate) fn hosts(&self) -> &BTreeMap<u16, Hosts> {
        &self.hosts
    }

    /// Its resources with what made them, as far as they are carried.
    pub(crate) fn resources(&self) -> (Resources, Origins) {
        (self.resources.clone(), self.origins.clone())
    }
}
