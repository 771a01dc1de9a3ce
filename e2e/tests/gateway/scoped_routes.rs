//! A route table for each host, on real Envoy: which table a request gets, and hosts that change tables under load.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::client::{Answer, ask, try_send};
use crate::controller::Controller;
use crate::load::Load;

/// A route of these hosts to the quick start's upstream; its answers tell its name.
fn route(name: &str, hosts: &[&str]) -> String {
    let hosts: Vec<String> = hosts.iter().map(|host| format!("'{host}'")).collect();
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}}}
spec:
  parentRefs: [{{name: quickstart}}]
  hostnames: [{}]
  rules:
  - filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier: {{set: [{{name: x-route, value: {name}}}]}}
    backendRefs:
    - {{group: gateway.kgateway.dev, kind: Backend, name: upstream, weight: 1}}
    - {{group: gateway.kgateway.dev, kind: Backend, name: upstream, weight: 1}}
",
        hosts.join(", ")
    )
}

/// Another file takes the place of that name, or none does.
fn put(folder: &Path, name: &str, text: Option<&str>) {
    let file = folder.join(format!("{name}.yaml"));
    match text {
        Some(text) => {
            let draft = folder.join(format!("{name}.draft"));
            fs::write(&draft, text).unwrap();
            fs::rename(draft, file).unwrap();
        }
        None => fs::remove_file(file).unwrap(),
    }
}

struct Routes<'a>(&'a Controller);

impl Routes<'_> {
    fn put(&self, name: &str, hosts: &[&str]) {
        put(&self.0.home.path().join("config"), name, Some(&route(name, hosts)));
    }

    fn remove(&self, name: &str) {
        put(&self.0.home.path().join("config"), name, None);
    }

    fn wait(&self, host: &'static str, shown_by: &str) {
        let shown = || (shown(&of(self.0.gateway, host).ok()?) == shown_by).then_some(());
        self.0.wait_until(&format!("{shown_by} for {host}"), shown);
    }
}

/// The route that answered, or the status if none did.
fn shown(answer: &Answer) -> String {
    answer.headers.get("x-route").cloned().unwrap_or_else(|| answer.status.to_string())
}

fn with_routes(routes: &[(&str, &[&str])]) -> Controller {
    Controller::with(&[], |folder| {
        fs::remove_file(folder.join("route.yaml")).unwrap();
        fs::remove_file(folder.join("policy.yaml")).unwrap();
        for (name, hosts) in routes {
            put(folder, name, Some(&route(name, hosts)));
        }
    })
}

#[test]
fn a_request_gets_the_table_of_the_most_specific_host_name() {
    let controller = with_routes(&[
        ("every", &[]),
        ("com", &["*.com"]),
        ("example", &["*.example.com"]),
        ("exact", &["a.example.com"]),
        ("address", &["localhost"]),
    ]);
    Routes(&controller).wait("a.example.com", "exact");
    for (host, route) in [
        ("a.example.com", "exact"),
        ("A.Example.Com", "exact"),
        ("a.example.com:8443", "exact"),
        ("b.example.com", "example"),
        ("b.a.example.com", "example"),
        ("example.com", "com"),
        ("b.example.com:80", "example"),
        ("localhost", "address"),
        ("[::1]:8080", "every"),
        ("nowhere", "every"),
        ("*.example.com", "example"),
    ] {
        assert_eq!(shown(&of(controller.gateway, host).unwrap()), route, "{host}");
    }
}

/// What a host answers.
fn of(gateway: SocketAddr, host: &str) -> Result<Answer, String> {
    try_send(gateway, "GET", "/", &[("host", host)], "")
}

/// What the upstream saw must not tell of the header that tables are found by, nor must clients choose one.
#[test]
fn the_header_that_tables_are_found_by_stays_inside() {
    let controller = with_routes(&[("exact", &["a.example.com"])]);
    Routes(&controller).wait("a.example.com", "exact");
    let answer = ask(
        controller.gateway,
        "GET",
        "/",
        &[("host", "a.example.com"), ("x-ferrule-scope", "8080/b.example.com")],
    );
    assert_eq!(shown(&answer), "exact");
    assert!(!answer.body.contains("x-ferrule-scope"), "{answer:?}");
    let answer = ask(
        controller.gateway,
        "GET",
        "/",
        &[("host", "b.example.com"), ("x-ferrule-scope", "8080/a.example.com")],
    );
    assert_eq!(shown(&answer), "404");
}

/// All that was seen is one of these, and each was.
fn assert_only(outcomes: &BTreeMap<String, u64>, expected: &[&str]) {
    let seen: Vec<&str> = outcomes.keys().map(String::as_str).collect();
    assert_eq!(seen, expected, "{outcomes:?}");
}

#[test]
fn hosts_change_tables_under_load_without_a_failed_request() {
    let controller = with_routes(&[("every", &[]), ("example", &["*.example.com"])]);
    let routes = Routes(&controller);
    routes.wait("a.example.com", "example");
    let load = Load::on_host(controller.gateway, "a.example.com", shown);
    for _ in 0..25 {
        routes.put("exact", &["a.example.com"]);
        routes.wait("a.example.com", "exact");
        routes.remove("exact");
        routes.wait("a.example.com", "example");
        routes.remove("example");
        routes.wait("a.example.com", "every");
        routes.put("exact", &["a.example.com", "*.com"]);
        routes.wait("a.example.com", "exact");
        routes.put("exact", &["*.com"]);
        routes.put("example", &["*.example.com"]);
        routes.wait("a.example.com", "example");
        routes.remove("exact");
    }
    assert_only(&load.stop(), &["every", "exact", "example"]);
}

#[test]
fn listeners_and_weights_change_under_load_without_a_failed_request() {
    let controller = with_routes(&[("every", &[]), ("exact", &["a.example.com"])]);
    let routes = Routes(&controller);
    routes.wait("a.example.com", "exact");
    let load = Load::on_host(controller.gateway, "a.example.com", shown);
    let gateway = fs::read_to_string(controller.config("gateway.yaml")).unwrap();
    let port = controller.gateway.port();
    for round in 0..10 {
        let more = format!(
            "{gateway}\n  - {{name: other, protocol: HTTP, port: {port}, hostname: '*.other.com'}}\n  \
             - {{name: third, protocol: HTTP, port: {}}}\n",
            e2e::free_port()
        );
        controller.edit("gateway.yaml", |_| more);
        routes.put("other", &["b.other.com"]);
        routes.wait("b.other.com", "other");
        let weights =
            route("exact", &["a.example.com"]).replacen("weight: 1", &format!("weight: {round}"), 1);
        put(&controller.home.path().join("config"), "exact", Some(&weights));
        controller.edit("gateway.yaml", |_| gateway.clone());
        routes.remove("other");
        routes.wait("b.other.com", "every");
    }
    assert_only(&load.stop(), &["exact"]);
}
