//! Sessions, on real Envoy: whose endpoint gets which request.

use std::collections::BTreeMap;

use crate::client::{Answer, ask};
use crate::controller::Controller;
use crate::upstream::{Upstream, service};

const ROUTES: &str = "---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: sticky}
spec:
  parentRefs: [{name: quickstart}]
  rules:
  - matches: [{path: {value: /plain}}]
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /cookie}}]
    sessionPersistence: {cookie: {}}
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /permanent}}]
    sessionPersistence: {absoluteTimeout: 5m, cookie: {name: known, path: /permanent, lifetimeType: Permanent}}
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /header}}]
    sessionPersistence: {type: Header, header: {name: X-Session}}
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /split}}]
    sessionPersistence: {cookie: {}}
    backendRefs: [{name: app, port: 80}, {name: other, port: 80}]
";

struct Rig {
    /// The last one is another Service's.
    upstreams: [Upstream; 4],
    controller: Controller,
}

impl Rig {
    fn new() -> Self {
        let upstreams = ["one", "two", "three", "other"].map(Upstream::plain);
        let ports: Vec<u16> = upstreams.iter().map(|upstream| upstream.port).collect();
        let objects =
            [ROUTES.to_owned(), service("app", "", &ports[..3]), service("other", "", &ports[3..])].concat();
        Self { upstreams, controller: Controller::beside(&objects) }
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.controller.gateway, "GET", path, headers)
    }

    /// How often each upstream answers.
    fn tally(&self, path: &str, headers: &[(&str, &str)]) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        (0..60).for_each(|_| *tally.entry(name(&self.get(path, headers))).or_default() += 1);
        tally
    }
}

/// The upstream that answered.
fn name(answer: &Answer) -> String {
    answer.json()["name"].as_str().unwrap().to_owned()
}

/// Name and value of the cookie that an answer sets, and its attributes.
fn cookie(answer: &Answer) -> (String, Vec<String>) {
    let text = answer.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    let mut parts = text.split("; ").map(str::to_owned);
    (parts.next().unwrap(), parts.collect())
}

#[test]
fn a_cookie_leads_to_the_endpoint_that_gave_it() {
    let rig = Rig::new();
    assert_eq!(rig.tally("/plain", &[]).len(), 3, "all endpoints");
    for _ in 0..5 {
        let first = rig.get("/cookie", &[]);
        let (session, attributes) = cookie(&first);
        assert!(attributes.contains(&"Path=/".to_owned()), "{attributes:?}");
        assert!(attributes.contains(&"HttpOnly".to_owned()), "{attributes:?}");
        assert!(attributes.contains(&"SameSite=Strict".to_owned()), "{attributes:?}");
        let is_lasting = |one: &String| one.starts_with("Max-Age") || one.starts_with("Expires");
        assert!(!attributes.iter().any(is_lasting), "{attributes:?}");
        let cookies = format!("a=b; {session}; c=d");
        let seen = rig.tally("/cookie", &[("cookie", &cookies)]);
        assert_eq!(seen, [(name(&first), 60)].into());
        assert_eq!(rig.get("/cookie", &[("cookie", &cookies)]).header("set-cookie"), None);
    }
    let spoilt = rig.tally("/cookie", &[("cookie", "session=%%%")]);
    assert_eq!(spoilt.len(), 3, "what is no session leads nowhere in particular");
}

#[test]
fn a_permanent_cookie_says_how_long_it_lasts() {
    let rig = Rig::new();
    let first = rig.get("/permanent", &[]);
    let (session, attributes) = cookie(&first);
    assert!(session.starts_with("known="), "{session}");
    assert!(attributes.contains(&"Max-Age=300".to_owned()), "{attributes:?}");
    assert!(attributes.contains(&"Path=/permanent".to_owned()), "{attributes:?}");
    assert_eq!(rig.tally("/permanent", &[("cookie", &session)]), [(name(&first), 60)].into());
}

#[test]
fn a_header_leads_to_the_endpoint_that_gave_it() {
    let rig = Rig::new();
    let first = rig.get("/header", &[]);
    let session = first.header("x-session").unwrap().to_owned();
    assert_eq!(rig.tally("/header", &[("x-session", &session)]), [(name(&first), 60)].into());
    assert_eq!(rig.tally("/cookie", &[("x-session", &session)]).len(), 3, "another rule");
}

#[test]
fn weights_choose_the_backend_whatever_the_session() {
    let rig = Rig::new();
    let first = rig.get("/split", &[]);
    let (session, _) = cookie(&first);
    let seen = rig.tally("/split", &[("cookie", &session)]);
    let others = seen.get("other").copied().unwrap_or_default();
    assert!((10..=50).contains(&others), "{seen:?}");
    if name(&first) != "other" {
        assert!(seen[&name(&first)] == 60 - others, "within a backend the session holds: {seen:?}");
    }
}

#[test]
fn where_its_endpoint_is_gone_another_session_begins() {
    let rig = Rig::new();
    let first = rig.get("/cookie", &[]);
    let (session, _) = cookie(&first);
    let gone = rig.upstreams.iter().find(|upstream| !upstream.seen("/cookie").is_empty()).unwrap().port;
    rig.controller.edit("extra.yaml", |text| {
        let slices = text.split("---\n").filter(|object| !object.contains(&format!("name: app-{gone}")));
        slices.collect::<Vec<_>>().join("---\n")
    });
    rig.controller.wait_until("another session", || {
        let answer = rig.get("/cookie", &[("cookie", &session)]);
        (name(&answer) != name(&first) && answer.header("set-cookie").is_some()).then_some(())
    });
}
