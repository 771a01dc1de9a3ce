//! Clusters and endpoints of the destinations in use.

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::backend::Backend;
use crate::api::endpoint_slice::{EndpointSlice, SERVICE_NAME};
use crate::api::service::{Service, ServicePort};
use crate::backends::{Destination, port_of};
use crate::carried::Carried;
use crate::kinds::World;
use crate::object::ObjectRef;
use crate::translation::{Origins, Resource, ResourceKind, Resources};
use crate::xds;

/// Clusters by destination; one is made again when its object changes, its endpoints when a slice does.
#[derive(Default)]
pub(crate) struct Clusters(Carried<Destination, Option<Lowered>>);

struct Lowered {
    source: Source,
    cluster: Resource,
    endpoints: Option<Endpoints>,
    origin: Arc<[ObjectRef]>,
}

struct Endpoints {
    slices: Vec<Arc<EndpointSlice>>,
    resource: Resource,
}

enum Source {
    Backend(Arc<Backend>),
    Service(Arc<Service>),
}

impl Clusters {
    /// Lowers `destinations`, which ascend, and forgets all others.
    pub(crate) fn renew(&mut self, world: &World, destinations: &[&Destination]) {
        let needs_slices = destinations.iter().any(|to| matches!(to, Destination::Service(..)));
        let slices = if needs_slices { by_service(world) } else { HashMap::new() };
        let sources = destinations.iter().map(|to| ((*to).clone(), *to));
        self.0
            .renew(sources, |_, destination, earlier| lower(world, &slices, destination, earlier.flatten()));
    }

    /// Puts the clusters of `destinations` with what made them among a proxy's resources.
    pub(crate) fn put(
        &self,
        destinations: &[&Destination],
        resources: &mut Resources,
        origins: &mut Origins,
    ) {
        let lowered: Vec<&Lowered> = self.0.select(destinations.iter().copied()).flatten().collect();
        resources.extend(ResourceKind::Cluster, lowered.iter().map(|one| one.cluster.clone()));
        let endpoints = lowered.iter().filter_map(|one| one.endpoints.as_ref());
        resources.extend(ResourceKind::Endpoints, endpoints.map(|endpoints| endpoints.resource.clone()));
        let all = lowered.iter().flat_map(|one| one.origins());
        origins.append(&mut all.collect());
    }
}

impl Lowered {
    fn origins(&self) -> impl Iterator<Item = ((ResourceKind, Arc<str>), Arc<[ObjectRef]>)> {
        let endpoints = self.endpoints.as_ref().map(|_| ResourceKind::Endpoints);
        let kinds = std::iter::once(ResourceKind::Cluster).chain(endpoints);
        kinds.map(|kind| ((kind, Arc::clone(&self.cluster.name)), Arc::clone(&self.origin)))
    }
}

fn lower(
    world: &World,
    slices: &HashMap<(&str, &str), Vec<&Arc<EndpointSlice>>>,
    destination: &Destination,
    earlier: Option<Lowered>,
) -> Option<Lowered> {
    let source = Source::of(world, destination)?;
    let mut lowered = match earlier.filter(|earlier| earlier.source.is(&source)) {
        Some(earlier) => earlier,
        None => fresh(source, destination)?,
    };
    if let (Source::Service(service), Destination::Service(key, port, application)) =
        (&lowered.source, destination)
    {
        let slices = slices.get(&(&*key.0, &*key.1)).map_or(&[][..], Vec::as_slice);
        let same = |earlier: &Endpoints| {
            earlier.slices.len() == slices.len()
                && earlier.slices.iter().zip(slices).all(|(ours, theirs)| Arc::ptr_eq(ours, theirs))
        };
        if !lowered.endpoints.as_ref().is_some_and(same) {
            lowered.endpoints =
                Some(endpoints(&lowered.cluster.name, port_of(service, *port, *application)?, slices));
        }
    }
    Some(lowered)
}

fn fresh(source: Source, destination: &Destination) -> Option<Lowered> {
    let name = destination.cluster();
    let message = match (&source, destination) {
        (Source::Service(service), Destination::Service(_, port, application)) => {
            xds::cluster::of_service(&name, port_of(service, *port, *application)?, *application)
        }
        (Source::Backend(backend), Destination::Backend(_, application)) => {
            xds::cluster::of_backend(&name, backend, *application)
        }
        _ => return None,
    };
    let cluster = Resource::new(&name, &message);
    Some(Lowered { source, cluster, endpoints: None, origin: [destination.reference()].into() })
}

fn endpoints(name: &str, port: &ServicePort, slices: &[&Arc<EndpointSlice>]) -> Endpoints {
    let assignment = xds::cluster::endpoints(name, port, slices.iter().map(|slice| &***slice));
    let resource = Resource::new(name, &assignment);
    Endpoints { slices: slices.iter().map(|slice| Arc::clone(slice)).collect(), resource }
}

/// Slices by namespace and name of their Service, in the order of their own names.
fn by_service(world: &World) -> HashMap<(&str, &str), Vec<&Arc<EndpointSlice>>> {
    let mut slices: HashMap<(&str, &str), Vec<&Arc<EndpointSlice>>> = HashMap::new();
    for ((namespace, _), slice) in &world.endpoint_slices {
        if let Some(service) = slice.metadata.labels.get(SERVICE_NAME) {
            slices.entry((&**namespace, service.as_str())).or_default().push(slice);
        }
    }
    slices
}

impl Source {
    fn of(world: &World, destination: &Destination) -> Option<Self> {
        Some(match destination {
            Destination::Backend(key, _) => Self::Backend(Arc::clone(world.backends.get(key)?)),
            Destination::Service(key, ..) => Self::Service(Arc::clone(world.services.get(key)?)),
        })
    }

    /// Objects are immutable, so the same address means the same content.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Backend(ours), Self::Backend(theirs)) => Arc::ptr_eq(ours, theirs),
            (Self::Service(ours), Self::Service(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        }
    }
}
