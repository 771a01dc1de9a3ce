//! What differs between two worlds. What both share is not looked at.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::backend_tls_policy::BackendTLSPolicy;
use crate::kinds::{Store, World};
use crate::object::{Key, RouteId};

/// What of the world that was translated last has changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Something that any route may depend on: a class, a Gateway, a namespace, a grant or a policy.
    pub(crate) context: bool,
    /// Policies, or what they may name.
    pub(crate) policies: bool,
    /// What policies may select by its labels.
    pub(crate) selectable: bool,
    /// What TLS towards backends is made from, besides the Services.
    pub(crate) security: bool,
    /// HTTPRoutes and GRPCRoutes, also those that have come or gone.
    pub(crate) routes: BTreeSet<RouteId>,
    /// Routes below HTTP.
    pub(crate) streams: BTreeSet<RouteId>,
    pub(crate) backends: BTreeSet<Key>,
    /// What calls of functions are made from, besides the Backends: policies and Secrets.
    pub(crate) signers: bool,
    /// What AWSSigningPolicies mean: they, Backends and Secrets.
    pub(crate) signings: bool,
    /// Credentials that are fetched elsewhere.
    pub(crate) credentials: bool,
    /// Backends and Services.
    pub(crate) destinations: BTreeSet<Key>,
}

/// The world that was translated last.
#[derive(Default)]
pub(crate) struct Seen(World);

impl Seen {
    /// Takes over `now` and says what is new about it.
    pub(crate) fn update(&mut self, now: &World) -> Changes {
        let seen = std::mem::replace(&mut self.0, now.clone());
        let mut changes = Changes {
            routes: routes("HTTPRoute", &seen.http_routes, &now.http_routes)
                .chain(routes("GRPCRoute", &seen.grpc_routes, &now.grpc_routes))
                .collect(),
            streams: routes("TCPRoute", &seen.tcp_routes, &now.tcp_routes)
                .chain(routes("TLSRoute", &seen.tls_routes, &now.tls_routes))
                .chain(routes("UDPRoute", &seen.udp_routes, &now.udp_routes))
                .collect(),
            backends: differing(&seen.backends, &now.backends).collect(),
            destinations: differing(&seen.services, &now.services).collect(),
            ..Changes::default()
        };
        changes.destinations.extend(changes.backends.iter().cloned());
        changes.destinations.extend(secured(&seen.backend_tls_policies, &now.backend_tls_policies));
        let parents =
            differs(&seen.gateways, &now.gateways) || differs(&seen.listener_sets, &now.listener_sets);
        let grants = differs(&seen.reference_grants, &now.reference_grants);
        let texts = differs(&seen.secrets, &now.secrets) || differs(&seen.config_maps, &now.config_maps);
        let classes = differs(&seen.gateway_classes, &now.gateway_classes);
        changes.context = parents || grants || classes || differs(&seen.namespaces, &now.namespaces);
        changes.policies = grants
            || texts
            || differs(&seen.traffic_policies, &now.traffic_policies)
            || differs(&seen.cache_policies, &now.cache_policies);
        changes.selectable = parents || !changes.routes.is_empty();
        changes.signers = texts || differs(&seen.lambda_policies, &now.lambda_policies);
        changes.signings = texts
            || !changes.backends.is_empty()
            || differs(&seen.aws_signing_policies, &now.aws_signing_policies);
        changes.credentials = seen.credentials.differences(&now.credentials, Arc::ptr_eq).next().is_some();
        changes.security = texts
            || differs(&seen.backend_tls_policies, &now.backend_tls_policies)
            || differs(&seen.cluster_trust_bundles, &now.cluster_trust_bundles);
        changes
    }
}

/// Objects are immutable, so the same address means the same content.
pub(crate) fn differing<'a, T>(
    before: &'a Store<T>,
    now: &'a Store<T>,
) -> impl Iterator<Item = Key> + use<'a, T> {
    before.differences(now, Arc::ptr_eq).map(|difference| difference.key.clone())
}

fn differs<T>(before: &Store<T>, now: &Store<T>) -> bool {
    differing(before, now).next().is_some()
}

fn routes<'a, T>(
    kind: &'static str,
    before: &'a Store<T>,
    now: &'a Store<T>,
) -> impl Iterator<Item = RouteId> + use<'a, T> {
    differing(before, now).map(move |key| (kind, key))
}

/// The Services that policies on either side name, as far as these differ.
fn secured(before: &Store<BackendTLSPolicy>, now: &Store<BackendTLSPolicy>) -> BTreeSet<Key> {
    let policies = before
        .differences(now, Arc::ptr_eq)
        .flat_map(|difference| difference.before.into_iter().chain(difference.now));
    let targets = policies.flat_map(|policy| {
        let namespace: Arc<str> = policy.metadata.namespace.as_str().into();
        let targets = policy.spec.target_refs.iter();
        targets.map(move |target| (Arc::clone(&namespace), target.name.as_str().into()))
    });
    targets.collect()
}
