//! What a change costs: only what depends on it is made again, and what comes out is what a translator that carries
//! nothing gives.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use ferrule_translate::{
    FilterHost, Layout, Object, Parsed, ResourceKind, Settings, Translation, Translator, World,
};
use serde_json::{Value, json};

const GROUP: &str = "gateway.networking.k8s.io/v1";

fn apply(world: &mut World, json: Value) {
    match Object::parse(json) {
        Ok(Parsed::Object { object, .. }) => world.apply(object),
        other => panic!("{other:?}"),
    }
}

fn gateway(name: &str, listeners: &[(&str, u16)]) -> Value {
    let listeners = listeners.iter().enumerate().map(|(place, (host, port))| {
        json!({"name": format!("l{place}"), "protocol": "HTTP", "port": port, "hostname": host})
    });
    json!({"apiVersion": GROUP, "kind": "Gateway", "metadata": {"name": name},
           "spec": {"gatewayClassName": "c", "listeners": listeners.collect::<Vec<_>>()}})
}

fn route(number: usize, host: &str, service: usize, path: &str, gateways: &[&str]) -> Value {
    let parents: Vec<Value> = gateways.iter().map(|name| json!({"name": name})).collect();
    json!({"apiVersion": GROUP, "kind": "HTTPRoute", "metadata": {"name": format!("r{number}")},
           "spec": {"parentRefs": parents, "hostnames": [host],
                    "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": path}}],
                               "backendRefs": [{"name": format!("s{service}"), "port": 80}]}]}})
}

fn service(number: usize, port: u16) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("s{number}")},
           "spec": {"ports": [{"name": "http", "port": port}]}})
}

fn slice(number: usize, address: usize) -> Value {
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
           "metadata": {"name": format!("s{number}-1"), "labels": {"kubernetes.io/service-name": format!("s{number}")}},
           "endpoints": [{"addresses": [format!("10.0.0.{address}")], "conditions": {"ready": true}}],
           "ports": [{"name": "http", "port": 8080}]})
}

fn policy(number: usize, route: usize, text: &str) -> Value {
    json!({"apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "TrafficPolicy", "metadata": {"name": format!("p{number}")},
           "spec": {"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": format!("r{route}")}],
                    "transformation": {"response": {"set": [{"name": "x-policy", "value": text}]}}}})
}

/// Two Gateways, and routes with a host and a Service each.
fn world(routes: usize) -> World {
    let mut world = World::default();
    apply(
        &mut world,
        json!({"apiVersion": GROUP, "kind": "GatewayClass", "metadata": {"name": "c"}, "spec": {"controllerName": "ferrule.dev/gateway-controller"}}),
    );
    apply(&mut world, gateway("g", &[("*.example.com", 80)]));
    apply(&mut world, gateway("h", &[("", 80), ("*.example.com", 8080)]));
    for number in 0..routes {
        apply(&mut world, service(number, 80));
        apply(&mut world, slice(number, 1));
        apply(&mut world, route(number, &format!("h{number}.example.com"), number, "/", &["g"]));
    }
    world
}

/// Kinds and names of the resources of a Gateway that are others in `after`; those that are gone, too.
fn differing(before: &Translation, after: &Translation, gateway: &str) -> Vec<String> {
    let key = ("default".into(), gateway.into());
    let (before, after) = (&before.gateways[&key], &after.gateways[&key]);
    let of_kind = |kind| {
        before.differences(after, kind).map(move |one| match one {
            Ok(resource) => format!("{kind:?} {}", resource.name),
            Err(name) => format!("no {kind:?} {name}"),
        })
    };
    ResourceKind::ALL.into_iter().flat_map(of_kind).collect()
}

/// Where each resource of a Gateway is in memory.
fn places(translation: &Translation, gateway: &str) -> BTreeMap<(ResourceKind, Arc<str>), *const u8> {
    let resources = &translation.gateways[&("default".into(), gateway.into())];
    resources.iter().map(|(kind, one)| ((kind, Arc::clone(&one.name)), one.body.as_ptr())).collect()
}

#[test]
fn one_routes_change_lowers_one_route() {
    let (mut translator, mut world) = (Translator::new(Settings::default()), world(300));
    let before = translator.translate(&world);
    apply(&mut world, route(150, "h150.example.com", 150, "/edited", &["g"]));
    let after = translator.translate(&world);
    assert_eq!(differing(&before, &after, "g"), ["Routes default/g/80/h150.example.com"]);
    assert!(differing(&before, &after, "h").is_empty());
    let (was, is) = (places(&before, "g"), places(&after, "g"));
    let made_again: Vec<String> = is
        .iter()
        .filter(|(id, place)| was.get(*id) != Some(place))
        .map(|((kind, name), _)| format!("{kind:?} {name}"))
        .collect();
    // Of a port there is but one listener.
    assert_eq!(
        made_again,
        [
            "Listener default/g/80",
            "ScopedRoutes default/g/80/h150.example.com",
            "Routes default/g/80/h150.example.com"
        ]
    );
    let told = before.status.differences(&after.status, Arc::ptr_eq).map(|one| one.key.to_string());
    let of_routes: Vec<String> = told.filter(|object| object.starts_with("HTTPRoute")).collect();
    assert!(of_routes.is_empty(), "its status says the same as before: {of_routes:?}");
}

#[test]
fn a_route_that_comes_brings_its_table_and_its_cluster_and_takes_them_along() {
    let (mut translator, mut world) = (Translator::new(Settings::default()), world(100));
    let before = translator.translate(&world);
    apply(&mut world, service(100, 80));
    apply(&mut world, slice(100, 1));
    apply(&mut world, route(100, "h100.example.com", 100, "/", &["g"]));
    let with = translator.translate(&world);
    let brought = [
        "Cluster service/default/s100/80",
        "Endpoints service/default/s100/80",
        "ScopedRoutes default/g/80/h100.example.com",
        "Routes default/g/80/h100.example.com",
    ];
    assert_eq!(differing(&before, &with, "g"), brought);
    world.remove(&ferrule_translate::ObjectRef::new(
        "gateway.networking.k8s.io",
        "HTTPRoute",
        "default",
        "r100",
    ));
    let without = translator.translate(&world);
    assert_eq!(differing(&with, &without, "g"), brought.map(|one| format!("no {one}")));
    assert_eq!(without.gateways, before.gateways);
    assert_eq!(without.status, before.status);
}

#[test]
fn a_service_that_changes_touches_the_routes_that_name_it_alone() {
    let (mut translator, mut world) = (Translator::new(Settings::default()), world(100));
    let before = translator.translate(&world);
    apply(&mut world, service(7, 81));
    let after = translator.translate(&world);
    let touched = [
        "no Cluster service/default/s7/80",
        "no Endpoints service/default/s7/80",
        "Routes default/g/80/h7.example.com",
    ];
    assert_eq!(differing(&before, &after, "g"), touched);
    let told = before.status.differences(&after.status, |ours, theirs| ours == theirs);
    assert_eq!(told.map(|one| one.key.to_string()).collect::<Vec<_>>(), ["HTTPRoute default/r7"]);
}

/// The next number of a sequence that looks random and is always the same.
fn next(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize % below
}

/// Hosts, Services and Gateways are few, so that routes meet in them.
fn edit(world: &mut World, state: &mut u64) {
    const HOSTS: [&str; 5] = ["a.example.com", "b.example.com", "*.example.com", "A.example.com", "c.test"];
    const GATEWAYS: [&[&str]; 4] = [&["g"], &["h"], &["g", "h"], &[]];
    const PORTS: [&[(&str, u16)]; 3] =
        [&[("*.example.com", 80)], &[("a.example.com", 80), ("", 81)], &[("", 80)]];
    let number = next(state, 8);
    match next(state, 12) {
        0..=4 => {
            let (host, gateways) = (HOSTS[next(state, 5)], GATEWAYS[next(state, 4)]);
            let path = ["/", "/x", "not a path"][next(state, 3)];
            apply(world, route(number, host, next(state, 8), path, gateways));
        }
        5 => apply(world, service(number, [80, 81][next(state, 2)])),
        6 => apply(world, slice(number, next(state, 9))),
        7 => apply(world, policy(number % 2, next(state, 8), ["one", "two"][next(state, 2)])),
        8 => apply(world, gateway(["g", "h"][next(state, 2)], PORTS[next(state, 3)])),
        kind => {
            let (group, kind, prefix) = [
                ("gateway.networking.k8s.io", "HTTPRoute", "r"),
                ("", "Service", "s"),
                ("gateway.kgateway.dev", "TrafficPolicy", "p"),
            ][kind - 9];
            let name = format!("{prefix}{number}");
            world.remove(&ferrule_translate::ObjectRef::new(group, kind, "default", &name));
        }
    }
}

#[test]
fn whatever_changes_the_result_is_that_of_a_translator_that_carries_nothing() {
    let wasm =
        Settings { filter_host: FilterHost::Wasm { directory: "/wasm".to_owned() }, ..Settings::default() };
    let one_table = Settings { layout: Layout::PerPort, ..Settings::default() };
    for settings in [Settings::default(), one_table, wasm] {
        let (mut world, mut state) = (world(4), 1);
        let mut translator = Translator::new(settings.clone());
        for turn in 0..150 {
            for _ in 0..=next(&mut state, 3) {
                edit(&mut world, &mut state);
            }
            let (carried, fresh) =
                (translator.translate(&world), Translator::new(settings.clone()).translate(&world));
            assert_eq!(carried.problems, fresh.problems, "{settings:?} {turn}");
            assert_eq!(carried.status, fresh.status, "{settings:?} {turn}");
            assert_eq!(carried.origins, fresh.origins, "{settings:?} {turn}");
            assert_eq!(carried.gateways, fresh.gateways, "{settings:?} {turn}");
        }
    }
}
