//! Clusters and endpoints of the destinations in use, and the secrets of their TLS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::backend::Backend;
use crate::api::endpoint_slice::EndpointSlice;
use crate::api::service::{Service, ServicePort};
use crate::aws::{AwsEndpoint, Functions};
use crate::backend_tls::{BackendTls, Security, Trust};
use crate::backends::{Application, Destination, port_of};
use crate::gateways::tls::{CERTIFICATE, PRIVATE_KEY};
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::outcome::Context;
use crate::slices::Slices;
use crate::translation::{Origins, Resource, ResourceKind, Resources};
use crate::xds;

/// Clusters by destination; one is made again when its object or its TLS changes, its endpoints when a slice does.
#[derive(Default)]
pub(crate) struct Clusters {
    /// Boxed: a tree has room for more than it holds.
    lowered: BTreeMap<Destination, Option<Box<Lowered>>>,
    /// Those that are spoken to by TLS.
    secured: BTreeSet<Destination>,
    slices: Slices,
}

/// A resource, and what made it.
pub(crate) type Made = (Resource, Arc<[ObjectRef]>);

struct Lowered {
    source: Source,
    security: Security,
    /// By certificate that the Gateway shows, ascending; the one for none only, where there is no TLS.
    clusters: Box<[(Option<Key>, Resource)]>,
    endpoints: Option<Endpoints>,
    origin: Arc<[ObjectRef]>,
    /// The policy that secures it.
    policy: Option<ObjectRef>,
}

struct Endpoints {
    slices: Vec<Arc<EndpointSlice>>,
    resource: Resource,
}

enum Source {
    Backend(Arc<Backend>),
    Function(AwsEndpoint),
    Service(Arc<Service>),
}

/// Whose resources clusters are put among.
#[derive(Clone, Copy)]
pub(crate) struct Whose<'a> {
    pub(crate) gateway: &'a Key,
    pub(crate) world: &'a World,
    pub(crate) backend_tls: &'a BackendTls,
}

impl Clusters {
    /// Lowers the destinations among `touched` that are in use, and those whose EndpointSlices have changed. Returns all
    /// that it looked at.
    pub(crate) fn renew(
        &mut self,
        context: &Context<'_>,
        backend_tls: &BackendTls,
        mut touched: BTreeSet<Destination>,
        is_used: impl Fn(&Destination) -> bool,
    ) -> BTreeSet<Destination> {
        let Context { world, functions, .. } = *context;
        for service in self.slices.update(&world.endpoint_slices) {
            touched.extend(self.of_service(&service).cloned());
        }
        let clients = backend_tls.all_clients();
        for destination in &touched {
            let earlier = self.lowered.remove(destination).flatten();
            self.secured.remove(destination);
            if !is_used(destination) {
                continue;
            }
            let around = Around { world, functions, backend_tls, clients: &clients, slices: &self.slices };
            let lowered = around.lower(destination, earlier);
            if lowered.as_ref().is_some_and(|lowered| matches!(lowered.security, Security::Tls(_))) {
                self.secured.insert(destination.clone());
            }
            self.lowered.insert(destination.clone(), lowered);
        }
        touched
    }

    /// Those in use that any of these objects is.
    pub(crate) fn of_objects<'a>(
        &'a self,
        objects: &'a BTreeSet<Key>,
    ) -> impl Iterator<Item = &'a Destination> {
        objects.iter().flat_map(|key| self.of_service(key).chain(self.of_backend(key)))
    }

    /// All that are in use.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Destination> {
        self.lowered.keys()
    }

    fn of_service(&self, key: &Key) -> impl Iterator<Item = &Destination> {
        let (first, last) = Destination::ports(key);
        self.lowered.range(first..=last).map(|(destination, _)| destination)
    }

    fn of_backend(&self, key: &Key) -> impl Iterator<Item = &Destination> {
        let (first, last) = [Application::Http, Application::Udp]
            .map(|application| Destination::Backend(key.clone(), application))
            .into();
        self.lowered.range(first..=last).map(|(destination, _)| destination)
    }

    /// Renews the endpoints that depend on these EndpointSlices, which are all that has changed in the world. Returns
    /// those that are others now.
    pub(crate) fn renew_endpoints(&mut self, world: &World, slices: &[Key]) -> Vec<(Destination, Resource)> {
        let services = self.slices.update_some(&world.endpoint_slices, slices.iter());
        let mut renewed = Vec::new();
        for service in &services {
            let found = self.slices.of(service);
            let (first, last) = Destination::ports(service);
            for (destination, lowered) in self.lowered.range_mut(first..=last) {
                let before = lowered.as_deref().and_then(Lowered::endpoints_version);
                let Some(lowered) = lowered.as_mut().filter(|lowered| lowered.endpoints.is_some()) else {
                    continue;
                };
                lowered.renew_endpoints(destination, &found);
                let now = lowered.endpoints.as_ref().map(|endpoints| endpoints.resource.clone());
                let fresh = now.filter(|resource| Some(resource.version) != before);
                renewed.extend(fresh.map(|resource| (destination.clone(), resource)));
            }
        }
        renewed
    }

    /// A destination's cluster and endpoints, as far as it has them.
    pub(crate) fn resources(&self, whose: Whose<'_>, destination: &Destination) -> [Option<Made>; 2] {
        let Some(lowered) = self.lowered.get(destination).and_then(Option::as_deref) else {
            return [None, None];
        };
        let cluster = lowered.cluster(whose.backend_tls.client(whose.gateway));
        let endpoints = lowered.endpoints.as_ref().map(|endpoints| &endpoints.resource);
        [cluster, endpoints].map(|made| made.map(|resource| (resource.clone(), Arc::clone(&lowered.origin))))
    }

    /// Puts the clusters of `destinations` with what made them among a proxy's resources.
    pub(crate) fn put(
        &self,
        whose: Whose<'_>,
        destinations: &BTreeSet<&Destination>,
        resources: &mut Resources,
        origins: &mut Origins,
    ) {
        for destination in destinations {
            let kinds = [ResourceKind::Cluster, ResourceKind::Endpoints];
            let made = kinds.into_iter().zip(self.resources(whose, destination));
            for (kind, (resource, origin)) in made.filter_map(|(kind, made)| Some((kind, made?))) {
                origins.insert((kind, Arc::clone(&resource.name)), origin);
                resources.insert(kind, resource);
            }
        }
    }

    /// Puts the secrets of the TLS of those destinations that are in use among a proxy's resources.
    pub(crate) fn put_secrets(
        &self,
        whose: Whose<'_>,
        is_used: impl Fn(&Destination) -> bool,
        resources: &mut Resources,
        origins: &mut Origins,
    ) {
        let used = self.secured.iter().filter(|destination| is_used(destination));
        let lowered: Vec<&Lowered> = used.filter_map(|to| self.lowered.get(to)?.as_deref()).collect();
        for (resource, from) in whose.secrets(&lowered) {
            origins.insert((ResourceKind::Secret, Arc::clone(&resource.name)), from);
            resources.insert(ResourceKind::Secret, resource);
        }
    }
}

impl Whose<'_> {
    /// The authorities that clusters trust, and the certificate that backends are shown.
    fn secrets(&self, lowered: &[&Lowered]) -> Vec<(Resource, Arc<[ObjectRef]>)> {
        let secured = lowered.iter().filter_map(|one| match &one.security {
            Security::Tls(tls) => Some((&tls.trust, one.policy.as_ref()?)),
            _ => None,
        });
        let mut bundles = BTreeMap::new();
        let mut is_secured = false;
        for (trust, policy) in secured {
            is_secured = true;
            if let Trust::Bundle(name) = trust {
                bundles.entry(name).or_insert(policy);
            }
        }
        let bundles = bundles.into_iter().filter_map(|(name, policy)| self.authorities(name, policy));
        let client = self.backend_tls.client(self.gateway).filter(|_| is_secured);
        bundles.chain(client.and_then(|key| self.certificate(key))).collect()
    }

    fn authorities(&self, name: &str, policy: &ObjectRef) -> Option<(Resource, Arc<[ObjectRef]>)> {
        let key: Key = (Arc::clone(&policy.namespace), Arc::clone(&policy.name));
        let policy = self.backend_tls.policies.get(&key)?;
        let secret = xds::secret::authorities(name, &policy.authorities(), false);
        Some((Resource::new(name, &secret), policy.holders().into()))
    }

    fn certificate(&self, key: &Key) -> Option<(Resource, Arc<[ObjectRef]>)> {
        let secret = self.world.secrets.get(key)?;
        let name = certificate_name(key);
        let pair = (secret.value(CERTIFICATE)?, secret.value(PRIVATE_KEY)?);
        let secret = xds::secret::certificate(&name, pair.0, pair.1);
        Some((Resource::new(&name, &secret), [ObjectRef::at("", "Secret", key)].into()))
    }
}

/// Name of a certificate's SDS resource, towards clients and backends alike.
fn certificate_name((namespace, name): &Key) -> String {
    format!("{namespace}/{name}")
}

impl Lowered {
    /// The cluster for a Gateway that shows this certificate.
    fn cluster(&self, client: Option<&Key>) -> Option<&Resource> {
        let of =
            |client: Option<&Key>| self.clusters.binary_search_by(|(shown, _)| shown.as_ref().cmp(&client));
        let place = of(client).or_else(|_| of(None)).ok()?;
        Some(&self.clusters[place].1)
    }

    fn endpoints_version(&self) -> Option<u64> {
        self.endpoints.as_ref().map(|endpoints| endpoints.resource.version)
    }

    /// Makes its endpoints anew if they are not those of `slices`.
    fn renew_endpoints(&mut self, destination: &Destination, slices: &[&Arc<EndpointSlice>]) -> Option<()> {
        let (Source::Service(service), Destination::Service(_, port, application)) =
            (&self.source, destination)
        else {
            return None;
        };
        let same = |earlier: &Endpoints| {
            earlier.slices.len() == slices.len()
                && earlier.slices.iter().zip(slices).all(|(ours, theirs)| Arc::ptr_eq(ours, theirs))
        };
        if !self.endpoints.as_ref().is_some_and(same) {
            let port = port_of(service, *port, *application)?;
            self.endpoints = Some(endpoints(&destination.cluster(), port, slices));
        }
        Some(())
    }
}

/// What clusters are made from.
struct Around<'a> {
    world: &'a World,
    functions: &'a Functions,
    backend_tls: &'a BackendTls,
    clients: &'a BTreeSet<Option<Key>>,
    slices: &'a Slices,
}

impl Around<'_> {
    fn lower(&self, destination: &Destination, earlier: Option<Box<Lowered>>) -> Option<Box<Lowered>> {
        let source = Source::of(self.world, self.functions, destination)?;
        let (security, policy) = self.secured(&source, destination)?;
        let same = |earlier: &Lowered| {
            earlier.source.is(&source)
                && earlier.security == security
                && earlier.policy == policy
                && (!matches!(security, Security::Tls(_))
                    || earlier.clusters.iter().map(|(shown, _)| shown).eq(self.clients))
        };
        let mut lowered = match earlier.filter(|earlier| same(earlier)) {
            Some(earlier) => earlier,
            None => Box::new(self.fresh(source, destination, security, policy)?),
        };
        if let Destination::Service(key, ..) = destination
            && lowered.security != Security::Closed
        {
            lowered.renew_endpoints(destination, &self.slices.of(key))?;
        }
        Some(lowered)
    }

    /// How connections are secured, and who says so: of bytes that are passed on as they are, nobody.
    fn secured(&self, source: &Source, destination: &Destination) -> Option<(Security, Option<ObjectRef>)> {
        match (source, destination) {
            (Source::Service(service), Destination::Service(key, port, application))
                if !matches!(application, Application::Tls | Application::Udp) =>
            {
                Some(self.backend_tls.of(key, port_of(service, *port, *application)?))
            }
            _ => Some((Security::Plain, None)),
        }
    }

    fn fresh(
        &self,
        source: Source,
        destination: &Destination,
        security: Security,
        policy: Option<ObjectRef>,
    ) -> Option<Lowered> {
        let name = destination.cluster();
        let message = match (&source, destination) {
            (Source::Service(_), _) if security == Security::Closed => xds::cluster::closed(&name),
            (Source::Service(service), Destination::Service(_, port, application)) => {
                let port = port_of(service, *port, *application)?;
                xds::cluster::of_service(&name, port, *application)
            }
            (Source::Backend(backend), Destination::Backend(_, application)) => {
                xds::cluster::of_backend(&name, backend, *application)
            }
            (Source::Function(endpoint), _) => xds::cluster::of_function(&name, endpoint),
            _ => return None,
        };
        let clusters = match &security {
            Security::Tls(tls) => {
                let shown = |client: &Option<Key>| {
                    let certificate = client.as_ref().map(certificate_name);
                    let mut secured = message.clone();
                    secured.transport_socket = Some(xds::upstream_tls::lower(tls, certificate.as_deref()));
                    (client.clone(), Resource::new(&name, &secured))
                };
                self.clients.iter().map(shown).collect()
            }
            _ => [(None, Resource::new(&name, &message))].into(),
        };
        let origin = std::iter::once(destination.reference()).chain(policy.clone()).collect();
        Some(Lowered { source, security, clusters, endpoints: None, origin, policy })
    }
}

fn endpoints(name: &str, port: &ServicePort, slices: &[&Arc<EndpointSlice>]) -> Endpoints {
    let assignment = xds::cluster::endpoints(name, port, slices.iter().map(|slice| &***slice));
    let resource = Resource::new(name, &assignment);
    Endpoints { slices: slices.iter().map(|slice| Arc::clone(slice)).collect(), resource }
}

impl Source {
    fn of(world: &World, functions: &Functions, destination: &Destination) -> Option<Self> {
        Some(match destination {
            Destination::Backend(key, _) => match functions.endpoint(key)? {
                Some(endpoint) => Self::Function(endpoint.clone()),
                None => Self::Backend(Arc::clone(world.backends.get(key)?)),
            },
            Destination::Service(key, ..) => Self::Service(Arc::clone(world.services.get(key)?)),
        })
    }

    /// Objects are immutable, so the same address means the same content.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Backend(ours), Self::Backend(theirs)) => Arc::ptr_eq(ours, theirs),
            (Self::Function(ours), Self::Function(theirs)) => ours == theirs,
            (Self::Service(ours), Self::Service(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        }
    }
}
