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

/// A Gateway with a route `r` to the Backend `b`, and these.
fn with_backend(more: impl IntoIterator<Item = Value>) -> Translation {
    let group = "gateway.networking.k8s.io/v1";
    let backend = json!({"group": "gateway.kgateway.dev", "kind": "Backend", "name": "b"});
    let common = [
        json!({"apiVersion": group, "kind": "GatewayClass", "metadata": {"name": "c"}, "spec": {"controllerName": "ferrule.dev/gateway-controller"}}),
        json!({"apiVersion": group, "kind": "Gateway", "metadata": {"name": "g"},
               "spec": {"gatewayClassName": "c", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}}),
        json!({"apiVersion": group, "kind": "HTTPRoute", "metadata": {"name": "r"},
               "spec": {"parentRefs": [{"name": "g"}], "rules": [{"backendRefs": [backend]}]}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws"},
               "stringData": {"accessKey": "AKIDEXAMPLE", "secretKey": "hunter2"}}),
    ];
    translate(common.into_iter().chain(more))
}

fn of_backend(kind: &str, name: &str, mut spec: Value) -> Value {
    spec["targetRefs"] = json!([{"group": "gateway.kgateway.dev", "kind": "Backend", "name": "b"}]);
    json!({"apiVersion": "ferrule.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// What a resource was made from.
fn from(translation: &Translation, kind: ResourceKind, name: &str) -> Vec<String> {
    let origins = &translation.origins[&("default".into(), "g".into())];
    let mut from: Vec<String> =
        origins.get(&(kind, name.into())).unwrap().iter().map(ToString::to_string).collect();
    from.sort();
    from
}

#[test]
fn calls_of_functions_come_from_the_backend_and_its_policy_wherever_they_stand() {
    let auth = json!({"type": "Secret", "secretRef": {"name": "aws"}});
    let aws = json!({"accountId": "123456789012", "auth": auth, "lambda": {"functionName": "f"}});
    let backend = json!({"apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "Backend", "metadata": {"name": "b"},
                         "spec": {"type": "AWS", "aws": aws}});
    let translation = with_backend([
        backend,
        of_backend("LambdaPolicy", "p", json!({"payloadMode": "Alb"})),
        json!({"apiVersion": "ferrule.dev/v1alpha1", "kind": "LambdaPolicy", "metadata": {"name": "idle"}, "spec": {}}),
    ]);
    let both = ["Backend default/b", "Gateway default/g", "HTTPRoute default/r", "LambdaPolicy default/p"];
    for kind in [ResourceKind::Routes, ResourceKind::ScopedRoutes] {
        assert_eq!(from(&translation, kind, "default/g/80/*"), both);
    }
    let filter = from(&translation, ResourceKind::ExtensionConfig, "ferrule.lambda");
    assert_eq!(filter, ["Backend default/b", "Gateway default/g", "LambdaPolicy default/p"]);
    assert_eq!(from(&translation, ResourceKind::Listener, "default/g/secrets"), filter);
    let cluster = from(&translation, ResourceKind::Cluster, "backend/default/b");
    assert_eq!(cluster, ["Backend default/b", "LambdaPolicy default/p"]);
    let secret = from(&translation, ResourceKind::Secret, "aws/secret/default/aws");
    assert_eq!(secret, ["Secret default/aws"]);
}

#[test]
fn signatures_come_from_their_policy_and_the_cluster_of_an_endpoint_from_whoever_wants_tls() {
    let hosts = json!([{"host": "s3.eu-west-1.amazonaws.com", "port": 443}]);
    let backend = json!({"apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "Backend", "metadata": {"name": "b"},
                         "spec": {"type": "Static", "static": {"hosts": hosts}}});
    let auth = json!({"type": "Secret", "secretRef": {"name": "aws"}});
    let spec = json!({"region": "eu-west-1", "service": "s3", "tls": "System", "auth": auth});
    let translation = with_backend([backend, of_backend("AWSSigningPolicy", "p", spec)]);
    let routes = from(&translation, ResourceKind::Routes, "default/g/80/*");
    let all = ["AWSSigningPolicy default/p", "Backend default/b", "Gateway default/g", "HTTPRoute default/r"];
    assert_eq!(routes, all);
    let cluster = from(&translation, ResourceKind::Cluster, "backend/default/b");
    assert_eq!(cluster, ["AWSSigningPolicy default/p", "Backend default/b"]);
}
