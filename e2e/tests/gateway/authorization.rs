//! Authorization servers that are asked about requests of a route, on real Envoy.

use crate::authorization_server::{Question, Server, Verdict};
use crate::client::{Answer, ask, send};
use crate::controller::Controller;
use crate::upstream::{Upstream, service};

/// Lets those in who have the token, and tells who they are. What it must not change it tries to.
fn judge(question: &Question) -> Verdict {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    match question.headers.get("authorization").map(String::as_str) {
        Some("good") => {
            let known =
                [("x-user", "ann"), ("x-tenant", "t1"), ("host", "evil"), ("x-ferrule-scope", "1/evil")];
            (200, known.map(|(name, value)| field(name, value)).into(), "")
        }
        Some("created") => (201, Vec::new(), "created"),
        Some("broken") => (503, Vec::new(), "broken"),
        _ => (401, vec![field("www-authenticate", "Bearer")], "who are you?"),
    }
}

const ROUTE: &str = "---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: asking}
spec:
  parentRefs: [{name: quickstart}]
  rules:
  - matches: [{path: {value: /open}}]
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /http}}]
    filters: [{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: http, port: 80}, http: {}}}]
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /limited}}]
    filters:
    - type: ExternalAuth
      externalAuth:
        protocol: HTTP
        backendRef: {name: http, port: 80}
        http: {path: /check/, allowedHeaders: [X-Ask], allowedResponseHeaders: [X-User]}
        forwardBody: {maxSize: 16}
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /grpc}}]
    filters:
    - type: ExternalAuth
      externalAuth: {protocol: GRPC, backendRef: {name: grpc, port: 80}, grpc: {}, forwardBody: {maxSize: 16}}
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /few}}]
    filters:
    - {type: ExternalAuth, externalAuth: {protocol: GRPC, backendRef: {name: grpc, port: 80}, grpc: {allowedHeaders: [Authorization]}}}
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /dead}}]
    filters: [{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: dead, port: 80}, http: {}}}]
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /dead-grpc}}]
    filters: [{type: ExternalAuth, externalAuth: {protocol: GRPC, backendRef: {name: dead, port: 80}, grpc: {}}}]
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /gone}}]
    filters: [{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: gone, port: 80}, http: {}}}]
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /away}}]
    filters:
    - {type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: http, port: 80}, http: {}}}
    - {type: RequestRedirect, requestRedirect: {hostname: example.com}}
  - matches: [{path: {value: /both}}]
    filters: [{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: http, port: 80}, http: {}}}]
    backendRefs:
    - name: app
      port: 80
      filters: [{type: ExternalAuth, externalAuth: {protocol: GRPC, backendRef: {name: grpc, port: 80}, grpc: {}}}]
";

struct Rig {
    app: Upstream,
    http: Server,
    grpc: Server,
    controller: Controller,
}

impl Rig {
    fn new() -> Self {
        let (app, http, grpc) = (Upstream::plain("app"), Server::http(judge), Server::grpc(judge));
        let h2c = ", appProtocol: kubernetes.io/h2c";
        let objects = [
            ROUTE.to_owned(),
            app.service("app"),
            service("http", "", &[http.port]),
            service("grpc", h2c, &[grpc.port]),
            service("dead", "", &[]),
        ];
        Self { app, http, grpc, controller: Controller::beside(&objects.concat()) }
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.controller.gateway, "GET", path, headers)
    }

    /// Whether the upstream has never had a request for this path.
    fn is_unseen(&self, path: &str) -> bool {
        self.app.seen(path).is_empty()
    }
}

#[test]
fn a_server_of_http_is_asked_and_its_word_holds() {
    let rig = Rig::new();
    assert_eq!(rig.get("/open", &[]).status, 200);
    assert_eq!(rig.http.asked(), []);
    let refused = rig.get("/http/refused", &[("cookie", "a=b")]);
    assert_eq!((refused.status, refused.body.as_str()), (401, "who are you?"));
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    let asked = rig.http.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/http/refused"));
    assert_eq!(asked.headers["host"], "localhost");
    assert_eq!(asked.headers["content-length"], "0");
    let is_ours = |name: &String| name == "cookie" || name.starts_with("x-ferrule");
    assert!(!asked.headers.keys().any(is_ours), "{asked:?}");
    assert!(rig.is_unseen("/http/refused"));

    let taken = rig.get("/http/taken?a=b", &[("authorization", "good"), ("x-user", "mallory")]);
    let headers = taken.json()["headers"].clone();
    assert_eq!((&headers["x-user"], &headers["x-tenant"]), (&"ann".into(), &"t1".into()));
    assert_eq!(headers["host"], "localhost", "no server may change the host");
    assert_eq!(headers["x-ferrule-scope"], serde_json::Value::Null);
    let asked = rig.http.asked().remove(0);
    assert_eq!((asked.path.as_str(), asked.headers["authorization"].as_str()), ("/http/taken?a=b", "good"));
}

#[test]
fn whatever_is_not_a_yes_is_a_no() {
    let rig = Rig::new();
    for (path, token, status) in [
        ("/http/created", "created", 201),
        ("/http/broken", "broken", 403),
        ("/dead/http", "good", 403),
        ("/dead-grpc/grpc", "good", 403),
        ("/gone/http", "good", 500),
        ("/grpc/refused", "bad", 401),
        ("/away", "bad", 401),
        ("/both", "bad", 401),
    ] {
        assert_eq!(rig.get(path, &[("authorization", token)]).status, status, "{path}");
        assert!(rig.is_unseen(path), "{path}");
    }
    let away = rig.get("/away", &[("authorization", "good")]);
    assert_eq!(away.status, 302);
    assert!(away.header("location").unwrap().starts_with("http://example.com:"), "{away:?}");
}

#[test]
fn a_server_sees_and_changes_what_it_is_allowed_to() {
    let rig = Rig::new();
    let (at, good) = (rig.controller.gateway, ("authorization", "good"));
    let headers = [good, ("x-ask", "1"), ("x-other", "2")];
    let answer = send(at, "POST", "/limited/a", &headers, "0123456789abcdef");
    let saw = answer.json()["headers"].clone();
    assert_eq!((&saw["x-user"], &saw["x-tenant"]), (&"ann".into(), &serde_json::Value::Null));
    let asked = rig.http.asked().remove(0);
    assert_eq!((asked.path.as_str(), asked.body.as_str()), ("/check/limited/a", "0123456789abcdef"));
    assert_eq!(asked.headers.get("x-ask").map(String::as_str), Some("1"));
    assert!(!asked.headers.contains_key("x-other"), "{asked:?}");
    assert_eq!(
        send(at, "POST", "/limited/b", &headers, "0123456789abcdefg").status,
        413,
        "larger than maxSize"
    );
    assert!(rig.is_unseen("/limited/b"));
    assert_eq!(rig.http.asked(), []);

    let answer = send(at, "POST", "/grpc/a", &headers, "body");
    assert_eq!(answer.json()["headers"]["x-user"], "ann");
    assert_eq!(answer.json()["headers"]["host"], "localhost");
    let asked = rig.grpc.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.body.as_str()), ("POST", "body"));
    assert_eq!(asked.headers.get("x-other").map(String::as_str), Some("2"), "all of them");
    assert!(!asked.headers.contains_key("x-ferrule-scope"), "{asked:?}");
    assert_eq!(ask(at, "GET", "/few", &headers).status, 200);
    let asked = rig.grpc.asked().remove(0);
    assert!(!asked.headers.contains_key("x-other"), "{asked:?}");
}

#[test]
fn the_servers_of_a_rule_and_of_its_backend_must_both_agree() {
    let rig = Rig::new();
    assert_eq!(rig.get("/both", &[("authorization", "good")]).status, 200);
    assert_eq!((rig.http.asked().len(), rig.grpc.asked().len()), (1, 1));
}
