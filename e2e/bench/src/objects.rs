//! The objects of a large gateway: a route, a Service and its endpoints for each host.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// The class and the Gateway.
pub(crate) fn gateway(port: u16) -> Vec<Value> {
    vec![
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "bench"},
               "spec": {"controllerName": "ferrule.dev/gateway-controller"}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": metadata("bench"),
               "spec": {"gatewayClassName": "bench", "listeners": [{"name": "http", "protocol": "HTTP", "port": port}]}}),
    ]
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
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata(&format!("route-{number}")),
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

fn service(number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(&format!("service-{number}")),
           "spec": {"ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}})
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "namespace": "default"})
}
