//! What differs between two worlds, as far as routes depend on it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::api::backend_tls_policy::BackendTLSPolicy;
use crate::kinds::{Store, World};
use crate::object::Key;

/// What of the world that was translated last has changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Something that any route may depend on: a class, a Gateway, a namespace, a grant or a policy.
    pub(crate) context: bool,
    /// Backends and Services, also those that have come or gone.
    pub(crate) destinations: HashSet<Key>,
}

/// The parts of the last world that routes depend on, except for the routes.
#[derive(Default)]
pub(crate) struct Seen(World);

impl Seen {
    /// Takes over `now` and says what is new about it.
    pub(crate) fn update(&mut self, now: &World) -> Changes {
        let seen = &mut self.0;
        let mut destinations = HashSet::new();
        differing(&seen.backends, &now.backends, &mut destinations);
        differing(&seen.services, &now.services, &mut destinations);
        renew(&mut seen.backends, &now.backends);
        renew(&mut seen.services, &now.services);
        secured(&seen.backend_tls_policies, &now.backend_tls_policies, &mut destinations);
        renew(&mut seen.backend_tls_policies, &now.backend_tls_policies);
        let context = [
            renew(&mut seen.gateway_classes, &now.gateway_classes),
            renew(&mut seen.gateways, &now.gateways),
            renew(&mut seen.listener_sets, &now.listener_sets),
            renew(&mut seen.namespaces, &now.namespaces),
            renew(&mut seen.reference_grants, &now.reference_grants),
        ];
        Changes { context: context.contains(&true), destinations }
    }
}

fn renew<T>(before: &mut Store<T>, now: &Store<T>) -> bool {
    let differs = before.differences(now, Arc::ptr_eq).next().is_some();
    before.clone_from(now);
    differs
}

/// Objects are immutable, so the same address means the same content.
pub(crate) fn differing<T>(before: &Store<T>, now: &Store<T>, into: &mut HashSet<Key>) {
    into.extend(before.differences(now, Arc::ptr_eq).map(|difference| difference.key.clone()));
}

/// The Services that policies on either side name, as far as these differ.
fn secured(before: &Store<BackendTLSPolicy>, now: &Store<BackendTLSPolicy>, into: &mut HashSet<Key>) {
    let mut policies = HashSet::new();
    differing(before, now, &mut policies);
    let objects = policies.iter().flat_map(|key| before.get(key).into_iter().chain(now.get(key)));
    into.extend(objects.flat_map(|policy| {
        let namespace: Arc<str> = policy.metadata.namespace.as_str().into();
        let targets = policy.spec.target_refs.iter();
        targets.map(move |target| (Arc::clone(&namespace), target.name.as_str().into()))
    }));
}
