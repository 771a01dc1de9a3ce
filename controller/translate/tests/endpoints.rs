//! Endpoints that change by themselves take no translation, and come out as a translation would have made them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use ferrule_translate::{
    Key, Object, Parsed, Resource, ResourceKind, Settings, Translation, Translator, World,
};
use serde_json::{Value, json};

const GROUP: &str = "gateway.networking.k8s.io/v1";

fn object(json: Value) -> Object {
    match Object::parse(json) {
        Ok(Parsed::Object { object, .. }) => object,
        other => panic!("{other:?}"),
    }
}

fn slice(name: &str, service: &str, address: &str) -> Object {
    object(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
        "endpoints": [{"addresses": [address], "conditions": {"ready": true}}], "ports": [{"name": "http", "port": 8080}]}))
}

/// A Gateway with a route to each of two Services.
fn world() -> World {
    let mut world = World::default();
    let service = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
               "spec": {"ports": [{"name": "http", "port": 80}]}})
    };
    let route = |name: &str| {
        json!({"apiVersion": GROUP, "kind": "HTTPRoute", "metadata": {"name": name},
               "spec": {"parentRefs": [{"name": "g"}], "hostnames": [format!("{name}.example.com")],
                        "rules": [{"backendRefs": [{"name": name, "port": 80}]}]}})
    };
    let objects = [
        json!({"apiVersion": GROUP, "kind": "GatewayClass", "metadata": {"name": "c"}, "spec": {"controllerName": "ferrule.dev/gateway-controller"}}),
        json!({"apiVersion": GROUP, "kind": "Gateway", "metadata": {"name": "g"},
               "spec": {"gatewayClassName": "c", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}}),
        service("a"),
        service("b"),
        route("a"),
        route("b"),
    ];
    objects.into_iter().for_each(|json| world.apply(object(json)));
    world.apply(slice("one", "a", "10.0.0.1"));
    world
}

fn key(name: &str) -> Key {
    ("default".into(), name.into())
}

fn endpoints(translation: &Translation) -> BTreeMap<String, Resource> {
    let all = translation.gateways[&key("g")].of(ResourceKind::Endpoints);
    all.map(|resource| (resource.name.to_string(), resource.clone())).collect()
}

/// Renews the endpoints of `slices` and makes sure that a translator that carries nothing gives the same.
fn renewed(translator: &mut Translator, world: &World, slices: &[&str]) -> BTreeMap<String, Resource> {
    let keys: Vec<Key> = slices.iter().map(|name| key(name)).collect();
    let renewed = translator.endpoints(world, &keys);
    let fresh = endpoints(&Translator::new(Settings::default()).translate(world));
    for resource in &renewed {
        assert_eq!(fresh[&*resource.name], *resource);
    }
    let after = translator.translate(world);
    assert_eq!(endpoints(&after), fresh);
    renewed.into_iter().map(|resource| (resource.name.to_string(), resource)).collect()
}

#[test]
fn a_slice_that_changes_renews_the_endpoints_of_its_service_alone() {
    let (mut translator, mut world) = (Translator::new(Settings::default()), world());
    translator.translate(&world);
    world.apply(slice("one", "a", "10.0.0.2"));
    let renewed = renewed(&mut translator, &world, &["one"]);
    assert_eq!(renewed.keys().collect::<Vec<_>>(), ["service/default/a/80"]);
}

#[test]
fn a_slice_that_moves_renews_both_services() {
    let (mut translator, mut world) = (Translator::new(Settings::default()), world());
    translator.translate(&world);
    world.apply(slice("one", "b", "10.0.0.1"));
    let renewed = renewed(&mut translator, &world, &["one"]);
    assert_eq!(renewed.keys().collect::<Vec<_>>(), ["service/default/a/80", "service/default/b/80"]);
}

#[test]
fn a_slice_that_goes_leaves_no_endpoints() {
    let (mut translator, mut world) = (Translator::new(Settings::default()), world());
    let before = endpoints(&translator.translate(&world));
    let removed = slice("one", "a", "10.0.0.1");
    world.remove(&removed.reference());
    let renewed = renewed(&mut translator, &world, &["one"]);
    assert!(renewed["service/default/a/80"].body.len() < before["service/default/a/80"].body.len());
}

#[test]
fn what_no_route_leads_to_and_what_stays_the_same_renews_nothing() {
    let (mut translator, mut world) = (Translator::new(Settings::default()), world());
    translator.translate(&world);
    world.apply(slice("other", "unused", "10.0.0.9"));
    // Another object of the same content.
    world.apply(slice("one", "a", "10.0.0.1"));
    assert!(renewed(&mut translator, &world, &["other", "one"]).is_empty());
}
