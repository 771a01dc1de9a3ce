//! Ports that proxies need themselves: a listener that asks for one says so and is not served, and its siblings are.

#![allow(clippy::unwrap_used, clippy::panic)]

use ferrule_translate::{Object, Parsed, ResourceKind, Settings, Translator, World};
use serde_json::{Value, json};

#[test]
fn a_listener_on_a_port_of_the_proxys_own_is_refused_alone() {
    let listener =
        |name: &str, protocol: &str, port: u16| json!({"name": name, "protocol": protocol, "port": port});
    let group = "gateway.networking.k8s.io/v1";
    let mut world = World::default();
    for object in [
        json!({"apiVersion": group, "kind": "GatewayClass", "metadata": {"name": "c"},
               "spec": {"controllerName": "ferrule.dev/gateway-controller"}}),
        json!({"apiVersion": group, "kind": "Gateway", "metadata": {"name": "g"}, "spec": {"gatewayClassName": "c", "listeners": [
            listener("web", "HTTP", 80), listener("taken", "HTTP", 8082), listener("of-udp", "UDP", 8082)]}}),
    ] {
        let Ok(Parsed::Object { object, .. }) = Object::parse(object) else { panic!("no object") };
        world.apply(object);
    }
    let reserved_ports = [(8082, "readiness".to_owned())].into();
    let translation = Translator::new(Settings { reserved_ports, ..Settings::default() }).translate(&world);

    let (_, resources) = translation.gateways.iter().next().unwrap();
    let listeners: Vec<_> = resources.of(ResourceKind::Listener).map(|one| one.name.to_string()).collect();
    assert!(!listeners.iter().any(|name| name.ends_with("/8082")), "{listeners:?}");
    assert!(listeners.iter().any(|name| name.ends_with("/80")), "{listeners:?}");
    let (_, status) = translation.status.iter().find(|(object, _)| &*object.kind == "Gateway").unwrap();
    let status = serde_json::to_value(&**status).unwrap();
    let accepted = |place: usize| -> Value {
        let conditions = status["listeners"][place]["conditions"].as_array().unwrap();
        conditions.iter().find(|one| one["type"] == "Accepted").unwrap().clone()
    };
    assert_eq!(accepted(1)["reason"], "PortUnavailable");
    assert_eq!(accepted(1)["message"], "spec.listeners[1].port: port 8082 of a proxy is its own: readiness");
    assert_eq!((&accepted(0)["status"], &accepted(2)["status"]), (&json!("True"), &json!("True")));
}
