//! Envoy's side of delta ADS as it bears on order: clusters that warm and withhold their ACK meanwhile, and
//! subscriptions that follow from what was accepted.
//!
//! It checks with every response that no route it holds leads to a cluster that it does not have.

#![allow(unreachable_pub, reason = "a module of a test binary")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use ferrule_xds::{Kind, Limits, Outcome, Request, Resource, Response, Snapshot, Subscription, Wait};

pub type Act = [u8; 6];

const CLUSTERS: [&str; 4] = ["c0", "c1", "c2", "c3"];
const ROUTES: [&str; 3] = ["r0", "r1", "r2"];
/// A variant that Envoy refuses.
const BAD: u64 = 3;

type Name = Arc<str>;

fn eds_cluster(name: &str) -> Bytes {
    [&[0x0a, 2], name.as_bytes(), &[0x10, 3]].concat().into()
}

/// Each cluster is absent or of a variant; each route has a listener of its name, a cluster that exists, a variant.
fn world(seed: &[u8]) -> Snapshot {
    let mut world = Snapshot::builder();
    let mut present = Vec::new();
    for (i, name) in CLUSTERS.into_iter().enumerate() {
        let variant = u64::from(seed[0] >> (2 * i) & 3) + u64::from(seed[4] >> i & 1) * 4;
        if seed[1] >> i & 1 == 1 || i == 0 {
            present.push(i);
            world.insert(
                Kind::Cluster,
                Resource { name: name.into(), version: variant, body: eds_cluster(name) },
            );
            let assignment =
                Resource { name: name.into(), version: u64::from(seed[2] & 3), body: Bytes::new() };
            world.insert(Kind::Endpoints, assignment);
        }
    }
    for (i, name) in ROUTES.into_iter().enumerate() {
        let bits = u64::from(seed[3]) >> (2 * i);
        let cluster = present[usize::from(seed[1] >> 4) * (i + 1) % present.len()];
        let version = 8 * u64::try_from(cluster).unwrap() + (bits & 3);
        if seed[4] >> (4 + i) & 1 == 1 {
            world.insert(Kind::Listener, Resource { name: name.into(), version: 0, body: Bytes::new() });
            world.insert(Kind::Routes, Resource { name: name.into(), version, body: Bytes::new() });
        }
    }
    world.build()
}

fn bad(kind: Kind, version: u64) -> bool {
    matches!(kind, Kind::Cluster | Kind::Routes) && version % 4 == BAD
}

#[derive(Clone, Copy, Default)]
struct Cluster {
    active: Option<u64>,
    warming: Option<u64>,
}

pub struct Envoy {
    subscription: Subscription,
    generation: u64,
    newest: Snapshot,
    clusters: BTreeMap<Name, Cluster>,
    endpoints: BTreeMap<Name, Option<u64>>,
    listeners: BTreeMap<Name, u64>,
    routes: BTreeMap<Name, Option<u64>>,
    /// Clusters that were refused: routes to them are not the server's fault.
    refused: BTreeSet<Name>,
    wire: VecDeque<Response>,
    answers: VecDeque<Request>,
    asked: BTreeSet<Kind>,
}

impl Envoy {
    pub fn new() -> Self {
        let mut envoy = Self {
            subscription: Subscription::new(Limits::default()),
            generation: 0,
            newest: Snapshot::default(),
            clusters: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            listeners: BTreeMap::new(),
            routes: BTreeMap::new(),
            refused: BTreeSet::new(),
            wire: VecDeque::new(),
            answers: VecDeque::new(),
            asked: BTreeSet::new(),
        };
        envoy.say(Request::new(Kind::Cluster));
        envoy
    }

    pub fn act(&mut self, act: Act) {
        match act[0] % 8 {
            0 | 1 => self.publish(world(&act[1..])),
            2..=4 => self.read(act[1]),
            5 | 6 => self.answer(),
            _ if act[1].is_multiple_of(4) => self.reconnect(),
            _ => self.read(act[1]),
        }
    }

    /// Reads and answers until nothing moves. Nothing but a reconnection may depend on time.
    pub fn settle(mut self) {
        for _ in 0..10_000 {
            if !self.wire.is_empty() {
                self.read(0b1010_0101);
            } else if self.next_answer().is_some() || self.may_ask_for_listeners() {
                self.answer();
            } else if self.subscription.waiting() == Some(Wait::Reconnect) {
                let outcome = self.subscription.on_timeout(Wait::Reconnect);
                self.take(outcome);
            } else {
                return self.check_settled();
            }
        }
        panic!("does not settle");
    }

    fn check_settled(&self) {
        assert_eq!(self.subscription.waiting(), None, "something is stuck");
        for cluster in
            self.newest.resources(Kind::Cluster).filter(|cluster| !bad(Kind::Cluster, cluster.version))
        {
            assert_eq!(self.clusters[&cluster.name].active, Some(cluster.version), "{}", cluster.name);
        }
        for routes in self.newest.resources(Kind::Routes).filter(|routes| !bad(Kind::Routes, routes.version))
        {
            assert_eq!(self.routes[&routes.name], Some(routes.version), "{}", routes.name);
        }
        let refuses = self.newest.resources(Kind::Routes).any(|routes| bad(Kind::Routes, routes.version));
        let left_over = self.clusters.keys().any(|name| self.newest.get(Kind::Cluster, name).is_none());
        assert!(!left_over || refuses || self.generation == 0, "a cluster was not removed");
        assert_eq!(self.listeners.len(), self.newest.count(Kind::Listener));
    }

    fn publish(&mut self, snapshot: Snapshot) {
        self.generation += 1;
        self.newest = snapshot.clone();
        let outcome = self.subscription.on_snapshot(self.generation, snapshot);
        self.take(outcome);
    }

    fn take(&mut self, outcome: Outcome) {
        self.wire.extend(outcome.responses);
    }

    /// Subscriptions go out at once, but for clusters while some are warming.
    fn say(&mut self, request: Request) {
        self.asked.insert(request.kind);
        let outcome = self.subscription.on_request(request).expect("few names");
        self.take(outcome);
    }

    fn warming(&self) -> bool {
        self.clusters.values().any(|cluster| cluster.warming.is_some())
    }

    fn next_answer(&self) -> Option<usize> {
        let paused = self.warming();
        self.answers.iter().position(|answer| !(paused && answer.kind == Kind::Cluster))
    }

    fn answer(&mut self) {
        if let Some(answer) = self.next_answer().and_then(|position| self.answers.remove(position)) {
            self.say(answer);
        }
        if self.may_ask_for_listeners() {
            self.say(Request::new(Kind::Listener));
        }
    }

    fn may_ask_for_listeners(&self) -> bool {
        let clusters_ready = self.generation > 0 && !self.warming() && self.answers.is_empty();
        clusters_ready && !self.asked.contains(&Kind::Listener)
    }

    fn read(&mut self, parts: u8) {
        let Some(response) = self.wire.pop_front() else { return };
        let refuses = response.resources.iter().any(|resource| bad(response.kind, resource.version));
        for name in &response.removed {
            self.remove(response.kind, name);
        }
        for (i, resource) in response.resources.iter().enumerate() {
            // Clusters and listeners are applied beside a bad one; of the others, any.
            let whole = !refuses || matches!(response.kind, Kind::Cluster | Kind::Listener);
            if bad(response.kind, resource.version) {
                self.refused.insert(resource.name.clone());
            } else if whole || parts >> (i % 8) & 1 == 1 {
                self.apply(response.kind, resource);
            }
        }
        let error = refuses.then(|| "refused".to_owned());
        self.answers.push_back(Request { nonce: Some(response.nonce), error, ..Request::new(response.kind) });
        self.check_routes();
    }

    fn apply(&mut self, kind: Kind, resource: &Resource) {
        let (name, version) = (resource.name.clone(), resource.version);
        match kind {
            Kind::Cluster => self.apply_cluster(name, version),
            Kind::Endpoints => self.apply_endpoints(&name, Some(version)),
            Kind::Listener => {
                self.listeners.insert(name.clone(), version);
                if self.routes.insert(name.clone(), None).is_none() {
                    self.say(Request { subscribe: vec![name], ..Request::new(Kind::Routes) });
                }
            }
            _ => {
                if let Some(routes) = self.routes.get_mut(&name) {
                    *routes = Some(version);
                }
            }
        }
    }

    fn apply_cluster(&mut self, name: Name, version: u64) {
        let cluster = self.clusters.entry(name.clone()).or_default();
        if cluster.warming.or(cluster.active) != Some(version) {
            cluster.warming = Some(version);
        }
        if self.endpoints.insert(name.clone(), None).is_none() {
            self.say(Request { subscribe: vec![name], ..Request::new(Kind::Endpoints) });
        }
    }

    fn apply_endpoints(&mut self, name: &Name, version: Option<u64>) {
        if let Some(endpoints) = self.endpoints.get_mut(name) {
            *endpoints = version;
        }
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.active = cluster.warming.take().or(cluster.active);
        }
    }

    fn remove(&mut self, kind: Kind, name: &Name) {
        let follows = match kind {
            Kind::Cluster => {
                self.clusters.remove(name).and(self.endpoints.remove(name)).map(|_| Kind::Endpoints)
            }
            Kind::Listener => self.listeners.remove(name).and(self.routes.remove(name)).map(|_| Kind::Routes),
            Kind::Endpoints => {
                self.apply_endpoints(name, None);
                None
            }
            _ => None,
        };
        if let Some(kind) = follows {
            self.say(Request { unsubscribe: vec![name.clone()], ..Request::new(kind) });
        }
    }

    fn check_routes(&self) {
        for (routes, version) in &self.routes {
            let Some(version) = version else { continue };
            let target = CLUSTERS[usize::try_from(version / 8).unwrap()];
            let served = self.clusters.get(target).is_some_and(|cluster| cluster.active.is_some());
            assert!(
                served || self.refused.contains(target),
                "{routes} leads to {target}, which is not there"
            );
        }
    }

    /// The types are asked for in the order in which they first were, but clusters not before all are warm.
    fn reconnect(&mut self) {
        self.subscription = Subscription::new(Limits::default());
        self.wire.clear();
        self.answers.clear();
        self.take_newest();
        let requests = [
            first(Kind::Cluster, false, self.clusters.iter().map(|(name, c)| (name, c.warming.or(c.active)))),
            first(Kind::Endpoints, true, self.endpoints.iter().map(|(name, version)| (name, *version))),
            first(Kind::Listener, false, self.listeners.iter().map(|(name, version)| (name, Some(*version)))),
            first(Kind::Routes, true, self.routes.iter().map(|(name, version)| (name, *version))),
        ];
        let asked = std::mem::take(&mut self.asked);
        for request in requests.into_iter().filter(|request| asked.contains(&request.kind)) {
            if request.kind == Kind::Cluster && self.warming() {
                self.asked.insert(Kind::Cluster);
                self.answers.push_back(request);
            } else {
                self.say(request);
            }
        }
    }

    fn take_newest(&mut self) {
        if self.generation > 0 {
            let outcome = self.subscription.on_snapshot(self.generation, self.newest.clone());
            self.take(outcome);
        }
    }
}

fn first<'a>(kind: Kind, named: bool, has: impl Iterator<Item = (&'a Name, Option<u64>)> + Clone) -> Request {
    let subscribe = if named { has.clone().map(|(name, _)| name.clone()).collect() } else { Vec::new() };
    let initial_versions =
        has.filter(|(_, version)| version.is_some()).map(|(name, version)| (name.clone(), version)).collect();
    Request { subscribe, initial_versions, ..Request::new(kind) }
}
