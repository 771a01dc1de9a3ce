//! World in, translation out.
//!
//! Every stage is a plain function; what is carried from one translation to the next only saves work: a route, a Backend
//! or a cluster is looked at again when something that it depends on has changed, and a translator that carries nothing
//! gives the same bytes.

use std::collections::BTreeSet;

use crate::backends::{self, BackendOutcome, Destination};
use crate::carried::Carried;
use crate::changes::{Changes, Seen};
use crate::clusters::Clusters;
use crate::gateways::{GatewayPlan, Gateways};
use crate::kinds::World;
use crate::needs::Needs;
use crate::object::Key;
use crate::outcome::{self, RouteId, RouteOutcome};
use crate::policies::PolicyIndex;
use crate::port::http::{self as port, Served};
use crate::report;
use crate::settings::Settings;
use crate::shared;
use crate::translation::{Origins, Resources, Translation};

/// Translates worlds, one after the other.
#[derive(Default)]
pub struct Translator {
    settings: Settings,
    seen: Seen,
    policies: PolicyIndex,
    routes: Carried<RouteId, RouteOutcome>,
    backends: Carried<Key, BackendOutcome>,
    clusters: Clusters,
}

impl Translator {
    /// A translator that has seen nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Translates a world. Total: what is wrong becomes status and, for the routes concerned, a 500.
    pub fn translate(&mut self, world: &World) -> Translation {
        let gateways = Gateways::plan(world, &self.settings.controller_name);
        let mut changes = self.seen.update(world);
        changes.context |= self.policies.update(world, &self.settings);
        self.renew(world, &gateways, &changes);
        let mut translation = Translation::default();
        for (key, plan) in &gateways.plans {
            self.gateway(world, key, plan, &mut translation);
        }
        let found = report::Found {
            world,
            controller_name: &self.settings.controller_name,
            gateways: &gateways,
            routes: &self.routes,
            backends: &self.backends,
            policies: &self.policies,
        };
        report::statuses(&found, &mut translation);
        translation
    }

    fn renew(&mut self, world: &World, gateways: &Gateways, changes: &Changes) {
        let context =
            outcome::Context { settings: &self.settings, world, policies: &self.policies, gateways };
        self.routes.renew(outcome::Source::all(world), |id, source, earlier| {
            outcome::renew(&context, changes, id, source, earlier)
        });
        let backends = world.backends.iter().map(|(key, backend)| (key.clone(), backend));
        self.backends.renew(backends, backends::outcome);
        let used = self.routes.iter().flat_map(|(_, outcome)| outcome.destinations());
        self.clusters.renew(world, &ascending(used.collect()));
    }

    fn gateway(&self, world: &World, key: &Key, plan: &GatewayPlan, translation: &mut Translation) {
        let mut resources = Resources::default();
        let mut origins = Origins::default();
        let mut destinations: Vec<&Destination> = Vec::new();
        let open = plan.listeners.iter().filter(|listener| listener.takes_routes());
        let ports: BTreeSet<u16> = open.map(|listener| listener.port).collect();
        let mut needs = Needs::default();
        for port in ports {
            let mut served = Served::new(&self.settings, &self.policies, key, plan, port);
            for (_, outcome) in self.routes.iter() {
                let attached: Vec<usize> = outcome.attached_to(key).collect();
                if served.add(outcome, &attached) {
                    destinations.extend(outcome.destinations());
                }
            }
            needs.extend(port::lower(served, &mut resources, &mut origins, &mut translation.problems));
        }
        let host = &self.settings.filter_host;
        shared::lower(world, host, &plan.reference, &needs, &mut resources, &mut origins);
        self.clusters.put(&ascending(destinations), &mut resources, &mut origins);
        translation.gateways.insert(key.clone(), resources);
        translation.origins.insert(key.clone(), origins);
    }
}

fn ascending(mut destinations: Vec<&Destination>) -> Vec<&Destination> {
    destinations.sort();
    destinations.dedup();
    destinations
}
