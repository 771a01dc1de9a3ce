//! All objects that there are, by kind and key.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::backend::Backend;
use crate::api::config_map::ConfigMap;
use crate::api::endpoint_slice::EndpointSlice;
use crate::api::gateway::Gateway;
use crate::api::gateway_class::GatewayClass;
use crate::api::http_route::HTTPRoute;
use crate::api::namespace::Namespace;
use crate::api::reference_grant::ReferenceGrant;
use crate::api::secret::Secret;
use crate::api::service::Service;
use crate::api::traffic_policy::TrafficPolicy;
use crate::object::{Key, Object, ObjectRef};

/// The objects of one kind, in the order of their keys.
pub type Store<T> = BTreeMap<Key, Arc<T>>;

/// What the translator translates. Cloning shares the objects.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct World {
    pub gateway_classes: Store<GatewayClass>,
    pub gateways: Store<Gateway>,
    pub http_routes: Store<HTTPRoute>,
    pub reference_grants: Store<ReferenceGrant>,
    pub namespaces: Store<Namespace>,
    pub services: Store<Service>,
    pub endpoint_slices: Store<EndpointSlice>,
    pub backends: Store<Backend>,
    pub traffic_policies: Store<TrafficPolicy>,
    pub secrets: Store<Secret>,
    pub config_maps: Store<ConfigMap>,
}

impl World {
    /// Puts an object in, in the place of the one with its key.
    pub fn apply(&mut self, object: Object) {
        let key = object.key();
        match object {
            Object::GatewayClass(object) => drop(self.gateway_classes.insert(key, object)),
            Object::Gateway(object) => drop(self.gateways.insert(key, object)),
            Object::HTTPRoute(object) => drop(self.http_routes.insert(key, object)),
            Object::ReferenceGrant(object) => drop(self.reference_grants.insert(key, object)),
            Object::Namespace(object) => drop(self.namespaces.insert(key, object)),
            Object::Service(object) => drop(self.services.insert(key, object)),
            Object::EndpointSlice(object) => drop(self.endpoint_slices.insert(key, object)),
            Object::Backend(object) => drop(self.backends.insert(key, object)),
            Object::TrafficPolicy(object) => drop(self.traffic_policies.insert(key, object)),
            Object::Secret(object) => drop(self.secrets.insert(key, object)),
            Object::ConfigMap(object) => drop(self.config_maps.insert(key, object)),
        }
    }

    /// Takes an object out; says whether it was there.
    pub fn remove(&mut self, object: &ObjectRef) -> bool {
        let key = key(object);
        match &*object.kind {
            "GatewayClass" => self.gateway_classes.remove(&key).is_some(),
            "Gateway" => self.gateways.remove(&key).is_some(),
            "HTTPRoute" => self.http_routes.remove(&key).is_some(),
            "ReferenceGrant" => self.reference_grants.remove(&key).is_some(),
            "Namespace" => self.namespaces.remove(&key).is_some(),
            "Service" => self.services.remove(&key).is_some(),
            "EndpointSlice" => self.endpoint_slices.remove(&key).is_some(),
            "Backend" => self.backends.remove(&key).is_some(),
            "TrafficPolicy" => self.traffic_policies.remove(&key).is_some(),
            "Secret" => self.secrets.remove(&key).is_some(),
            "ConfigMap" => self.config_maps.remove(&key).is_some(),
            _ => false,
        }
    }

    /// Whether an object of group and kind `from` in `namespace` may refer to `to`: always inside one namespace,
    /// else where a ReferenceGrant in the namespace of `to` says so (GEP-709).
    pub fn may_refer(&self, from: (&str, &str), namespace: &str, to: &ObjectRef) -> bool {
        namespace == &*to.namespace
            || self.grants_of(&to.namespace).any(|grant| grants(grant, from, namespace, to))
    }

    fn grants_of(&self, namespace: &str) -> impl Iterator<Item = &ReferenceGrant> {
        let first: Key = (namespace.into(), "".into());
        let owned = Arc::clone(&first.0);
        self.reference_grants
            .range(first..)
            .take_while(move |(key, _)| key.0 == owned)
            .map(|(_, grant)| &**grant)
    }
}

fn grants(grant: &ReferenceGrant, from: (&str, &str), namespace: &str, to: &ObjectRef) -> bool {
    let spec = &grant.spec;
    spec.from.iter().any(|f| f.group == from.0 && f.kind == from.1 && f.namespace == namespace)
        && spec.to.iter().any(|t| {
            t.group == *to.group
                && t.kind == *to.kind
                && t.name.as_ref().is_none_or(|name| **name == *to.name)
        })
}

fn key(object: &ObjectRef) -> Key {
    (Arc::clone(&object.namespace), Arc::clone(&object.name))
}
