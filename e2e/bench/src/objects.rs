//! The objects of a large gateway: a route, a Service and its endpoints for each host.

use std::net::SocketAddr;

use serde_json::{Value, json};

const GROUP: &str = "gateway.networking.k8s.io/v1";

/// The class and the Gateway, whose proxy is run here.
pub(crate) fn gateway(port: u16) -> Vec<Value> {
    let parameters = json!({"group": "gateway.kgateway.dev", "kind": "GatewayParameters", "name": "bench", "namespace": "default"});
    vec![
        json!({"apiVersion": GROUP, "kind": "GatewayClass", "metadata": {"name": "bench"},
               "spec": {"controllerName": "ferrule.dev/gateway-controller", "parametersRef": parameters}}),
        json!({"apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "GatewayParameters", "metadata": metadata("bench"),
               "spec": {"selfManaged": {}}}),
        named_gateway("bench", port),
    ]
}

/// A Gateway of the class.
pub(crate) fn named_gateway(name: &str, port: u16) -> Value {
    json!({"apiVersion": GROUP, "kind": "Gateway", "metadata": metadata(name),
           "spec": {"gatewayClassName": "bench",
                    "listeners": [{"name": "http", "protocol": "HTTP", "port": port}]}})
}

/// A route of a Gateway that has nothing but these.
pub(crate) fn route_of(gateway: &str, number: usize) -> Value {
    json!({"apiVersion": GROUP, "kind": "HTTPRoute", "metadata": metadata(&format!("{gateway}-{number}")),
           "spec": {"parentRefs": [{"name": gateway}], "hostnames": [format!("{gateway}-{number}.example.com")],
                    "rules": [{"backendRefs": [{"name": format!("service-{number}"), "port": 80}]}]}})
}

/// What one more host takes.
pub(crate) fn host(number: usize, endpoint: SocketAddr) -> Vec<Value> {
    vec![service(number), endpoints(number, endpoint), route(number, 0)]
}

/// Name of a host.
pub(crate) fn name(number: usize) -> String {
    format!("host-{number}.example.com")
}

/// A host's route; its answers tell the version.
pub(crate) fn route(number: usize, version: usize) -> Value {
    json!({"apiVersion": GROUP, "kind": "HTTPRoute", "metadata": metadata(&format!("route-{number}")),
           "spec": {"parentRefs": [{"name": "bench"}], "hostnames": [name(number)],
                    "rules": [{"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {
                                   "set": [{"name": "x-version", "value": version.to_string()}]}}],
                               "backendRefs": [{"name": format!("service-{number}"), "port": 80}]}]}})
}

/// A host's only endpoint.
pub(crate) fn endpoints(number: usize, at: SocketAddr) -> Value {
    let mut metadata = metadata(&format!("service-{number}-1"));
    metadata["labels"] = json!({"kubernetes.io/service-name": format!("service-{number}")});
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, "addressType": "IPv4",
           "endpoints": [{"addresses": [at.ip().to_string()], "conditions": {"ready": true}}],
           "ports": [{"name": "http", "port": at.port(), "protocol": "TCP"}]})
}

/// Without an address of its own: a cluster for tests has fewer of these than there are hosts.
fn service(number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(&format!("service-{number}")),
           "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}})
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "namespace": "default"})
}
