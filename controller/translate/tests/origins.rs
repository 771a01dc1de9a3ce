//! A resource names all objects that it was made from, so that a proxy's refusal reaches whoever caused it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use ferrule_translate::{Object, Parsed, ResourceKind, Settings, Translation, Translator, World};
use serde_json::{Value, json};

fn translate(objects: impl IntoIterator<Item = Value>) -> Translation {
    let mut world = World::default();
    for object in objects {
        let Ok(Parsed::Object { object, .. }) = Object::parse(object) else { panic!("no object") };
        world.apply(object);
    }
    Translator::new(Settings::default()).translate(&world)
}

fn policy(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "TrafficPolicy", "metadata": {"name": name}, "spec": spec})
}

fn target(kind: &str, name: &str) -> Value {
    json!({"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": kind, "name": name}]})
}

#[test]
fn routes_come_from_their_gateway_their_routes_and_every_policy_that_applies() {
    let group = "gateway.networking.k8s.io/v1";
    let extension = json!({"type": "ExtensionRef", "extensionRef": {"group": "gateway.kgateway.dev", "kind": "TrafficPolicy", "name": "named"}});
    let translation = translate([
        json!({"apiVersion": group, "kind": "GatewayClass", "metadata": {"name": "c"}, "spec": {"controllerName": "ferrule.dev/gateway-controller"}}),
        json!({"apiVersion": group, "kind": "Gateway", "metadata": {"name": "g"},
               "spec": {"gatewayClassName": "c", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}}),
        json!({"apiVersion": group, "kind": "HTTPRoute", "metadata": {"name": "r"},
               "spec": {"parentRefs": [{"name": "g"}], "rules": [{"filters": [extension]}]}}),
        policy("named", json!({})),
        policy("wide", target("Gateway", "g")),
        policy("near", target("HTTPRoute", "r")),
        policy("elsewhere", target("HTTPRoute", "other")),
    ]);
    let origins = &translation.origins[&("default".into(), "g".into())];
    let of_routes = origins.get(&(ResourceKind::Routes, "default/g/80/*".into())).unwrap();
    let named: BTreeSet<String> = of_routes.iter().map(ToString::to_string).collect();
    let expected = [
        "Gateway default/g",
        "HTTPRoute default/r",
        "TrafficPolicy default/named",
        "TrafficPolicy default/near",
        "TrafficPolicy default/wide",
    ];
    assert_eq!(named, expected.map(str::to_owned).into());
}
