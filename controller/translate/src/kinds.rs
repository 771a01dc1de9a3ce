//! The kinds that are read: the one table that objects, worlds and watches are made from.

use std::sync::Arc;

use ferrule_shared_map::SharedMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::aws_signing_policy::AWSSigningPolicy;
use crate::api::backend::Backend;
use crate::api::backend_tls_policy::BackendTLSPolicy;
use crate::api::cache_policy::CachePolicy;
use crate::api::cluster_trust_bundle::ClusterTrustBundle;
use crate::api::config_map::ConfigMap;
use crate::api::endpoint_slice::EndpointSlice;
use crate::api::gateway::Gateway;
use crate::api::gateway_class::GatewayClass;
use crate::api::gateway_parameters::GatewayParameters;
use crate::api::grpc_route::GRPCRoute;
use crate::api::http_route::HTTPRoute;
use crate::api::lambda_policy::LambdaPolicy;
use crate::api::listener_set::ListenerSet;
use crate::api::meta::{CERTIFICATES_GROUP, FERRULE_GROUP, GATEWAY_GROUP, KGATEWAY_GROUP, ObjectMeta};
use crate::api::namespace::Namespace;
use crate::api::reference_grant::ReferenceGrant;
use crate::api::secret::Secret;
use crate::api::service::Service;
use crate::api::stream_route::{TCPRoute, TLSRoute, UDPRoute};
use crate::api::traffic_policy::TrafficPolicy;
use crate::credentials::Issues;
use crate::object::{Key, ObjectRef};

/// The objects of one kind, in the order of their keys.
pub type Store<T> = SharedMap<Key, Arc<T>>;

/// A kind that is read.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// API group; empty for core.
    pub group: &'static str,
    /// Such as `Gateway`.
    pub name: &'static str,
    /// Such as `gateways`, as it stands in paths of the API.
    pub plural: &'static str,
    /// Versions in which it means the same, the preferred one first.
    pub versions: &'static [&'static str],
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    pub(crate) reader: Reader,
}

/// Makes an [`Object`] of a JSON value, and lists the value's unknown fields; else a field, and what is wrong with it.
pub(crate) type Reader = fn(Value) -> Result<(Object, Vec<String>), (String, String)>;

/// A line a kind: type and store, group and plural, versions, whether it is namespaced.
macro_rules! kinds {
    ($($kind:ident in $store:ident: $group:expr, $plural:literal, $versions:expr, $namespaced:literal;)+) => {
        /// The kinds that are read.
        pub const KINDS: &[Kind] = &[$(Kind {
            group: $group,
            name: stringify!($kind),
            plural: $plural,
            versions: $versions,
            namespaced: $namespaced,
            reader: |json| read(json, Object::$kind),
        }),+];

        /// An object of a kind that the translator reads.
        #[derive(Clone, Debug)]
        #[allow(missing_docs)]
        pub enum Object {
            $($kind(Arc<$kind>),)+
        }

        impl Object {
            /// Its metadata.
            pub fn metadata(&self) -> &ObjectMeta {
                match self {
                    $(Self::$kind(object) => &object.metadata,)+
                }
            }

            /// Which object this is.
            pub fn reference(&self) -> ObjectRef {
                let (group, kind) = match self {
                    $(Self::$kind(_) => ($group, stringify!($kind)),)+
                };
                ObjectRef::at(group, kind, &self.key())
            }
        }

        /// What the translator translates. Cloning shares the objects.
        #[derive(Clone, Debug, Default)]
        #[allow(missing_docs)]
        pub struct World {
            $(pub $store: Store<$kind>,)+
            /// What is known of those who sign and are no Secrets.
            pub credentials: Issues,
        }

        impl World {
            /// Puts an object in, in the place of the one with its key.
            pub fn apply(&mut self, object: Object) {
                let key = object.key();
                match object {
                    $(Object::$kind(object) => drop(self.$store.insert(key, object)),)+
                }
            }

            /// Takes an object out; says whether it was there.
            pub fn remove(&mut self, object: &ObjectRef) -> bool {
                let key = (Arc::clone(&object.namespace), Arc::clone(&object.name));
                match (&*object.group, &*object.kind) {
                    $((group, stringify!($kind)) if group == $group => self.$store.remove(&key).is_some(),)+
                    _ => false,
                }
            }
        }
    };
}

kinds! {
    GatewayClass in gateway_classes: GATEWAY_GROUP, "gatewayclasses", &["v1", "v1beta1"], false;
    Gateway in gateways: GATEWAY_GROUP, "gateways", &["v1", "v1beta1"], true;
    ListenerSet in listener_sets: GATEWAY_GROUP, "listenersets", &["v1"], true;
    HTTPRoute in http_routes: GATEWAY_GROUP, "httproutes", &["v1", "v1beta1"], true;
    GRPCRoute in grpc_routes: GATEWAY_GROUP, "grpcroutes", &["v1"], true;
    TLSRoute in tls_routes: GATEWAY_GROUP, "tlsroutes", &["v1", "v1alpha3", "v1alpha2"], true;
    TCPRoute in tcp_routes: GATEWAY_GROUP, "tcproutes", &["v1", "v1alpha2"], true;
    UDPRoute in udp_routes: GATEWAY_GROUP, "udproutes", &["v1", "v1alpha2"], true;
    BackendTLSPolicy in backend_tls_policies: GATEWAY_GROUP, "backendtlspolicies", &["v1", "v1alpha3"], true;
    ReferenceGrant in reference_grants: GATEWAY_GROUP, "referencegrants", &["v1", "v1beta1"], true;
    Namespace in namespaces: "", "namespaces", &["v1"], false;
    Service in services: "", "services", &["v1"], true;
    EndpointSlice in endpoint_slices: "discovery.k8s.io", "endpointslices", &["v1"], true;
    GatewayParameters in gateway_parameters: KGATEWAY_GROUP, "gatewayparameters", &["v1alpha1"], true;
    Backend in backends: KGATEWAY_GROUP, "backends", &["v1alpha1"], true;
    TrafficPolicy in traffic_policies: KGATEWAY_GROUP, "trafficpolicies", &["v1alpha1"], true;
    AWSSigningPolicy in aws_signing_policies: FERRULE_GROUP, "awssigningpolicies", &["v1alpha1"], true;
    CachePolicy in cache_policies: FERRULE_GROUP, "cachepolicies", &["v1alpha1"], true;
    LambdaPolicy in lambda_policies: FERRULE_GROUP, "lambdapolicies", &["v1alpha1"], true;
    Secret in secrets: "", "secrets", &["v1"], true;
    ConfigMap in config_maps: "", "configmaps", &["v1"], true;
    ClusterTrustBundle in cluster_trust_bundles: CERTIFICATES_GROUP, "clustertrustbundles", &["v1beta1", "v1alpha1"], false;
}

impl Object {
    /// Namespace and name.
    pub(crate) fn key(&self) -> Key {
        let metadata = self.metadata();
        (metadata.namespace.as_str().into(), metadata.name.as_str().into())
    }
}

fn read<T: DeserializeOwned>(
    json: Value,
    wrap: fn(Arc<T>) -> Object,
) -> Result<(Object, Vec<String>), (String, String)> {
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(json, &mut track);
    let read = serde_ignored::deserialize(tracked, |path| unknown.push(path.to_string()));
    match read {
        Ok(object) => {
            unknown.retain(|path| path != "apiVersion" && path != "kind" && !path.starts_with("metadata."));
            Ok((wrap(Arc::new(object)), unknown))
        }
        Err(error) => Err((track.path().to_string(), error.to_string())),
    }
}
