//! What is carried of objects from one translation to the next, and how it is brought in step with a world: object by
//! object, those that have changed and those that depend on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::backend_tls::BackendTls;
use crate::backends::{self, Destination};
use crate::carried::Carried;
use crate::changes::Changes;
use crate::clusters::{Clusters, Whose};
use crate::gateways::Protocol;
use crate::object::Key;
use crate::outcome::{self, Context, RouteId, RouteOutcome};
use crate::port::{self, Served};
use crate::proxy::{HttpPorts, Proxy};
use crate::status::Status;
use crate::stream::{self, StreamOutcome};
use crate::sums::Sums;
use crate::translation::Resource;

/// Everything that is carried of objects.
#[derive(Default)]
pub(crate) struct Results {
    routes: Carried<RouteId, RouteOutcome>,
    pub(crate) streams: Carried<RouteId, StreamOutcome>,
    /// Where routes below HTTP lead.
    stream_uses: BTreeSet<Destination>,
    pub(crate) clusters: Clusters,
    pub(crate) proxies: BTreeMap<Key, Proxy>,
    pub(crate) sums: Sums,
    /// The status that a route was given last.
    told: Option<Arc<Status>>,
}

/// The ports of all Gateways that speak HTTP.
pub(crate) type Ports<'a> = BTreeMap<Key, HttpPorts<'a>>;

/// The ports of these Gateways that speak HTTP.
pub(crate) fn ports<'a>(context: &Context<'a>) -> Ports<'a> {
    let Context { settings, policies, gateways, .. } = *context;
    let plans = gateways.plans.iter();
    let of_gateways = plans.map(|(key, plan)| {
        let open = plan.listeners.iter().filter(|listener| listener.takes_routes());
        let http = open.filter(|one| matches!(one.protocol, Some(Protocol::Http | Protocol::Https)));
        let ports: BTreeSet<u16> = http.map(|listener| listener.port).collect();
        let served = |port| (port, Served::new(settings, policies, key, plan, port));
        (key.clone(), ports.into_iter().map(served).collect())
    });
    of_gateways.collect()
}

/// Thousands of routes have one and the same status, so those that follow each other share it.
fn share(told: &mut Option<Arc<Status>>, status: &mut Option<Arc<Status>>) {
    if told == status {
        status.clone_from(told);
    } else {
        told.clone_from(status);
    }
}

impl Results {
    /// Brings everything in step.
    pub(crate) fn renew(
        &mut self,
        context: &Context<'_>,
        ports: &Ports<'_>,
        backend_tls: &BackendTls,
        changes: &Changes,
    ) {
        self.renew_routes(context, ports, changes);
        let mut touched = self.renew_streams(context, changes);
        self.renew_backends(context, changes);
        touched.extend(self.proxies.values_mut().flat_map(Proxy::take_touched));
        touched.extend(self.clusters.of_objects(&changes.destinations).cloned());
        if changes.context || changes.security {
            touched.extend(self.clusters.all().cloned());
        }
        let Self { clusters, proxies, stream_uses, .. } = self;
        let is_used = |to: &Destination| stream_uses.contains(to) || proxies.values().any(|one| one.uses(to));
        let touched = clusters.renew(context, backend_tls, touched, is_used);
        for (key, ports) in ports {
            let whose = Whose { gateway: key, world: context.world, backend_tls };
            if let Some(proxy) = proxies.get_mut(key) {
                proxy.lower(context.settings, whose, ports, (clusters, &touched));
            }
        }
    }

    fn renew_routes(&mut self, context: &Context<'_>, ports: &Ports<'_>, changes: &Changes) {
        let mut ids: BTreeSet<RouteId> = changes.routes.clone();
        if changes.context {
            self.begin(ports);
            ids.extend(outcome::Source::ids(context.world));
        } else {
            ids.extend(self.routes.dependents(&changes.destinations).cloned());
        }
        for id in ids {
            let earlier = self.routes.take(&id);
            if let Some(earlier) = &earlier {
                self.sums.detach(&earlier.attachments);
                if !changes.context {
                    self.follow(ports, earlier, Proxy::leave);
                }
            }
            match (outcome::Source::of(context.world, &id), earlier) {
                (Some(source), earlier) => {
                    let mut outcome = outcome::renew(context, &id, source, earlier);
                    share(&mut self.told, &mut outcome.status);
                    self.sums.attach(&outcome.attachments);
                    self.sums.tell(&outcome.reference, outcome.status.as_ref(), &outcome.problems);
                    self.follow(ports, &outcome, Proxy::enter);
                    self.routes.put(id, outcome);
                }
                (None, Some(earlier)) => self.sums.tell(&earlier.reference, None, &[]),
                (None, None) => {}
            }
        }
    }

    /// Begins anew with these Gateways.
    fn begin(&mut self, ports: &Ports<'_>) {
        self.proxies.retain(|key, _| ports.contains_key(key));
        for (key, ports) in ports {
            self.proxies.entry(key.clone()).or_default().begin(ports);
        }
    }

    /// Does something to the proxy of each Gateway that a route is attached to.
    fn follow(
        &mut self,
        ports: &Ports<'_>,
        outcome: &RouteOutcome,
        act: impl Fn(&mut Proxy, &Key, &HttpPorts<'_>, &RouteOutcome),
    ) {
        for key in outcome.gateways() {
            if let (Some(proxy), Some(ports)) = (self.proxies.get_mut(key), ports.get(key)) {
                act(proxy, key, ports, outcome);
            }
        }
    }

    /// Returns the destinations that have come into use, or out of it.
    fn renew_streams(&mut self, context: &Context<'_>, changes: &Changes) -> BTreeSet<Destination> {
        let mut ids = changes.streams.clone();
        ids.extend(self.streams.dependents(&changes.destinations).cloned());
        if changes.context {
            ids.extend(stream::Source::ids(context.world));
        }
        if ids.is_empty() {
            return BTreeSet::new();
        }
        for id in ids {
            let earlier = self.streams.take(&id);
            if let Some(earlier) = &earlier {
                self.sums.detach(&earlier.attachments);
            }
            let source = stream::Source::of(context.world, &id);
            let outcome = source.map(|source| stream::outcome(context, &id, source));
            match (outcome, earlier) {
                (Some(outcome), _) => {
                    self.sums.attach(&outcome.attachments);
                    self.sums.tell(&outcome.reference, outcome.status.as_ref(), &outcome.problems);
                    self.streams.put(id, outcome);
                }
                (None, Some(earlier)) => self.sums.tell(&earlier.reference, None, &[]),
                (None, None) => {}
            }
        }
        let uses = self.streams.iter().flat_map(|(_, outcome)| outcome.destinations()).cloned().collect();
        let before = std::mem::replace(&mut self.stream_uses, uses);
        before.symmetric_difference(&self.stream_uses).cloned().collect()
    }

    fn renew_backends(&mut self, context: &Context<'_>, changes: &Changes) {
        for key in &changes.backends {
            let Context { world, functions, .. } = *context;
            let backend = world.backends.get(key);
            let outcome = backend.map(|backend| backends::outcome(world, functions, key, backend));
            match outcome {
                Some(outcome) => {
                    let problems = outcome.problem.as_slice();
                    self.sums.tell(&outcome.reference, Some(&outcome.status), problems);
                }
                None => self.sums.tell(&backends::reference(key), None, &[]),
            }
        }
    }

    /// Renews the endpoints that depend on these EndpointSlices.
    pub(crate) fn endpoints(&mut self, world: &crate::World, slices: &[Key]) -> Vec<Resource> {
        let mut renewed = Vec::new();
        for (destination, endpoints) in self.clusters.renew_endpoints(world, slices) {
            for proxy in self.proxies.values_mut() {
                proxy.renew_endpoints(&destination, &endpoints);
            }
            renewed.push(endpoints);
        }
        let streams = self.streams.iter().map(|(_, outcome)| outcome);
        renewed.extend(streams.filter_map(|outcome| port::udp::endpoints(world, outcome)));
        renewed
    }
}
