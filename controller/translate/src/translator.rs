//! World in, translation out.
//!
//! Every stage is a plain function; what is carried from one translation to the next only saves work: a route, a Backend
//! or a cluster is looked at again when something that it depends on has changed, and a translator that carries nothing
//! gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use crate::backend_tls::{self, BackendTls, Used};
use crate::backends::{self, BackendOutcome, Destination};
use crate::carried::Carried;
use crate::changes::{Changes, Seen};
use crate::clusters::{Clusters, Whose};
use crate::gateways::{Credentials, GatewayPlan, Gateways, Protocol, Transport};
use crate::kinds::World;
use crate::object::Key;
use crate::outcome::{self, RouteId, RouteOutcome};
use crate::policies::PolicyIndex;
use crate::port::{self, Output, Sources, Tables};
use crate::report;
use crate::settings::Settings;
use crate::shared;
use crate::stream::{self, StreamOutcome};
use crate::translation::{Resource, Translation};

/// Translates worlds, one after the other.
#[derive(Default)]
pub struct Translator {
    settings: Settings,
    seen: Seen,
    credentials: Credentials,
    /// Which listeners took routes in the last world.
    openings: BTreeMap<Key, Vec<bool>>,
    policies: PolicyIndex,
    routes: Carried<RouteId, RouteOutcome>,
    streams: Carried<RouteId, StreamOutcome>,
    backends: Carried<Key, BackendOutcome>,
    clusters: Clusters,
    tables: Tables,
}

impl Translator {
    /// A translator that has seen nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Renews the endpoints that depend on these EndpointSlices, which are all that differs from the world that was
    /// translated last. Returns the resources that are others now, for each proxy that has one of their names.
    pub fn endpoints(&mut self, world: &World, slices: &[Key]) -> Vec<Resource> {
        let mut renewed = self.clusters.renew_endpoints(world, slices);
        let streams = self.streams.iter().map(|(_, outcome)| outcome);
        renewed.extend(streams.filter_map(|outcome| port::udp::endpoints(world, outcome)));
        renewed
    }

    /// Translates a world. Total: what is wrong becomes status and, for the routes concerned, a 500.
    pub fn translate(&mut self, world: &World) -> Translation {
        let gateways = Gateways::plan(world, &self.settings.controller_name, &mut self.credentials);
        let mut changes = self.seen.update(world);
        changes.context |= self.policies.update(world, &self.settings);
        let openings = gateways.openings();
        changes.context |= openings != self.openings;
        self.openings = openings;
        let backend_tls = BackendTls::plan(world, &gateways, &mut self.credentials);
        self.renew(world, &gateways, &backend_tls, &changes);
        let mut translation = Translation::default();
        let mut used = BTreeMap::new();
        for (key, plan) in &gateways.plans {
            let whose = Whose { gateway: key, world, backend_tls: &backend_tls };
            used.insert(key.clone(), self.gateway(whose, plan, &mut translation));
        }
        self.tables.settle();
        let found = report::Found {
            world,
            controller_name: &self.settings.controller_name,
            gateways: &gateways,
            routes: &self.routes,
            streams: &self.streams,
            backends: &self.backends,
            policies: &self.policies,
            backend_tls: &backend_tls,
            used: &used,
        };
        report::statuses(&found, &mut translation);
        translation
    }

    fn renew(&mut self, world: &World, gateways: &Gateways, backend_tls: &BackendTls, changes: &Changes) {
        let context =
            outcome::Context { settings: &self.settings, world, policies: &self.policies, gateways };
        self.routes.renew(outcome::Source::all(world), |id, source, earlier| {
            outcome::renew(&context, changes, id, source, earlier)
        });
        self.streams.renew(stream::Source::all(world), |id, source, earlier| {
            stream::renew(&context, changes, id, source, earlier)
        });
        let backends = world.backends.iter().map(|(key, backend)| (key.clone(), backend));
        self.backends.renew(backends, backends::outcome);
        let used = self.routes.iter().flat_map(|(_, outcome)| outcome.destinations());
        let streams = self.streams.iter().flat_map(|(_, outcome)| outcome.destinations());
        self.clusters.renew(world, backend_tls, &ascending(used.chain(streams).collect()));
    }

    /// Returns what it uses that may be secured.
    fn gateway(&mut self, whose: Whose<'_>, plan: &GatewayPlan, translation: &mut Translation) -> Used {
        let Whose { gateway: key, world, .. } = whose;
        let mut output = Output { tables: std::mem::take(&mut self.tables), ..Output::default() };
        let Self { settings, policies, routes, streams, .. } = &*self;
        let sources = Sources { settings, world, policies, key, plan, routes, streams };
        for (port, transport) in ports(plan) {
            port::lower(sources, port, transport, &mut output);
        }
        let Output { mut resources, mut origins, problems, needs, destinations, tables, .. } = output;
        let host = &settings.filter_host;
        shared::lower(world, host, &plan.reference, &needs, &mut resources, &mut origins);
        let destinations = ascending(destinations);
        self.clusters.put(whose, &destinations, &mut resources, &mut origins);
        let used = backend_tls::used(&destinations);
        self.tables = tables;
        translation.problems.extend(problems);
        translation.gateways.insert(key.clone(), resources);
        translation.origins.insert(key.clone(), origins);
        used
    }
}

/// The ports on which a Gateway has a listener that takes routes.
fn ports(plan: &GatewayPlan) -> BTreeSet<(u16, Transport)> {
    let open = plan.listeners.iter().filter(|listener| listener.takes_routes());
    open.filter_map(|listener| Some((listener.port, listener.protocol.map(Protocol::transport)?))).collect()
}

fn ascending(mut destinations: Vec<&Destination>) -> Vec<&Destination> {
    destinations.sort();
    destinations.dedup();
    destinations
}
