//! `ferrule cache`: orders to the caches of all proxies, and their answers.

use std::process::Output;

use serde_json::Value;

use super::{OBJECTS, cache_status, is_hit};
use crate::client::{Answer, get};
use crate::controller::{Controller, kill, wasm};
use crate::upstream::Upstream;
use e2e::free_port;

/// Two Gateways, and so two proxies, with the same routes.
struct Rig {
    upstream: Upstream,
    controller: Controller,
    gateways: [std::net::SocketAddr; 2],
}

impl Rig {
    fn new() -> Self {
        let (upstream, port) = (Upstream::plain("app"), free_port());
        let second = format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: second}}\n\
             spec: {{gatewayClassName: ferrule, listeners: [{{name: http, port: {port}, protocol: HTTP}}]}}\n"
        );
        let objects = OBJECTS.replace("[{name: quickstart}]", "[{name: quickstart}, {name: second}]");
        let objects = format!("{objects}{second}{}", upstream.service("app"));
        let controller = Controller::with(&[], |folder| {
            std::fs::write(folder.join("extra.yaml"), objects).unwrap();
        });
        controller.wait_for_line("Gateway default/second: serving");
        controller.wait_for_line("Gateway default/quickstart: serving");
        let gateways = [controller.gateway, ([127, 0, 0, 1], port).into()];
        Self { upstream, controller, gateways }
    }

    /// What both proxies answer.
    fn get(&self, path: &str) -> [Answer; 2] {
        self.gateways.map(|gateway| get(gateway, path))
    }

    /// Has both store the answer for a path.
    fn store(&self, path: &str) {
        self.get(path);
        assert!(self.get(path).iter().all(is_hit), "{path}");
    }

    fn hits(&self, path: &str) -> [bool; 2] {
        self.get(path).map(|answer| is_hit(&answer))
    }

    /// A URL as clients of one of the proxies have it; all use the same host.
    fn url(path: &str) -> String {
        format!("http://localhost{path}")
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_purge_reaches_every_proxy_and_says_what_it_removed() {
    let rig = Rig::new();
    let purge = |arguments: &[&str]| rig.controller.cache(&[&["purge"], arguments].concat());
    ["/cached?a=1", "/cached?a=2", "/cached/b", "/turned"].iter().for_each(|path| rig.store(path));

    let purged = purge(&[&Rig::url("/cached?a=1")]);
    assert!(purged.status.success(), "{}", text(&purged));
    assert_eq!(text(&purged).matches(": purged 1\n").count(), 2, "{}", text(&purged));
    assert_eq!((rig.hits("/cached?a=1"), rig.hits("/cached?a=2")), ([false; 2], [true; 2]));

    let purged = purge(&["--prefix", &Rig::url("/cached"), "-o", "json"]);
    let words: Value = serde_json::from_slice(&purged.stdout).unwrap();
    for word in words.as_array().unwrap() {
        assert_eq!(
            (&word["standing"], &word["outcome"]["purged"]),
            (&"answered".into(), &3.into()),
            "{words}"
        );
    }
    assert_eq!((rig.hits("/cached/b"), rig.hits("/turned")), ([false; 2], [true; 2]));

    let elsewhere = purge(&["--prefix", &Rig::url("/"), "--policy", "default/other"]);
    assert_eq!(text(&elsewhere).matches(": purged 0\n").count(), 2, "{}", text(&elsewhere));
    assert_eq!(rig.hits("/turned"), [true; 2]);
}

#[test]
fn an_order_is_carried_out_once_though_configurations_come_and_go() {
    let rig = Rig::new();
    rig.store("/cached");
    assert!(rig.controller.cache(&["purge", &Rig::url("/cached")]).status.success());
    rig.store("/cached");
    // A further order brings the first one again, and so does a change of the policy.
    assert!(rig.controller.cache(&["purge", "--tag", "none"]).status.success());
    rig.controller.edit("extra.yaml", |text| text.replace("name: first", "name: second"));
    rig.controller.wait_until("the new name", || {
        rig.get("/cached").iter().all(|answer| cache_status(answer).starts_with("second")).then_some(())
    });
    assert_eq!(rig.hits("/cached"), [true; 2]);
}

#[test]
fn a_soft_purge_has_what_is_stored_validated_and_an_inspection_says_so() {
    let rig = Rig::new();
    rig.store("/cached");
    let inspect = || text(&rig.controller.cache(&["inspect", &Rig::url("/cached")]));
    let seen = inspect();
    assert_eq!(seen.matches("the request: hit, because what is stored is fresh").count(), 2, "{seen}");
    assert_eq!(seen.matches("    * 200 with ").count(), 2, "{seen}");
    assert!(seen.contains("storage default/all, key http://localhost/cached\n"), "{seen}");
    let purged = rig.controller.cache(&["purge", "--soft", &Rig::url("/cached")]);
    assert_eq!(text(&purged).matches(": purged 1\n").count(), 2, "{}", text(&purged));
    let seen = inspect();
    assert_eq!(seen.matches("purged softly").count(), 2 + 2, "the reason, and the mark: {seen}");
    assert_eq!(seen.matches("the request: validate").count(), 2, "{seen}");
    let asked = rig.upstream.seen("/cached").len();
    assert_eq!(rig.hits("/cached"), [false; 2]);
    assert_eq!(rig.upstream.seen("/cached").len(), asked + 2);
    let other =
        text(&rig.controller.cache(&["inspect", &Rig::url("/cached"), "-H", "cache-control: no-cache"]));
    assert_eq!(
        other.matches("the request: validate, because the request does not want").count(),
        2,
        "{other}"
    );
}

#[test]
fn a_proxy_that_does_not_answer_is_missing() {
    let rig = Rig::new();
    rig.store("/cached");
    let envoys = rig.controller.envoys();
    assert_eq!(envoys.len(), 2);
    kill(envoys[0], "STOP");
    let purged = rig.controller.cache(&["purge", &Rig::url("/cached"), "--timeout", "8"]);
    kill(envoys[0], "CONT");
    assert_eq!(purged.status.code(), Some(1), "{}", text(&purged));
    let said = text(&purged);
    assert_eq!((said.matches(": purged 1\n").count(), said.matches(": missing").count()), (1, 1), "{said}");
    // It has the order once it goes on; each stores anew what is asked for again.
    let mut missed = [false; 2];
    rig.controller.wait_until("a miss of each", || {
        missed.iter_mut().zip(rig.hits("/cached")).for_each(|(missed, hit)| *missed |= !hit);
        (missed == [true; 2]).then_some(())
    });
}

#[test]
fn wasm_proxies_purge_and_do_not_say_how_many() {
    if wasm().is_none() {
        return;
    }
    let rig = super::Rig::new(&["--filters", "wasm"]);
    for path in ["/cached", "/turned"] {
        rig.get(path);
        assert!(is_hit(&rig.get(path)), "{path}");
    }
    let purged = rig.controller.cache(&["purge", &Rig::url("/cached")]);
    assert!(purged.status.success(), "{}", text(&purged));
    assert_eq!(text(&purged).matches(": accepted").count(), 1, "{}", text(&purged));
    assert_eq!((is_hit(&rig.get("/cached")), is_hit(&rig.get("/turned"))), (false, true));
}

#[test]
fn what_cannot_be_ordered_is_refused() {
    let rig = Rig::new();
    for (arguments, why) in [
        (&["purge"][..], "nothing to purge"),
        (&["purge", "/cached"], "purge.urls[0]: `/cached` is no URL"),
        (&["inspect", "http://localhost/", "-H", "x"], "not of the form"),
    ] {
        let refused = rig.controller.cache(arguments);
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
        assert!(text(&refused).contains(why), "{}", text(&refused));
    }
}
