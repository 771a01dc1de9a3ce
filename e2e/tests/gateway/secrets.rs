//! Secrets that templates read, and responses that are decompressed for them, through a running controller and its Envoy.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crate::client::{Answer, get, try_get};
use crate::controller::Controller;
use crate::load::{Load, greet};
use envoy_bootstrap::{Address, Admin};

/// A route for `path` to the quick start's upstream, and a policy for it.
fn route_and_policy(path: &str, transformation: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {path}}}
spec:
  parentRefs: [{{name: quickstart}}]
  rules:
  - matches: [{{path: {{type: PathPrefix, value: /{path}}}}}]
    backendRefs: [{{group: gateway.kgateway.dev, kind: Backend, name: upstream}}]
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {{name: {path}}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: {path}}}]
  transformation: {transformation}
"
    )
}

const READS_SECRET: &str = r#"{
    response: {set: [{name: x-secret, value: "{{ secret('password') }}"}]},
    secrets: {password: {secretRef: {name: creds}, key: password}}}"#;

fn secret(value: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: creds}}\nstringData: {{password: {value}}}\n")
}

fn shown(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.headers.get("x-secret").map_or("", String::as_str))
}

fn pushed(controller: &Controller) -> u64 {
    let socket = Address::Unix(controller.home.path().join("admin.sock"));
    let page = Admin::new(socket).get("/metrics").unwrap().body;
    let line = page.lines().find_map(|line| line.strip_prefix("ferrule_xds_resources_pushed_total "));
    line.unwrap().parse().unwrap()
}

/// Everything that the controller tells of itself.
fn told(controller: &Controller) -> String {
    let socket = Address::Unix(controller.home.path().join("admin.sock"));
    let admin = Admin::new(socket);
    let pages = ["/status", "/config", "/metrics"].map(|path| admin.get(path).unwrap().body);
    format!("{}\n{}", pages.join("\n"), controller.said())
}

#[test]
fn a_rotated_secret_shows_without_a_lost_request_or_a_new_listener() {
    let controller = Controller::serving(&[]);
    // A connection that is drained is told to close.
    let bystander = Load::on(controller.gateway, |answer| {
        format!("{} {:?}", answer.status, answer.headers.get("connection"))
    });
    let load = Load::on_path(controller.gateway, "/secret", shown);
    controller.wait_until("load", || load.outcomes().contains_key("404 ").then_some(()));
    fs::write(controller.config("secret.yaml"), secret("0ld-value")).unwrap();
    fs::write(controller.config("extra.yaml"), route_and_policy("secret", READS_SECRET)).unwrap();
    controller.wait_until("secret", || {
        (shown(&try_get(controller.gateway, "/secret").ok()?) == "200 0ld-value").then_some(())
    });
    controller.wait_for_condition("trafficpolicy", "secret", "Accepted=True", "");

    controller.wait_until("load", || load.outcomes().contains_key("200 0ld-value").then_some(()));
    let before = pushed(&controller);
    controller.edit("secret.yaml", |text| text.replace("0ld-value", "n3w-value"));
    controller.wait_until("rotation", || load.outcomes().contains_key("200 n3w-value").then_some(()));
    assert_eq!(pushed(&controller) - before, 1, "a rotation sends the secret and nothing else");

    // A further secret of the same port.
    let more = route_and_policy("more", &READS_SECRET.replace("key: password", "key: further"));
    controller.edit("secret.yaml", |text| text.replace("password:", "further: m0re-value, password:"));
    fs::write(controller.config("more.yaml"), more).unwrap();
    controller.wait_until("further secret", || {
        (shown(&try_get(controller.gateway, "/more").ok()?) == "200 m0re-value").then_some(())
    });

    let outcomes = load.stop();
    assert_eq!(
        outcomes.keys().collect::<Vec<_>>(),
        ["200 0ld-value", "200 n3w-value", "404 "],
        "{outcomes:?}"
    );
    let outcomes = bystander.stop();
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200 None"], "{outcomes:?}");
    let told = told(&controller);
    assert!(told.contains("default/creds/password") && told.contains("[redacted]"), "{told}");
    assert!(["0ld-value", "n3w-value", "m0re-value"].iter().all(|value| !told.contains(value)), "{told}");
}

#[test]
fn a_secret_that_is_gone_closes_its_route_and_no_other() {
    let controller = Controller::serving(&[]);
    fs::write(controller.config("extra.yaml"), route_and_policy("secret", READS_SECRET)).unwrap();
    let closed = || (try_get(controller.gateway, "/secret").ok()?.status == 500).then_some(());
    controller.wait_until("500", closed);
    let line = controller.wait_for_line("Secret default/creds does not exist");
    assert!(
        line.contains("extra.yaml:") && line.contains("spec.transformation.secrets.password.secretRef"),
        "{line}"
    );
    fs::write(controller.config("secret.yaml"), secret("value")).unwrap();
    controller.wait_until("secret", || {
        (shown(&try_get(controller.gateway, "/secret").ok()?) == "200 value").then_some(())
    });
    fs::remove_file(controller.config("secret.yaml")).unwrap();
    controller.wait_until("500", closed);
    assert_eq!(greet(controller.gateway).unwrap().status, 200);
}

/// `{"title": "packed"}`, by gzip.
const PACKED: [u8; 39] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 171, 86, 42, 201, 44, 201, 73, 85, 178, 82, 80, 42, 72, 76, 206, 78,
    77, 81, 170, 5, 0, 170, 191, 87, 108, 19, 0, 0, 0,
];

/// An upstream that answers by [`PACKED`], and never twice on a connection.
fn packing_upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\nconnection: close\r\n";
            let head = format!("{head}content-length: {}\r\n\r\n", PACKED.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&PACKED));
        }
    });
    port
}

#[test]
fn a_compressed_response_is_transformed_where_the_policy_asks_for_its_plain_bytes() {
    let upstream = packing_upstream();
    let transformation = |decompress: bool| {
        format!(
            r#"{{response: {{body: {{parseAs: AsJson, value: "it is {{{{ title }}}}", decompress: {decompress}}}}}}}"#
        )
    };
    let to_packing = |text: String| text.replace("name: upstream", "name: packing");
    let backend = format!(
        "---\napiVersion: gateway.kgateway.dev/v1alpha1\nkind: Backend\nmetadata: {{name: packing}}\n\
         spec: {{type: Static, static: {{hosts: [{{host: 127.0.0.1, port: {upstream}}}]}}}}\n"
    );
    let asks = to_packing(route_and_policy("asks", &transformation(true)));
    let asks_not = to_packing(route_and_policy("leaves", &transformation(false)));
    let controller = Controller::beside(&format!("{asks}---\n{asks_not}{backend}"));
    let answer = get(controller.gateway, "/asks");
    assert_eq!((answer.status, answer.body.as_str()), (200, "it is packed"), "{answer:?}");
    assert!(!answer.headers.contains_key("content-encoding"), "{answer:?}");
    let answer = get(controller.gateway, "/leaves");
    assert_eq!(answer.status, 400, "{answer:?}");
    // Nothing else on the port is touched.
    assert_eq!(greet(controller.gateway).unwrap().status, 200);
}
