//! Filters of listeners, on real Envoy: they run before a request is routed, so that it is routed by what they make of it.

use std::fs;
use std::path::Path;

use crate::authorization_server::{Question, Server, Verdict};
use crate::client::{Answer, send};
use crate::controller::{Controller, wasm};
use crate::upstream::{Upstream, service};
use serde_json::Value;

fn fields(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Lets those in who have the token, tells who they are, and tries to send them to another host.
fn judge(question: &Question) -> Verdict {
    match question.headers.get("authorization").map(String::as_str) {
        Some("good") => (200, fields(&[("x-tenant", "t1"), ("host", "plain.example.com")]), ""),
        _ => (401, Vec::new(), "who are you?"),
    }
}

/// Lets all in, and sends them elsewhere.
fn guide(_: &Question) -> Verdict {
    (200, fields(&[(":path", "/moved"), (":method", "PUT"), (":authority", "plain.example.com")]), "")
}

/// Lets all in.
fn nod(_: &Question) -> Verdict {
    (200, Vec::new(), "")
}

const LISTENERS: &str = "
    filters:
      requests:
      - {type: ExtensionRef, extensionRef: {group: gateway.kgateway.dev, kind: TrafficPolicy, name: read}}
      - {type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: judge, port: 80}, http: {}}}
      - {type: ExtensionRef, extensionRef: {group: gateway.kgateway.dev, kind: TrafficPolicy, name: conclude}}
  - {name: plain, protocol: HTTP, port: PORT, hostname: plain.example.com}
  - name: guided
    protocol: HTTP
    port: PORT
    hostname: guided.example.com
    filters: {requests: [{type: ExternalAuth, externalAuth: {protocol: GRPC, backendRef: {name: guide, port: 80}, grpc: {}}}]}
  - name: broken
    protocol: HTTP
    port: PORT
    hostname: broken.example.com
    filters: {requests: [{type: ExtensionRef, extensionRef: {group: gateway.kgateway.dev, kind: TrafficPolicy, name: gone}}]}
";

const OBJECTS: &str = "---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: read}
spec:
  transformation:
    request:
      ignoreErrorOnParse: true
      body: {parseAs: AsJson}
      set:
      - {name: x-model, value: '{{ model }}'}
      - {name: ':path', value: '{{ moved or request_header(\":path\") }}'}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: conclude}
spec: {transformation: {request: {set: [{name: x-class, value: \"{{ request_header('x-tenant') }}-{{ request_header('x-model') }}\"}]}}}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: told}
spec: {transformation: {response: {set: [{name: x-told, value: 'yes'}]}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: routed}
spec:
  parentRefs: [{name: quickstart}]
  rules:
  - matches: [{path: {value: /chat}, headers: [{name: x-class, value: t1-large}]}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-route, value: large}]}}]
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /chat}, headers: [{name: x-class, value: t1-small}]}]
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-route, value: small}]}}
    - {type: ExternalAuth, externalAuth: {protocol: GRPC, backendRef: {name: nod, port: 80}, grpc: {}}}
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /moved}}]
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-route, value: moved}]}}
    - {type: ExtensionRef, extensionRef: {group: gateway.kgateway.dev, kind: TrafficPolicy, name: told}}
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /chat}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-route, value: original}]}}]
    backendRefs: [{name: app, port: 80}]
";

struct Rig {
    app: Upstream,
    judge: Server,
    nod: Server,
    controller: Controller,
}

impl Rig {
    fn new(arguments: &[&str]) -> Self {
        let app = Upstream::plain("app");
        let (judge, guide, nod) = (Server::http(judge), Server::grpc(guide), Server::grpc(nod));
        let h2c = ", appProtocol: kubernetes.io/h2c";
        let objects = [
            OBJECTS.to_owned(),
            app.service("app"),
            service("judge", "", &[judge.port]),
            service("guide", h2c, &[guide.port]),
            service("nod", h2c, &[nod.port]),
        ];
        let controller = Controller::with(arguments, |folder| {
            fs::write(folder.join("extra.yaml"), objects.concat()).unwrap();
            add_listeners(&folder.join("gateway.yaml"));
        });
        controller.wait_for_line("try: curl");
        Self { app, judge, nod, controller }
    }

    fn post(&self, host: &str, path: &str, token: &str, body: &str) -> Answer {
        let headers =
            [("host", host), ("authorization", token), ("x-tenant", "forged"), ("x-class", "t1-large")];
        send(self.controller.gateway, "POST", path, &headers, body)
    }
}

fn add_listeners(gateway: &Path) {
    let text = fs::read_to_string(gateway).unwrap();
    let port = text.trim_end().rsplit(' ').next().unwrap().to_owned();
    fs::write(gateway, text.trim_end().to_owned() + &LISTENERS.replace("PORT", &port)).unwrap();
}

/// The route that a request took, and the host that the upstream was asked for.
fn route(answer: &Answer) -> (String, String) {
    if answer.status != 200 {
        return (answer.status.to_string(), String::new());
    }
    let headers = answer.json()["headers"].clone();
    let text = |name: &str| headers[name].as_str().unwrap_or("none").to_owned();
    (text("x-route"), text("host"))
}

fn on(route: &str, host: &str) -> (String, String) {
    (route.to_owned(), host.to_owned())
}

/// On either host of filters.
fn requests_are_routed_by_what_the_filters_make_of_them(arguments: &[&str]) {
    let rig = Rig::new(arguments);
    let post = |path: &str, body: &str| rig.post("a.example.com", path, "good", body);
    let large = post("/chat", r#"{"model": "large"}"#);
    assert_eq!(route(&large), on("large", "a.example.com"));
    assert_eq!(large.json()["headers"]["x-tenant"], "t1", "the server's word, not the client's");
    assert_eq!(rig.nod.asked(), [], "about requests of another route");
    assert_eq!(route(&post("/chat", r#"{"model": "small"}"#)), on("small", "a.example.com"));
    assert_eq!(rig.nod.asked().len(), 1, "the filters of the route that was found");
    let moved = post("/chat", r#"{"moved": "/moved"}"#);
    assert_eq!(route(&moved), on("moved", "a.example.com"));
    assert_eq!(moved.header("x-told"), Some("yes"), "the policies of the route that was found");
    let original = post("/chat", "no JSON");
    assert_eq!((route(&original), original.header("x-told")), (on("original", "a.example.com"), None));
    assert_eq!(post("/nowhere", "").status, 404);
    let is_mark = |saw: &Value| saw.to_string().contains("ferrule");
    assert!(!rig.app.seen("/chat").iter().any(is_mark));
}

#[test]
fn requests_are_routed_by_what_native_filters_make_of_them() {
    requests_are_routed_by_what_the_filters_make_of_them(&[]);
}

#[test]
fn requests_are_routed_by_what_wasm_filters_make_of_them() {
    let Some(folder) = wasm() else {
        assert!(std::env::var_os("CI").is_none(), "no wasm modules; `just wasm` builds them");
        return eprintln!("skipped: no wasm modules; `just wasm` builds them");
    };
    let folder = folder.display().to_string();
    requests_are_routed_by_what_the_filters_make_of_them(&["--filters", "wasm", "--wasm-dir", &folder]);
}

#[test]
fn every_request_of_a_listener_passes_its_filters_and_none_of_its_neighbours() {
    let rig = Rig::new(&[]);
    for path in ["/chat", "/nowhere", "/moved"] {
        let answer = rig.post("a.example.com", path, "bad", r#"{"model": "small"}"#);
        assert_eq!((answer.status, answer.body.as_str()), (401, "who are you?"), "{path}");
    }
    assert_eq!(rig.nod.asked(), [], "a filter that answers is the last one");
    assert_eq!(rig.judge.asked().len(), 3);
    let answer = rig.post("plain.example.com", "/chat", "bad", "");
    assert_eq!(route(&answer), on("large", "plain.example.com"), "a listener without filters");
    assert_eq!(rig.judge.asked(), []);
    assert_eq!(rig.post("broken.example.com", "/chat", "good", "").status, 500);
}

#[test]
fn a_server_changes_path_and_method_but_no_host() {
    let rig = Rig::new(&[]);
    let headers = [("host", "guided.example.com")];
    let answer = send(rig.controller.gateway, "GET", "/chat", &headers, "");
    assert_eq!(route(&answer), on("moved", "guided.example.com"));
    assert_eq!((&answer.json()["method"], &answer.json()["path"]), (&"PUT".into(), &"/moved".into()));
}
