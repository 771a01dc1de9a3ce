//! TLS towards backends: which BackendTLSPolicy holds for a port of a Service (GEP-1897), and with what certificate a
//! Gateway shows itself there (GEP-3155).
//!
//! Routes know nothing of this: it changes the clusters that they lead to.

mod client;
mod policy;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::api::service::ServicePort;
use crate::backends::{Application, Destination};
use crate::gateways::{Credentials, Gateways};
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::Problem;

pub(crate) use policy::{PolicyPlan, Subject, Tls, Trust};

/// How the connections to a destination are secured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Security {
    /// As they are.
    Plain,
    /// By TLS.
    Tls(Arc<Tls>),
    /// Not as they must be, so there are none: the policy cannot be carried out.
    Closed,
}

/// The TLS of all backends.
#[derive(Default)]
pub(crate) struct BackendTls {
    pub(crate) policies: BTreeMap<Key, PolicyPlan>,
    /// Policies by Service, the one that wins first; each with the port that it is about, if it is about one.
    by_service: HashMap<Key, Vec<(Option<String>, Key)>>,
    /// Certificates by Gateway, where one is asked for.
    clients: BTreeMap<Key, Result<Key, Problem>>,
}

impl BackendTls {
    /// Looks at all policies and Gateways.
    pub(crate) fn plan(world: &World, gateways: &Gateways, credentials: &mut Credentials) -> Self {
        let mut plan =
            Self { clients: client::certificates(world, gateways, credentials), ..Self::default() };
        for (key, policy) in &world.backend_tls_policies {
            let policy = PolicyPlan::new(world, credentials, key, policy);
            plan.policies.insert(key.clone(), policy);
        }
        plan.index();
        plan
    }

    /// Older policies win, then those whose names come first (BackendTLSPolicySpec.targetRefs).
    fn index(&mut self) {
        let mut all: Vec<(&Key, &PolicyPlan)> = self.policies.iter().collect();
        all.sort_by_key(|(key, plan)| (plan.created(), *key));
        for (key, plan) in all {
            for (service, section) in plan.targets() {
                self.by_service.entry(service).or_default().push((section, key.clone()));
            }
        }
    }

    /// How connections to a port of a Service are secured, and by which policy.
    pub(crate) fn of(&self, service: &Key, port: &ServicePort) -> (Security, Option<ObjectRef>) {
        let policies = self.by_service.get(service).map_or(&[][..], Vec::as_slice);
        let about = |section: Option<&String>| policies.iter().find(|(about, _)| about.as_ref() == section);
        // A policy for the port is more specific than one for the Service.
        let named = port.name.as_ref().and_then(|name| about(Some(name)));
        let winner = named.or_else(|| about(None)).and_then(|(_, key)| self.policies.get(key));
        winner.map_or((Security::Plain, None), |plan| (plan.security(), Some(plan.reference.clone())))
    }

    /// The policies before this one at the very same target.
    pub(crate) fn rival(&self, key: &Key) -> Option<&PolicyPlan> {
        let targets = self.policies.get(key)?.targets();
        let winner = targets.into_iter().find_map(|(service, section)| {
            let rivals = self.by_service.get(&service)?;
            rivals.iter().find(|(about, _)| *about == section).filter(|(_, winner)| winner != key)
        });
        winner.and_then(|(_, winner)| self.policies.get(winner))
    }

    /// The Secret with the certificate that a Gateway shows to backends.
    pub(crate) fn client(&self, gateway: &Key) -> Option<&Key> {
        self.clients.get(gateway).and_then(|found| found.as_ref().ok())
    }

    /// What is wrong with that certificate.
    pub(crate) fn client_problem(&self, gateway: &Key) -> Option<&Problem> {
        self.clients.get(gateway).and_then(|found| found.as_ref().err())
    }

    /// All certificates that Gateways show to backends, and none.
    pub(crate) fn all_clients(&self) -> BTreeSet<Option<Key>> {
        self.clients.values().map(|found| found.as_ref().ok().cloned()).chain([None]).collect()
    }
}

/// Where the routes of a Gateway lead.
pub(crate) struct Used<'a> {
    routes: &'a BTreeMap<Destination, usize>,
    streams: BTreeSet<&'a Destination>,
}

/// What HTTPRoutes and GRPCRoutes use, and what routes below HTTP use.
pub(crate) fn used<'a>(
    routes: &'a BTreeMap<Destination, usize>,
    streams: BTreeSet<&'a Destination>,
) -> Used<'a> {
    Used { routes, streams }
}

impl Used<'_> {
    /// The ports of a Service that are used and may be secured.
    pub(crate) fn ports(&self, service: &Key) -> BTreeSet<u16> {
        let (first, last) = Destination::ports(service);
        let routes = self.routes.range(&first..=&last).map(|(destination, _)| destination);
        let streams = self.streams.range::<&Destination, _>(&first..=&last).copied();
        let ports = routes.chain(streams).filter_map(|destination| match destination {
            Destination::Service(_, _, Application::Tls | Application::Udp) | Destination::Backend(..) => {
                None
            }
            Destination::Service(_, port, _) => Some(*port),
        });
        ports.collect()
    }
}
