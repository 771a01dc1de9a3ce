//! The Services that lead to proxies: one, or one for each address that the Gateway asks for.

use std::collections::BTreeMap;

use ferrule_translate::api::gateway_parameters::{Port, Service};
use serde_json::{Value, json};

use crate::addresses::{Request, requests};
use crate::deployment::set;
use crate::metadata::Identity;
use crate::parameters::Effective;
use crate::{Input, ListenerPort, Transport};

/// The Services; none where there is no port to serve.
pub(crate) fn services(input: &Input<'_>, effective: &Effective, identity: &Identity) -> Vec<Value> {
    let given = effective.kube.service.clone().unwrap_or_default();
    let extra = given.ports.iter().flatten();
    let extra = extra.map(|port| ListenerPort { port: port.port, transport: Transport::Tcp });
    let mut ports: Vec<ListenerPort> = input.ports.iter().copied().collect();
    for port in extra {
        if !ports.iter().any(|known| known.port == port.port) {
            ports.push(port);
        }
    }
    if ports.is_empty() {
        return Vec::new();
    }
    let requests = requests(input.gateway);
    let services = requests.iter().filter(|request| request.is_satisfiable());
    services.map(|request| service(request, &given, &ports, identity)).collect()
}

fn service(request: &Request, given: &Service, ports: &[ListenerPort], identity: &Identity) -> Value {
    let own = request.name == identity.name;
    let node_ports: BTreeMap<u16, &Port> = match own {
        true => given.ports.iter().flatten().map(|port| (port.port, port)).collect(),
        false => BTreeMap::new(),
    };
    let ports: Vec<Value> = ports.iter().map(|port| service_port(*port, &node_ports)).collect();
    let mut spec = json!({"selector": identity.selector(), "ports": ports});
    exposure(&mut spec, request, given, own);
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": identity.metadata(&request.name, given.extra_labels.as_ref(), given.extra_annotations.as_ref()),
        "spec": spec,
    })
}

fn service_port(port: ListenerPort, node_ports: &BTreeMap<u16, &Port>) -> Value {
    let word = port.transport.word();
    let mut json = json!({
        "name": format!("{}-{}", word.to_ascii_lowercase(), port.port),
        "protocol": word,
        "port": port.port,
        "targetPort": port.port,
    });
    let node_port = node_ports.get(&port.port).and_then(|port| port.node_port);
    set(&mut json, "nodePort", node_port.map(Value::from));
    json
}

/// How the Service can be reached: from the cluster alone where that is asked for, else as the parameters say.
fn exposure(spec: &mut Value, request: &Request, given: &Service, own: bool) {
    let value = request.value.as_deref().map(Value::from);
    let family = request.value.as_deref().map(|value| if value.contains(':') { "IPv6" } else { "IPv4" });
    set(spec, "ipFamilies", family.map(|family| json!([family])));
    let kind = given.kind.as_deref().unwrap_or("LoadBalancer");
    if request.cluster {
        set(spec, "type", Some("ClusterIP".into()));
        return set(spec, "clusterIP", value);
    }
    set(spec, "type", Some(kind.into()));
    if own {
        set(spec, "clusterIP", given.cluster_ip.as_deref().map(Value::from));
    }
    if kind == "LoadBalancer" {
        set(spec, "loadBalancerIP", value);
        set(spec, "loadBalancerClass", given.load_balancer_class.as_deref().map(Value::from));
        let ranges = given.load_balancer_source_ranges.as_ref().map(|ranges| json!(ranges));
        set(spec, "loadBalancerSourceRanges", ranges);
    } else {
        set(spec, "externalIPs", value.map(|value| json!([value])));
    }
    // Kubernetes refuses it on a Service that nothing outside the cluster reaches.
    if kind != "ClusterIP" || request.value.is_some() {
        set(spec, "externalTrafficPolicy", given.external_traffic_policy.as_deref().map(Value::from));
    }
}
