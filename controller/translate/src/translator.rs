//! World in, translation out.
//!
//! Every stage is a plain function; what is carried from one translation to the next only saves work: a route, a Backend
//! or a cluster is looked at again when something that it depends on has changed, and a translator that carries nothing
//! gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::Functions;
use crate::backend_tls::{self, BackendTls, Used};
use crate::backends::Destination;
use crate::calls::{self, FunctionCall};
use crate::changes::Seen;
use crate::clusters::Whose;
use crate::gateways::{Credentials, GatewayPlan, Gateways, Openings, Protocol, Transport};
use crate::kinds::World;
use crate::object::Key;
use crate::outcome::Context;
use crate::policies::PolicyIndex;
use crate::port::{self, Output, Sources};
use crate::problem::Problem;
use crate::proxy::{HttpPorts, Proxy};
use crate::report;
use crate::results::{self, Results};
use crate::settings::Settings;
use crate::shared;
use crate::translation::{Resource, Translation};

/// Translates worlds, one after the other.
#[derive(Default)]
pub struct Translator {
    settings: Settings,
    seen: Seen,
    credentials: Credentials,
    /// What routes depended on in the last world besides objects.
    openings: Openings,
    policies: PolicyIndex,
    functions: Functions,
    backend_tls: BackendTls,
    results: Results,
}

impl Translator {
    /// A translator that has seen nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Renews the endpoints that depend on these EndpointSlices, which are all that differs from the world that was
    /// translated last. Returns the resources that are others now, for each proxy that has one of their names.
    pub fn endpoints(&mut self, world: &World, slices: &[Key]) -> Vec<Resource> {
        self.results.endpoints(world, slices)
    }

    /// The functions that a rule of an HTTPRoute calls, in the world that was translated last, or why one of its backends
    /// leads nowhere. Backends of other kinds are left out.
    pub fn calls(&self, world: &World, route: &Key, rule: usize) -> Vec<Result<FunctionCall, Problem>> {
        calls::of_rule(world, &self.functions, route, rule)
    }

    /// Translates a world. Total: what is wrong becomes status and, for the routes concerned, a 500.
    pub fn translate(&mut self, world: &World) -> Translation {
        let Self { settings, seen, credentials, openings, policies, functions, backend_tls, results } = self;
        let mut gateways = Gateways::plan(world, settings, credentials);
        let mut changes = seen.update(world);
        if changes.policies || changes.selectable && policies.selects() {
            changes.context |= policies.update(world, settings);
        }
        let touched = functions.update(world, settings, &changes);
        if changes.signings {
            changes.context |= functions.signings.update(world, settings);
        }
        changes.destinations.extend(touched.iter().cloned());
        changes.backends.extend(touched);
        if changes.credentials {
            changes.backends.extend(functions.fetched().map(|(backend, _)| backend.clone()));
        }
        gateways.resolve_filters(world, policies);
        let before = std::mem::replace(openings, gateways.openings());
        changes.context |= before != *openings;
        if changes.context || changes.security || !changes.destinations.is_empty() {
            *backend_tls = BackendTls::plan(world, &gateways, credentials);
        }
        let context = Context { settings, world, policies, gateways: &gateways, functions };
        let ports = results::ports(&context);
        results.renew(&context, &ports, backend_tls, &changes);
        let of_functions = functions.fetched().map(|(_, identity)| identity);
        let identities = of_functions.chain(functions.signings.fetched()).cloned().collect();
        let mut translation = Translation { identities, ..Translation::default() };
        let mut used = BTreeMap::new();
        for (key, plan) in &gateways.plans {
            let (Some(ports), Some(proxy)) = (ports.get(key), results.proxies.get(key)) else { continue };
            let whose = Whose { gateway: key, world, backend_tls };
            let one = Assembly { context: &context, results, whose, plan, ports, proxy };
            used.insert(key.clone(), one.assemble(&mut translation));
        }
        let found = report::Found {
            world,
            controller_name: &settings.controller_name,
            gateways: &gateways,
            sums: &results.sums,
            policies,
            functions,
            backend_tls,
            used: &used,
        };
        report::statuses(&found, &mut translation);
        translation
    }
}

/// What a Gateway's part of a translation is put together from.
struct Assembly<'a> {
    context: &'a Context<'a>,
    results: &'a Results,
    whose: Whose<'a>,
    plan: &'a GatewayPlan,
    ports: &'a HttpPorts<'a>,
    proxy: &'a Proxy,
}

impl<'a> Assembly<'a> {
    /// Returns what it uses that may be secured.
    fn assemble(&self, translation: &mut Translation) -> Used<'a> {
        let Self { results, whose, plan, proxy, .. } = self;
        let (resources, origins) = proxy.resources();
        let mut output = Output { resources, origins, ..Output::default() };
        for (port, transport) in ports(plan) {
            port::lower(self.sources(), port, transport, &mut output);
        }
        let Output { mut resources, mut origins, problems, needs, destinations, .. } = output;
        let host = &self.context.settings.filter_host;
        shared::lower(whose.world, host, &plan.reference, &needs, &mut resources, &mut origins);
        let streams: BTreeSet<&Destination> = destinations.into_iter().collect();
        results.clusters.put(*whose, &streams, &mut resources, &mut origins);
        let is_used = |to: &Destination| proxy.uses(to) || streams.contains(to);
        results.clusters.put_secrets(*whose, is_used, &mut resources, &mut origins);
        translation.problems.extend(problems);
        translation.gateways.insert(whose.gateway.clone(), resources);
        translation.origins.insert(whose.gateway.clone(), origins);
        backend_tls::used(proxy.used(), streams)
    }

    fn sources(&self) -> Sources<'a> {
        Sources {
            world: self.whose.world,
            key: self.whose.gateway,
            plan: self.plan,
            http: self.ports,
            hosts: self.proxy.hosts(),
            streams: &self.results.streams,
        }
    }
}

/// The ports on which a Gateway has a listener that takes routes.
fn ports(plan: &GatewayPlan) -> BTreeSet<(u16, Transport)> {
    let open = plan.listeners.iter().filter(|listener| listener.takes_routes());
    open.filter_map(|listener| Some((listener.port, listener.protocol.map(Protocol::transport)?))).collect()
}
