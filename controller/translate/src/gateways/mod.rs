//! Which Gateways are ours, the listeners that they and their ListenerSets give, and which of these take routes.

mod allowed;
mod conflict;
mod listener;
mod listener_set;
mod prerouting;
pub(crate) mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::gateway::Gateway;
use crate::api::meta::GATEWAY_GROUP;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::policies::PolicyIndex;
use crate::problem::Problem;
use crate::settings::{ReservedPorts, Settings};

pub(crate) use allowed::allows_route;
pub(crate) use listener::{Entrance, ListenerPlan, Protocol, Transport};
pub(crate) use listener_set::SetPlan;
pub(crate) use prerouting::{Prerouting, Step};
pub(crate) use tls::Credentials;

/// Our Gateways, and the ListenerSets that name them.
#[derive(Default)]
pub(crate) struct Gateways {
    pub(crate) plans: BTreeMap<Key, GatewayPlan>,
    pub(crate) sets: BTreeMap<Key, SetPlan>,
}

/// One of our Gateways.
pub(crate) struct GatewayPlan {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) reference: ObjectRef,
    /// Its own and then those of its ListenerSets, in order of precedence.
    pub(crate) listeners: Vec<ListenerPlan>,
    /// Whether clients without a valid certificate are let in though one is asked for.
    pub(crate) insecure: bool,
    /// Of the Gateway as a whole; it is served nevertheless.
    pub(crate) problems: Vec<Problem>,
}

/// Which listeners take routes, and what runs before that, by Gateway and place.
pub(crate) type Openings = BTreeMap<Key, Vec<(bool, Option<Arc<Prerouting>>)>>;

impl GatewayPlan {
    /// A name for a listener that no other of the plan has.
    pub(crate) fn label(&self, place: usize) -> String {
        let ListenerPlan { owner, name, .. } = &self.listeners[place];
        if *owner == self.reference {
            name.to_string()
        } else {
            format!("{}/{}/{name}", owner.namespace, owner.name)
        }
    }

    /// Places of the listeners that take routes on a port of a transport protocol.
    pub(crate) fn open(&self, port: u16, transport: Transport) -> impl Iterator<Item = usize> {
        let listeners = self.listeners.iter().enumerate();
        let open = listeners.filter(move |(_, listener)| {
            let its = listener.protocol.map(Protocol::transport);
            listener.port == port && its == Some(transport) && listener.takes_routes()
        });
        open.map(|(place, _)| place)
    }

    /// The listeners that stand in `owner`, with their places.
    pub(crate) fn listeners_of<'a>(
        &'a self,
        owner: &'a ObjectRef,
    ) -> impl Iterator<Item = (usize, &'a ListenerPlan)> {
        self.listeners.iter().enumerate().filter(move |(_, listener)| listener.owner == *owner)
    }
}

impl Gateways {
    /// Plans every Gateway whose class is one of ours.
    pub(crate) fn plan(world: &World, settings: &Settings, credentials: &mut Credentials) -> Self {
        let is_ours = |gateway: &Gateway| {
            let key: Key = ("".into(), gateway.spec.gateway_class_name.as_str().into());
            let class = world.gateway_classes.get(&key);
            class.is_some_and(|class| class.spec.controller_name == settings.controller_name)
        };
        let ours = world.gateways.iter().filter(|(_, gateway)| is_ours(gateway));
        let plans: BTreeMap<Key, GatewayPlan> =
            ours.map(|(key, gateway)| (key.clone(), plan_gateway(key, gateway))).collect();
        let sets = listener_set::plan(world, &plans);
        let mut gateways = Self { plans, sets };
        gateways.take_in_sets(&settings.reserved_ports);
        credentials.begin();
        gateways.plans.values_mut().for_each(|plan| tls::resolve(world, credentials, plan));
        gateways
    }

    /// Looks up what runs before requests are routed, once it is known what the policies are.
    pub(crate) fn resolve_filters(&mut self, world: &World, policies: &PolicyIndex) {
        self.plans.values_mut().for_each(|plan| prerouting::resolve_all(world, policies, plan));
    }

    /// What routes depend on besides the objects themselves.
    pub(crate) fn openings(&self) -> Openings {
        let opening =
            |listener: &ListenerPlan| (listener.takes_routes(), listener.prerouting.as_ref().map(Arc::clone));
        let openings = |plan: &GatewayPlan| plan.listeners.iter().map(opening).collect();
        self.plans.iter().map(|(key, plan)| (key.clone(), openings(plan))).collect()
    }

    fn take_in_sets(&mut self, reserved: &ReservedPorts) {
        for set in listener_set::by_precedence(&self.sets) {
            if let Some(plan) = self.plans.get_mut(&set.gateway) {
                plan.listeners.extend(listener_set::listeners(set));
            }
        }
        for plan in self.plans.values_mut() {
            plan.listeners.iter_mut().for_each(|listener| listener.refuse_reserved(reserved));
            conflict::find(&mut plan.listeners);
        }
    }
}

fn plan_gateway(key: &Key, gateway: &Arc<Gateway>) -> GatewayPlan {
    let reference = ObjectRef::at(GATEWAY_GROUP, "Gateway", key);
    let places = 0..gateway.spec.listeners.len();
    let listeners = places.map(|place| ListenerPlan::of_gateway(&reference, gateway, place)).collect();
    GatewayPlan { gateway: Arc::clone(gateway), problems: Vec::new(), reference, listeners, insecure: false }
}
