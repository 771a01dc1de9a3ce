//! Routes of HTTP and gRPC, and TLS to their backends, through a running controller and its Envoy.

mod backend_tls;
mod calls;

use std::collections::BTreeMap;

use crate::client::{Answer, ask, get};
use crate::controller::Controller;
use crate::upstream::{Upstream, service};
use e2e::free_port;
use serde_json::json;

fn route(name: &str, rules: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}}}\n\
         spec:\n  parentRefs: [{{name: quickstart}}]\n  rules:\n{rules}"
    )
}

/// How often each outcome comes of `number` requests.
fn tally(number: usize, outcome: impl Fn() -> String) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    (0..number).for_each(|_| *tally.entry(outcome()).or_default() += 1);
    tally
}

fn is_about(share: usize, of: usize, part: f64) -> bool {
    let (of, share) = (of as f64, share as f64);
    let deviation = (of * part * (1.0 - part)).sqrt();
    (share - of * part).abs() < 5.0 * deviation
}

#[test]
fn each_backend_of_a_rule_rewrites_for_itself_and_has_its_share() {
    let (one, two) = (Upstream::plain("one"), Upstream::plain("two"));
    let rules = "
  - matches: [{path: {value: /several}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-who, value: rule}]}}]
    backendRefs:
    - name: one
      port: 80
      filters:
      - {type: URLRewrite, urlRewrite: {hostname: one.example.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /first}}}
    - name: two
      port: 80
      weight: 2
      filters:
      - {type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /second}}}
      - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-who, value: backend}]}}
    - {name: gone, port: 80}
  - matches: [{path: {value: /single}}]
    backendRefs:
    - name: one
      port: 80
      filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /alone}}}]
";
    let objects = [route("rewritten", rules), one.service("one"), two.service("two")].concat();
    let controller = Controller::beside(&objects);
    assert_eq!(get(controller.gateway, "/single/a?b=c").json()["path"], "/alone/a");
    let shown = |answer: Answer| {
        if answer.status != 200 {
            return answer.status.to_string();
        }
        let saw = answer.json();
        let headers = &saw["headers"];
        json!([saw["name"], saw["path"], headers["host"], headers["x-who"]]).to_string()
    };
    let seen = tally(600, || shown(get(controller.gateway, "/several/a")));
    let expected = [
        (r#"["one","/first/a","one.example.com","rule"]"#, 0.25),
        (r#"["two","/second","localhost","backend"]"#, 0.5),
        ("500", 0.25),
    ];
    assert_eq!(seen.len(), expected.len(), "{seen:?}");
    for (outcome, part) in expected {
        assert!(is_about(seen[outcome], 600, part), "{outcome}: {seen:?}");
    }
}

#[test]
fn cross_origin_requests_are_answered_as_the_filter_says() {
    let one = Upstream::plain("one");
    let rules = r#"
  - matches: [{path: {value: /listed}}]
    filters:
    - type: CORS
      cors:
        allowOrigins: ["https://www.foo.com", "https://*.bar.com"]
        allowMethods: [GET, OPTIONS]
        allowHeaders: [x-1, x-2]
        exposeHeaders: [x-3, x-4]
        allowCredentials: true
        maxAge: 3600
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {value: /all-with-credentials}}]
    filters:
    - {type: CORS, cors: {allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], exposeHeaders: ["*"], allowCredentials: true}}
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {value: /all}}]
    filters: [{type: CORS, cors: {allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"]}}]
    backendRefs: [{name: one, port: 80}]
"#;
    let controller = Controller::beside(&[route("shared", rules), one.service("one")].concat());
    let preflight = |path: &str, origin: &str| {
        let asks = [("access-control-request-method", "PUT"), ("access-control-request-headers", "x-1, x-9")];
        ask(controller.gateway, "OPTIONS", path, &[&[("origin", origin)], &asks[..]].concat())
    };
    let told = |answer: &Answer, name: &str| {
        answer.header(&format!("access-control-{name}")).unwrap_or("none").to_owned()
    };
    for origin in ["https://www.foo.com", "https://a.b.bar.com"] {
        let answer = preflight("/listed", origin);
        assert_eq!((answer.status, told(&answer, "allow-origin").as_str()), (200, origin));
        for (name, value) in [
            ("allow-methods", "GET, OPTIONS"),
            ("allow-headers", "x-1, x-2"),
            ("expose-headers", "x-3, x-4"),
            ("allow-credentials", "true"),
            ("max-age", "3600"),
        ] {
            assert_eq!(told(&answer, name), value, "{answer:?}");
        }
    }
    for origin in ["https://foo.com", "https://bar.com", "http://www.foo.com", "https://www.foo.com.evil.com"]
    {
        assert_eq!(told(&preflight("/listed", origin), "allow-origin"), "none", "{origin}");
        let answer = ask(controller.gateway, "GET", "/listed", &[("origin", origin)]);
        assert_eq!((answer.status, told(&answer, "allow-origin").as_str()), (200, "none"), "{origin}");
    }
    let answer = preflight("/all-with-credentials", "https://x.y:8443");
    for (name, value) in [
        ("allow-origin", "https://x.y:8443"),
        ("allow-methods", "PUT"),
        ("allow-headers", "x-1, x-9"),
        ("expose-headers", "none"),
        ("allow-credentials", "true"),
        ("max-age", "5"),
    ] {
        assert_eq!(told(&answer, name), value, "{answer:?}");
    }
    let answer = ask(controller.gateway, "GET", "/all", &[("origin", "https://x.y")]);
    assert_eq!(
        (told(&answer, "allow-origin"), told(&answer, "allow-credentials")),
        ("https://x.y".into(), "none".into())
    );
    assert!(one.seen("/listed").iter().all(|saw| saw["method"] == "GET"), "preflights go no further");
}

#[test]
fn copies_go_to_every_mirror_that_is_there() {
    let (one, two, three) = (Upstream::plain("one"), Upstream::plain("two"), Upstream::plain("three"));
    let rules = "
  - matches: [{path: {value: /copied}}]
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: x-added, value: added}]}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: two, port: 80}}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: gone, port: 80}}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: three, port: 80}, fraction: {numerator: 1, denominator: 2}}}
    backendRefs: [{name: one, port: 80}]
";
    let objects =
        [route("copied", rules), one.service("one"), two.service("two"), three.service("three")].concat();
    let controller = Controller::beside(&objects);
    for _ in 0..400 {
        assert_eq!(get(controller.gateway, "/copied").json()["name"], "one");
    }
    controller.wait_until("copies", || (two.seen("/copied").len() == 400).then_some(()));
    let copies = two.seen("/copied");
    assert!(
        copies
            .iter()
            .all(|saw| saw["headers"]["host"] == "localhost" && saw["headers"]["x-added"] == "added")
    );
    assert!(is_about(three.seen("/copied").len(), 400, 0.5), "{}", three.seen("/copied").len());
    controller.wait_for_condition("httproute", "copied", "ResolvedRefs=False", "BackendNotFound");
}

#[test]
fn tries_are_repeated_as_often_and_as_long_as_the_rule_says() {
    let one = Upstream::plain("one");
    let rules = "
  - matches: [{path: {value: /codes}}]
    retry: {codes: [500], attempts: 2}
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {value: /never}}]
    retry: {codes: [500], attempts: 0}
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {value: /limited}}]
    retry: {codes: [500], attempts: 5}
    timeouts: {request: 500ms}
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {value: /tries-limited}}]
    retry: {attempts: 1, backoff: 1ms}
    timeouts: {request: 10s, backendRequest: 300ms}
    backendRefs: [{name: one, port: 80}]
  - matches: [{path: {value: /half-there}}]
    retry: {attempts: 10}
    backendRefs: [{name: half-there, port: 80}]
";
    let half_there = service("half-there", "", &[one.port, free_port()]);
    let controller = Controller::beside(&[route("repeated", rules), one.service("one"), half_there].concat());
    for (path, status, tries) in [
        ("/codes?fail=500&times=2&id=a", 200, 3),
        ("/codes?fail=500&times=3&id=b", 500, 3),
        ("/codes?fail=503&times=1&id=c", 503, 1),
        ("/never?fail=500&times=1&id=d", 500, 1),
        ("/limited?fail=500&times=1&id=e", 200, 2),
    ] {
        let (place, before) =
            (path.split('?').next().unwrap(), one.seen(path.split('?').next().unwrap()).len());
        assert_eq!(get(controller.gateway, path).status, status, "{path}");
        assert_eq!(one.seen(place).len() - before, tries, "{path}");
    }
    assert_eq!(get(controller.gateway, "/limited?fail=500&times=9&id=f&delay=300").status, 504);
    assert_eq!(get(controller.gateway, "/tries-limited?delay=900").status, 504);
    assert_eq!(one.seen("/tries-limited").len(), 2, "a try that is given up is repeated");
    let seen = tally(50, || get(controller.gateway, "/half-there").status.to_string());
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["200"], "{seen:?}");
}
