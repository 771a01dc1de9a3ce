//! A port of datagrams, which go to the backends of one route.
//!
//! Envoy's UDP proxy knows one cluster, so backends that share a route's datagrams are joined in one.

use std::sync::Arc;

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;

use super::{Output, Sources, tcp};
use crate::api::endpoint_slice::{EndpointSlice, SERVICE_NAME};
use crate::backends::{Application, Destination, port_of};
use crate::gateways::Protocol;
use crate::kinds::World;
use crate::object::ObjectRef;
use crate::stream::{Share, StreamOutcome};
use crate::translation::{Resource, ResourceKind};
use crate::xds;
use crate::xds::udp::{Host, Part};

/// Puts the listener at that place among a proxy's resources; a port without a route is not bound at all, which tells
/// clients more than silence does.
pub(super) fn lower<'a>(sources: Sources<'a>, place: usize, output: &mut Output<'a>) {
    let Some(outcome) = tcp::winner(sources, place) else { return };
    let Some(cluster) = cluster(sources, outcome, output) else { return };
    let port = sources.plan.listeners[place].port;
    let name = format!("{}/{}/{port}/udp", sources.key.0, sources.key.1);
    let listener = xds::udp::listener(&name, port, &cluster);
    let from: Arc<[ObjectRef]> = [sources.plan.reference.clone(), outcome.reference.clone()].into();
    output.insert(ResourceKind::Listener, &name, &listener, from);
}

/// The cluster that a route's datagrams go to, if any of them goes anywhere.
fn cluster<'a>(sources: Sources<'a>, outcome: &'a StreamOutcome, output: &mut Output<'a>) -> Option<String> {
    let shares = outcome.shares(Protocol::Udp);
    shares.iter().find_map(|share| share.to.as_ref())?;
    if let [Share { to: Some(only), .. }] = shares {
        output.destinations.push(only);
        return Some(only.cluster());
    }
    let name = name(outcome);
    let from: Arc<[ObjectRef]> = [outcome.reference.clone()].into();
    let (cluster, endpoints) = joined(sources.world, outcome);
    output.insert(ResourceKind::Cluster, &name, &cluster, Arc::clone(&from));
    if let Some(endpoints) = endpoints {
        output.insert(ResourceKind::Endpoints, &name, &endpoints, from);
    }
    Some(name)
}

/// The endpoints of the cluster that backends of a route share, where they come by EDS: those that a change of
/// EndpointSlices alone may change.
pub(crate) fn endpoints(world: &World, outcome: &StreamOutcome) -> Option<Resource> {
    let shares = outcome.shares(Protocol::Udp);
    let is_joined = shares.len() > 1 && shares.iter().any(|share| share.to.is_some());
    let endpoints = is_joined.then(|| joined(world, outcome).1)??;
    Some(Resource::new(&name(outcome), &endpoints))
}

fn name(outcome: &StreamOutcome) -> String {
    format!("udproute/{}/{}", outcome.reference.namespace, outcome.reference.name)
}

fn joined(world: &World, outcome: &StreamOutcome) -> (Cluster, Option<ClusterLoadAssignment>) {
    let parts: Vec<Part> = outcome.shares(Protocol::Udp).iter().map(|share| part(world, share)).collect();
    let needs_dns = parts.iter().flat_map(|part| &part.hosts).any(Host::is_name);
    xds::udp::joined(&name(outcome), &parts, needs_dns)
}

fn part(world: &World, share: &Share) -> Part {
    let hosts = share.to.as_ref().map(|to| hosts(world, to)).unwrap_or_default();
    Part { weight: share.weight, hosts }
}

fn hosts(world: &World, to: &Destination) -> Vec<Host> {
    let found = match to {
        Destination::Backend(key, _) => {
            let fixed = world.backends.get(key).and_then(|backend| backend.spec.fixed.as_ref());
            fixed.map(|fixed| fixed.hosts.iter().map(|host| Host::new(&host.host, host.port)).collect())
        }
        Destination::Service(key, port, _) => {
            let service = world.services.get(key);
            let port = service.and_then(|service| port_of(service, *port, Application::Udp));
            port.map(|port| {
                let slices = slices(world, &key.0, &key.1);
                xds::cluster::hosts(port, slices)
                    .into_iter()
                    .map(|(host, port)| Host::new(host, port))
                    .collect()
            })
        }
    };
    found.unwrap_or_default()
}

fn slices<'a>(
    world: &'a World,
    namespace: &'a str,
    service: &'a str,
) -> impl Iterator<Item = &'a EndpointSlice> {
    let first = (namespace.into(), "".into());
    let here = world.endpoint_slices.range(first..).take_while(move |(key, _)| &*key.0 == namespace);
    let is_its = move |slice: &&EndpointSlice| {
        slice.metadata.labels.get(SERVICE_NAME).is_some_and(|name| name == service)
    };
    here.map(|(_, slice)| &**slice).filter(is_its)
}
