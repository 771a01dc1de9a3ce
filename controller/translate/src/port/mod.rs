//! The ports of a Gateway: what each serves, by the protocol of the listeners that share it.

mod host;
pub(crate) mod http;
mod tables;
mod tcp;
mod tls;
pub(crate) mod udp;

use std::sync::Arc;

use prost::Message;

use crate::backends::Destination;
use crate::carried::Carried;
use crate::gateways::{GatewayPlan, Protocol, Transport};
use crate::kinds::World;
use crate::needs::Needs;
use crate::object::{Key, ObjectRef};
use crate::outcome::{RouteId, RouteOutcome};
use crate::policies::PolicyIndex;
use crate::problem::Problem;
use crate::settings::Settings;
use crate::stream::StreamOutcome;
use crate::translation::{Origins, Resource, ResourceKind, Resources};
use crate::xds::listener::Chain;
use crate::xds::{self};
use http::Served;
pub(crate) use tables::Tables;

/// What a port is made from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) world: &'a World,
    pub(crate) policies: &'a PolicyIndex,
    pub(crate) key: &'a Key,
    pub(crate) plan: &'a GatewayPlan,
    pub(crate) routes: &'a Carried<RouteId, RouteOutcome>,
    pub(crate) streams: &'a Carried<RouteId, StreamOutcome>,
}

/// What has been made of a Gateway so far.
#[derive(Default)]
pub(crate) struct Output<'a> {
    pub(crate) resources: Resources,
    pub(crate) origins: Origins,
    pub(crate) problems: Vec<Problem>,
    pub(crate) needs: Needs,
    /// Route tables, those of the last translation among them.
    pub(crate) tables: Tables,
    /// Where its routes lead, in any order.
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
        Some(Protocol::Http) => vec![Chain::of_all(http(sources, port, output))],
        Some(Protocol::Tcp) => {
            open.iter().map(|place| Chain::of_all(tcp::lower(sources, *place, output))).collect()
        }
        Some(Protocol::Https | Protocol::TlsTerminate | Protocol::TlsPassthrough) => {
            let is_https = |place: &usize| plan.listeners[*place].protocol == Some(Protocol::Https);
            let http = open.iter().any(is_https).then(|| http(sources, port, output));
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
fn http<'a>(sources: Sources<'a>, port: u16, output: &mut Output<'a>) -> xds::listener::NetworkFilter {
    let Sources { settings, policies, key, plan, routes, .. } = sources;
    let mut served = Served::new(settings, policies, key, plan, port);
    for (_, outcome) in routes.iter() {
        let attached: Vec<usize> = outcome.attached_to(key).collect();
        if served.add(outcome, &attached) {
            output.destinations.extend(outcome.destinations());
        }
    }
    let Output { resources, origins, problems, needs, tables, .. } = output;
    let (of_port, manager) = http::lower(served, tables, resources, origins, problems);
    needs.extend(of_port);
    manager
}
