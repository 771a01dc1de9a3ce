//! `CachePolicy` through a running controller and its Envoy.

mod example;
mod orders;
mod policies;

use crate::client::{Answer, get};
use crate::controller::{Controller, wasm};
use crate::upstream::Upstream;

/// Routes to the upstream, whose answers say nothing of how long they last: policies do.
const OBJECTS: &str = "---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: app}
spec:
  parentRefs: [{name: quickstart}]
  rules:
  - matches: [{path: {value: /cached}}]
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /split}, headers: [{name: x-canary, value: '1'}]}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-who, value: canary}]}}]
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {value: /split}}]
    backendRefs: [{name: app, port: 80}]
  - name: turned
    matches: [{path: {value: /turned}}]
    backendRefs: [{name: app, port: 80}]
  - name: never
    matches: [{path: {value: /never}}]
    backendRefs: [{name: app, port: 80}]
---
apiVersion: ferrule.dev/v1alpha1
kind: CachePolicy
metadata: {name: all}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: app}]
  name: first
  ttl: {defaultSeconds: 600}
  storage: {bytes: 8388608}
---
apiVersion: ferrule.dev/v1alpha1
kind: CachePolicy
metadata: {name: none}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: app, sectionName: never}]
  disable: {}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: turned}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: app, sectionName: turned}]
  transformation: {response: {add: [{name: x-turned, value: once}]}}
";

struct Rig {
    upstream: Upstream,
    controller: Controller,
}

impl Rig {
    fn new(arguments: &[&str]) -> Self {
        let upstream = Upstream::plain("app");
        let objects = format!("{OBJECTS}{}", upstream.service("app"));
        let controller = Controller::with(arguments, |folder| {
            std::fs::write(folder.join("extra.yaml"), objects).unwrap();
        });
        controller.wait_for_line("try: curl");
        Self { upstream, controller }
    }

    /// One with the filters of each host.
    fn each_host() -> Vec<Self> {
        let wasm = wasm().map(|_| Self::new(&["--filters", "wasm"]));
        std::iter::once(Self::new(&[])).chain(wasm).collect()
    }

    fn get(&self, path: &str) -> Answer {
        get(self.controller.gateway, path)
    }

    /// How often the origin was asked.
    fn origin_requests(&self, path: &str) -> usize {
        self.upstream.seen(path).len()
    }
}

/// What the caches say of an answer (RFC 9211).
fn cache_status(answer: &Answer) -> &str {
    answer.header("cache-status").unwrap_or_default()
}

fn is_hit(answer: &Answer) -> bool {
    cache_status(answer).contains("; hit")
}
