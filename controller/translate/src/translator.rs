//! World in, translation out.
//!
//! Every stage is a plain function; what is kept between two translations only saves work: a route or a cluster is
//! lowered again when one of its inputs has changed, and a translator that kept nothing gives the same bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use envoy_types::pb::google::protobuf::Any;

use crate::api::backend::Backend;
use crate::api::http_route::HTTPRoute;
use crate::api::service::Service;
use crate::attach::{Attachment, attach};
use crate::backends::Destination;
use crate::gateways::{self, GatewayPlan};
use crate::object::{Key, ObjectRef};
use crate::policies::{Applied, PolicyIndex};
use crate::port::{self, Served};
use crate::problem::Problem;
use crate::report;
use crate::route::{self, LoweredRoute, RouteInputs};
use crate::translation::{Origins, Resource, ResourceKind, Resources, Translation};
use crate::world::World;
use crate::xds;

/// Where filters run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterHost {
    /// In a dynamic module of that name: `lib<name>.so` in Envoy's search path.
    Native {
        /// Name of the module.
        module: String,
    },
    /// In proxy-wasm modules.
    Wasm {
        /// Folder on the proxy's machine that has `<filter>.wasm`.
        directory: String,
    },
}

/// What the operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Classes with this controller name are ours.
    pub controller_name: String,
    /// Where filters run.
    pub filter_host: FilterHost,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            controller_name: "ferrule.dev/gateway-controller".to_owned(),
            filter_host: FilterHost::Native { module: "ferrule".to_owned() },
        }
    }
}

impl Settings {
    pub(crate) fn per_route(&self, applied: &Applied) -> HashMap<String, Any> {
        xds::filter::per_route(&self.filter_host, applied)
    }
}

/// Translates worlds, one after the other.
#[derive(Default)]
pub struct Translator {
    settings: Settings,
    policies: PolicyIndex,
    routes: HashMap<(Key, u16), KeptRoute>,
    clusters: HashMap<Destination, KeptCluster>,
}

struct KeptRoute {
    inputs: RouteInputs,
    lowered: Arc<LoweredRoute>,
}

struct KeptCluster {
    source: ClusterSource,
    resource: Resource,
}

/// What a cluster is made of; objects are immutable, so their address stands for their content.
enum ClusterSource {
    Backend(Arc<Backend>),
    Service(Arc<Service>),
}

/// A route with its attachments and, by port, what it became.
pub(crate) struct RouteOutcome<'a> {
    pub(crate) key: &'a Key,
    pub(crate) route: &'a Arc<HTTPRoute>,
    pub(crate) reference: ObjectRef,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) lowered: BTreeMap<u16, Arc<LoweredRoute>>,
    pub(crate) destinations: BTreeSet<Destination>,
}

impl Translator {
    /// A translator that has seen nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Translates a world. Total: what is wrong becomes status and, for the routes concerned, a 500.
    pub fn translate(&mut self, world: &World) -> Translation {
        let gateways = gateways::plan(world, &self.settings.controller_name);
        self.policies.update(world);
        let outcomes = self.outcomes(world, &gateways);
        let mut translation = Translation::default();
        for (key, plan) in &gateways {
            self.gateway(world, key, plan, &outcomes, &mut translation);
        }
        let used: BTreeSet<&Destination> =
            outcomes.iter().flat_map(|outcome| &outcome.destinations).collect();
        self.clusters.retain(|destination, _| used.contains(destination));
        report::statuses(
            world,
            &self.settings.controller_name,
            &gateways,
            &outcomes,
            &self.policies,
            &mut translation,
        );
        translation
    }

    fn outcomes<'a>(
        &mut self,
        world: &'a World,
        gateways: &BTreeMap<Key, GatewayPlan>,
    ) -> Vec<RouteOutcome<'a>> {
        let mut kept = std::mem::take(&mut self.routes);
        let outcomes = world.http_routes.iter().map(|(key, route)| {
            let reference = route::reference(key);
            let attachments = attach(world, gateways, &reference, route);
            let mut outcome = RouteOutcome {
                key,
                route,
                reference,
                attachments,
                lowered: BTreeMap::new(),
                destinations: BTreeSet::new(),
            };
            for port in ports(gateways, &outcome.attachments) {
                self.lower_route(world, &mut kept, port, &mut outcome);
            }
            outcome
        });
        outcomes.collect()
    }

    fn lower_route(
        &mut self,
        world: &World,
        kept: &mut HashMap<(Key, u16), KeptRoute>,
        port: u16,
        outcome: &mut RouteOutcome<'_>,
    ) {
        let inputs = route::inputs(world, &self.policies, outcome.key, outcome.route, port);
        outcome.destinations.extend(inputs.resolved.iter().flatten().flatten().cloned());
        let place = (outcome.key.clone(), port);
        let known = kept.remove(&place).filter(|known| known.inputs == inputs);
        let known = known.unwrap_or_else(|| {
            let lowered = Arc::new(route::lower(&self.settings, outcome.key, &inputs));
            KeptRoute { inputs, lowered }
        });
        outcome.lowered.insert(port, Arc::clone(&known.lowered));
        self.routes.insert(place, known);
    }

    fn gateway(
        &mut self,
        world: &World,
        key: &Key,
        plan: &GatewayPlan,
        outcomes: &[RouteOutcome<'_>],
        translation: &mut Translation,
    ) {
        let mut resources = Resources::default();
        let mut origins = Origins::default();
        let mut destinations = BTreeSet::new();
        let open: BTreeSet<u16> = plan
            .listeners
            .iter()
            .filter(|listener| listener.takes_routes())
            .map(|listener| listener.port)
            .collect();
        for port in open {
            let mut served = Served::new(&self.settings, &self.policies, key, plan, port);
            for outcome in outcomes {
                let attached: Vec<usize> = attached_to(outcome, key).collect();
                if served.add(outcome, &attached) {
                    destinations.extend(outcome.destinations.iter().cloned());
                }
            }
            port::lower(served, &mut resources, &mut origins, &mut translation.problems);
        }
        for destination in destinations {
            self.cluster(world, &destination, &mut resources, &mut origins);
        }
        translation.gateways.insert(key.clone(), resources);
        translation.origins.insert(key.clone(), origins);
    }

    fn cluster(
        &mut self,
        world: &World,
        destination: &Destination,
        resources: &mut Resources,
        origins: &mut Origins,
    ) {
        let Some(resource) = self.cluster_resource(world, destination) else { return };
        let origin = vec![destination.reference()];
        if let Destination::Service(key, port) = destination
            && let Some(service) = world.services.get(key)
            && let Some(port) = service.spec.ports.iter().find(|known| known.port == *port)
        {
            let assignment = xds::cluster::endpoints(&resource.name, port, world.slices_of(&key.0, &key.1));
            resources.insert(ResourceKind::Endpoints, Resource::new(&resource.name, &assignment));
            origins.insert((ResourceKind::Endpoints, Arc::clone(&resource.name)), origin.clone());
        }
        origins.insert((ResourceKind::Cluster, Arc::clone(&resource.name)), origin);
        resources.insert(ResourceKind::Cluster, resource);
    }

    fn cluster_resource(&mut self, world: &World, destination: &Destination) -> Option<Resource> {
        let source = match destination {
            Destination::Backend(key) => ClusterSource::Backend(Arc::clone(world.backends.get(key)?)),
            Destination::Service(key, _) => ClusterSource::Service(Arc::clone(world.services.get(key)?)),
        };
        if let Some(kept) = self.clusters.get(destination).filter(|kept| kept.source.is(&source)) {
            return Some(kept.resource.clone());
        }
        let name = destination.cluster();
        let message = match (&source, destination) {
            (ClusterSource::Service(service), Destination::Service(_, port)) => {
                xds::cluster::of_service(&name, service.spec.ports.iter().find(|known| known.port == *port)?)
            }
            (ClusterSource::Backend(backend), _) => xds::cluster::of_backend(&name, backend),
            (ClusterSource::Service(_), Destination::Backend(_)) => return None,
        };
        let resource = Resource::new(&name, &message);
        self.clusters.insert(destination.clone(), KeptCluster { source, resource: resource.clone() });
        Some(resource)
    }
}

impl ClusterSource {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Backend(ours), Self::Backend(theirs)) => Arc::ptr_eq(ours, theirs),
            (Self::Service(ours), Self::Service(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        }
    }
}

fn ports(gateways: &BTreeMap<Key, GatewayPlan>, attachments: &[Attachment]) -> BTreeSet<u16> {
    let listeners = attachments.iter().flat_map(|attachment| {
        let plan = gateways.get(&attachment.gateway);
        attachment.listeners.iter().filter_map(move |place| Some(plan?.listeners.get(*place)?.port))
    });
    listeners.collect()
}

fn attached_to<'a>(outcome: &'a RouteOutcome<'_>, gateway: &'a Key) -> impl Iterator<Item = usize> + 'a {
    let here = outcome.attachments.iter().filter(move |attachment| attachment.gateway == *gateway);
    here.flat_map(|attachment| attachment.listeners.iter().copied())
}

impl RouteOutcome<'_> {
    /// Everything that is wrong with the route itself, on any port, once.
    pub(crate) fn problems(&self) -> Vec<&Problem> {
        let mut problems: Vec<&Problem> =
            self.lowered.values().flat_map(|lowered| &lowered.problems).collect();
        problems.sort();
        problems.dedup();
        problems
    }
}
