//! The ports of a Gateway: what each serves, by the protocol of the listeners that share it.

mod host;
pub(crate) mod http;
mod tables;
mod tcp;
mod tls;
pub(crate) mod udp;

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message;

use crate::backends::Destination;
use crate::carried::Carried;
use crate::gateways::{GatewayPlan, Protocol, Transport};
use crate::kinds::World;
use crate::needs::Needs;
use crate::object::{Key, ObjectRef};
use crate::outcome::RouteId;
use crate::problem::Problem;
use crate::proxy::HttpPorts;
use crate::stream::StreamOutcome;
use crate::translation::{Origins, Resource, ResourceKind, Resources};
use crate::xds::listener::Chain;
use crate::xds::{self};
pub(crate) use http::Served;
pub(crate) use tables::Hosts;

/// What a port is made from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) world: &'a World,
    pub(crate) key: &'a Key,
    pub(crate) plan: &'a GatewayPlan,
    /// Its ports that speak HTTP, and their hosts.
    pub(crate) http: &'a HttpPorts<'a>,
    pub(crate) hosts: &'a BTreeMap<u16, Hosts>,
    pub(crate) streams: &'a Carried<RouteId, StreamOutcome>,
}

/// What has been made of a Gateway so far.
#[derive(Default)]
pub(crate) struct Output<'a> {
    pub(crate) resources: Resources,
    pub(crate) origins: Origins,
    pub(crate) problems: Vec<Problem>,
    pub(crate) needs: Needs,
    /// Where its routes below HTTP lead, in any order.
    pub(crate) destinations: Vec<&'a Destination>,
    /// Routes below HTTP that the port in hand serves.
    pub(crate) served: Vec<ObjectRef>,
}

impl<'a> Output<'a> {
    /// Notes that a route is served.
    fn serve(&mut self, outcome: &'a StreamOutcome) {
        self.destinations.extend(outcome.destinations());
        self.served.push(outcome.reference.clone());
    }

    /// Puts a message in, made from these objects.
    fn insert(&mut self, kind: ResourceKind, name: &str, message: &impl Message, from: Arc<[ObjectRef]>) {
        let resource = Resource::new(name, message);
        self.origins.insert((kind, Arc::clone(&resource.name)), from);
        self.resources.insert(kind, resource);
    }
}

/// Lowers a port of one transport protocol that has listeners.
pub(crate) fn lower<'a>(sources: Sources<'a>, port: u16, transport: Transport, output: &mut Output<'a>) {
    let Sources { plan, key, .. } = sources;
    let open: Vec<usize> = plan.open(port, transport).collect();
    let chains = match open.iter().find_map(|place| plan.listeners[*place].protocol) {
        None => return,
        Some(Protocol::Udp) => return open.iter().for_each(|place| udp::lower(sources, *place, output)),
        Some(Protocol::Http) => http(sources, port, output).map(Chain::of_all).into_iter().collect(),
        Some(Protocol::Tcp) => {
            open.iter().map(|place| Chain::of_all(tcp::lower(sources, *place, output))).collect()
        }
        Some(Protocol::Https | Protocol::TlsTerminate | Protocol::TlsPassthrough) => {
            let is_https = |place: &usize| plan.listeners[*place].protocol == Some(Protocol::Https);
            let http = open.iter().any(is_https).then(|| http(sources, port, output)).flatten();
            tls::chains(sources, &open, http.as_ref(), output)
        }
    };
    let name = format!("{}/{}/{port}", key.0, key.1);
    let from = std::iter::once(plan.reference.clone()).chain(output.served.drain(..)).collect();
    if chains.is_empty() {
        // Envoy takes no listener without chains; none of these is fit to serve, as their status says.
        return;
    }
    let listener = xds::listener::lower(&name, port, chains);
    output.insert(ResourceKind::Listener, &name, &listener, from);
}

/// What the HTTP connections of a port end up in.
fn http(sources: Sources<'_>, port: u16, output: &mut Output<'_>) -> Option<xds::listener::NetworkFilter> {
    let (served, hosts) = (sources.http.get(&port)?, sources.hosts.get(&port)?);
    let Output { resources, origins, problems, needs, .. } = output;
    let (of_port, manager) = http::lower(served, hosts, resources, origins, problems);
    needs.extend(of_port);
    Some(manager)
}
