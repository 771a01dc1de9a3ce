//! What policies name elsewhere: an edit of it reaches what depends on it, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use ferrule_translate::{Object, Parsed, Resource, ResourceKind, Settings, Translation, Translator, World};
use serde_json::{Value, json};

fn object(json: Value) -> Object {
    match Object::parse(json) {
        Ok(Parsed::Object { object, .. }) => object,
        other => panic!("{other:?}"),
    }
}

fn gateway_and_route() -> [Value; 3] {
    let group = "gateway.networking.k8s.io/v1";
    [
        json!({"apiVersion": group, "kind": "GatewayClass", "metadata": {"name": "c"}, "spec": {"controllerName": "ferrule.dev/gateway-controller"}}),
        json!({"apiVersion": group, "kind": "Gateway", "metadata": {"name": "g"},
               "spec": {"gatewayClassName": "c", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}}),
        json!({"apiVersion": group, "kind": "HTTPRoute", "metadata": {"name": "r"},
               "spec": {"parentRefs": [{"name": "g"}], "rules": [{}]}}),
    ]
}

fn policy(transformation: Value) -> Value {
    let target = json!({"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "r"});
    json!({"apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "TrafficPolicy", "metadata": {"name": "p"},
           "spec": {"targetRefs": [target], "transformation": transformation}})
}

fn reads_secret(name: &str) -> Value {
    policy(json!({
        "request": {"set": [{"name": "x-s", "value": "{{ secret('a') }}"}]},
        "secrets": {"a": {"secretRef": {"name": name}, "key": "k"}},
    }))
}

fn secret(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"k": value}})
}

fn world(more: impl IntoIterator<Item = Value>) -> World {
    let mut world = World::default();
    gateway_and_route().into_iter().chain(more).for_each(|json| world.apply(object(json)));
    world
}

/// Kind and name of the resources of the gateway that differ.
fn differing(before: &Translation, after: &Translation) -> BTreeSet<(ResourceKind, String)> {
    let resources = |translation: &Translation| -> Vec<(ResourceKind, Resource)> {
        let all = translation.gateways[&("default".into(), "g".into())].iter();
        all.map(|(kind, resource)| (kind, resource.clone())).collect()
    };
    let (before, after) = (resources(before), resources(after));
    let one_sided = before
        .iter()
        .filter(|one| !after.contains(one))
        .chain(after.iter().filter(|one| !before.contains(one)));
    one_sided.map(|(kind, resource)| (*kind, resource.name.to_string())).collect()
}

#[test]
fn the_rotation_of_a_secret_changes_its_one_resource() {
    let mut translator = Translator::new(Settings::default());
    let mut world = world([reads_secret("s"), secret("s", "old"), secret("unused", "x")]);
    let before = translator.translate(&world);
    world.apply(object(secret("s", "new")));
    let after = translator.translate(&world);
    assert_eq!(differing(&before, &after), [(ResourceKind::Secret, "default/s/k".to_owned())].into());
    assert_eq!(after.status, before.status);
    world.apply(object(secret("unused", "y")));
    assert_eq!(translator.translate(&world), after);
}

#[test]
fn secrets_come_and_go_without_a_change_of_any_port() {
    let mut translator = Translator::new(Settings::default());
    let none = policy(json!({"request": {"set": [{"name": "x-s", "value": "none"}]}}));
    let mut world = world([none.clone(), secret("s", "one"), secret("t", "two")]);
    let before = translator.translate(&world);
    let of = |name: &str| (ResourceKind::Secret, format!("default/{name}/k"));
    let filter = (ResourceKind::ExtensionConfig, "ferrule.transformation".to_owned());
    // That which takes no connections.
    let keeper = (ResourceKind::Listener, "default/g/secrets".to_owned());
    let routes = (ResourceKind::Routes, "default/g/80/*".to_owned());
    world.apply(object(reads_secret("s")));
    let first = translator.translate(&world);
    assert_eq!(differing(&before, &first), [of("s"), filter.clone(), keeper.clone(), routes.clone()].into());
    world.apply(object(reads_secret("t")));
    let second = translator.translate(&world);
    assert_eq!(differing(&first, &second), [of("s"), of("t"), filter, keeper, routes].into());
    world.apply(object(none));
    assert_eq!(translator.translate(&world), before);
}

#[test]
fn a_secret_that_goes_closes_the_route_and_opens_it_when_it_is_back() {
    let mut translator = Translator::new(Settings::default());
    let mut world = world([reads_secret("s"), secret("s", "one")]);
    let whole = translator.translate(&world);
    assert!(whole.problems.is_empty(), "{:?}", whole.problems);
    world.remove(&object(secret("s", "")).reference());
    let closed = translator.translate(&world);
    let problems: Vec<String> = closed.problems.iter().map(|problem| problem.message()).collect();
    assert_eq!(problems, ["spec.transformation.secrets.a.secretRef: Secret default/s does not exist"]);
    assert!(differing(&whole, &closed).contains(&(ResourceKind::Secret, "default/s/k".to_owned())));
    world.apply(object(secret("s", "one")));
    assert_eq!(translator.translate(&world), whole);
}

#[test]
fn an_edit_of_a_config_map_changes_the_routes_that_read_it() {
    let map = |text: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"k": text}});
    let reads = policy(json!({
        "response": {"body": {"value": "{{ data_source('a') }}"}},
        "dataSources": {"a": {"configMapRef": {"name": "m"}, "key": "k"}},
    }));
    let mut translator = Translator::new(Settings::default());
    let mut world = world([reads, map("old")]);
    let before = translator.translate(&world);
    world.apply(object(map("new")));
    let after = translator.translate(&world);
    assert_eq!(differing(&before, &after), [(ResourceKind::Routes, "default/g/80/*".to_owned())].into());
}
