//! A proxy that does anything the protocol allows, in any order, driven by numbers; shared with the fuzz target.
//!
//! It checks every response as it is sent, and at the end that it was brought to what it subscribes to.

#![allow(unreachable_pub, reason = "a module of test binaries and of the fuzz target")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use ferrule_xds::{Kind, Limits, Notice, Outcome, Request, Resource, Response, Snapshot, Subscription};

/// An act: what to do, and with what.
pub type Act = [u8; 8];

const NAMES: [&str; 4] = ["a", "b", "c", "*"];
const LIMITS: Limits = Limits { response_bytes: 12, subscription_bytes: 1 << 20 };

type Key = (Kind, Arc<str>);

/// Whether the proxy refuses this version.
fn bad(name: &str, version: u64) -> bool {
    version == 3 && name != "a"
}

/// A body that names its own endpoints: `Cluster { name, type: EDS }`.
fn body(name: &str) -> Bytes {
    [&[0x0a, 1], name.as_bytes(), &[0x10, 3]].concat().into()
}

/// Two bits for each kind and name: absent, or version 1 to 3.
fn world(seed: &[u8]) -> Snapshot {
    let bits = seed.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let keys = Kind::ALL.into_iter().flat_map(|kind| NAMES[..3].iter().map(move |name| (kind, *name)));
    let versions = keys.enumerate().map(|(i, (kind, name))| (kind, name, bits >> (2 * i) & 3));
    versions
        .filter(|(_, _, version)| *version > 0)
        .map(|(kind, name, version)| (kind, Resource { name: name.into(), version, body: body(name) }))
        .collect()
}

#[derive(Default)]
struct Topic {
    asked: bool,
    wildcard: bool,
    names: BTreeSet<Arc<str>>,
    has: BTreeMap<Arc<str>, u64>,
}

impl Topic {
    fn covers(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }
}

pub struct Proxy {
    subscription: Subscription,
    generation: u64,
    newest: Snapshot,
    topics: BTreeMap<Kind, Topic>,
    /// Sent and not yet read; read and not yet answered, with whether it is refused.
    wire: VecDeque<Response>,
    read: VecDeque<(Response, bool)>,
    /// What was last sent and need not be sent again.
    sent: BTreeMap<Key, u64>,
    given_up: usize,
    synced: u64,
}

impl Proxy {
    pub fn new() -> Self {
        Self {
            subscription: Subscription::new(LIMITS),
            generation: 0,
            newest: Snapshot::default(),
            topics: Kind::ALL.into_iter().map(|kind| (kind, Topic::default())).collect(),
            wire: VecDeque::new(),
            read: VecDeque::new(),
            sent: BTreeMap::new(),
            given_up: 0,
            synced: 0,
        }
    }

    pub fn act(&mut self, act: Act) {
        let [what, which, rest @ ..] = act;
        let kind = Kind::ALL[usize::from(which) % Kind::COUNT];
        let name = NAMES[usize::from(which) / Kind::COUNT % NAMES.len()];
        match what % 16 {
            0..=2 => self.publish(world(&rest)),
            3..=5 => self.subscribe(kind, name),
            6 => self.unsubscribe(kind, name),
            7..=10 => self.read_one(rest[0]),
            11..=13 => self.answer(kind),
            14 => self.time_out(rest[0]),
            _ => self.reconnect(),
        }
    }

    /// Reads and answers until nothing moves, and checks where that led.
    pub fn settle(mut self) {
        for _ in 0..10_000 {
            if !self.wire.is_empty() {
                self.read_one(0b0101_0101);
            } else if let Some(kind) = self.read.front().map(|(response, _)| response.kind) {
                self.answer(kind);
            } else if let Some(wait) = self.subscription.waiting() {
                let outcome = self.subscription.on_timeout(wait);
                self.take(outcome);
            } else {
                return self.check_settled();
            }
        }
        panic!("does not settle");
    }

    fn check_settled(&self) {
        let mut refused_old = false;
        for (kind, topic) in &self.topics {
            for name in NAMES[..3].iter().filter(|name| topic.covers(name)) {
                let target = self.newest.get(*kind, name).map(|resource| resource.version);
                let has = topic.has.get(*name).copied();
                let refuses = target.is_some_and(|version| bad(name, version));
                refused_old |= refuses && has.is_some();
                let right = self.generation == 0 || has == target || refuses;
                let held_back = target.is_none() && self.something_refused();
                assert!(right || held_back, "{kind:?} {name}: has {has:?}, should have {target:?}");
            }
        }
        let complete = Kind::ALL.iter().all(|kind| self.topics[kind].asked || self.newest.count(*kind) == 0);
        assert_eq!(self.synced == self.generation, complete || self.generation == 0, "told as synced");
        assert!(refused_old || self.nothing_left_over(), "something was not removed");
    }

    fn something_refused(&self) -> bool {
        let of = |kind| self.newest.resources(kind).any(|resource| bad(&resource.name, resource.version));
        Kind::ALL.into_iter().any(of)
    }

    fn nothing_left_over(&self) -> bool {
        self.generation == 0
            || self.topics.iter().all(|(kind, topic)| {
                topic
                    .has
                    .keys()
                    .all(|name| self.newest.get(*kind, name).is_some() || self.something_refused())
            })
    }

    fn publish(&mut self, snapshot: Snapshot) {
        for kind in Kind::ALL {
            for name in self.newest.changed(&snapshot, kind) {
                self.sent.remove(&(kind, name));
            }
        }
        self.generation += 1;
        self.newest = snapshot.clone();
        let outcome = self.subscription.on_snapshot(self.generation, snapshot);
        self.take(outcome);
    }

    fn subscribe(&mut self, kind: Kind, name: &str) {
        let topic = self.topics.get_mut(&kind).unwrap();
        if name == "*" {
            // Half of the time as Envoy does it: by saying nothing in the first request.
            topic.wildcard = true;
            let legacy = !topic.asked && matches!(kind, Kind::Cluster | Kind::Listener | Kind::ScopedRoutes);
            let subscribe = if legacy { Vec::new() } else { vec!["*".into()] };
            return self.request(Request { subscribe, ..Request::new(kind) });
        }
        topic.names.insert(name.into());
        self.sent.remove(&(kind, name.into()));
        self.request(Request { subscribe: vec![name.into()], ..Request::new(kind) });
    }

    fn unsubscribe(&mut self, kind: Kind, name: &str) {
        let topic = self.topics.get_mut(&kind).unwrap();
        if !topic.asked {
            return;
        }
        if name == "*" {
            topic.wildcard = false;
        } else {
            topic.names.remove(name);
        }
        let dropped: Vec<_> = topic.has.keys().filter(|name| !topic.covers(name)).cloned().collect();
        for name in dropped {
            topic.has.remove(&name);
        }
        self.sent.retain(|(of, _), _| *of != kind);
        self.request(Request { unsubscribe: vec![name.into()], ..Request::new(kind) });
    }

    fn request(&mut self, request: Request) {
        self.topics.get_mut(&request.kind).unwrap().asked = true;
        let outcome = self.subscription.on_request(request).expect("few names");
        self.take(outcome);
    }

    fn take(&mut self, outcome: Outcome) {
        for response in outcome.responses {
            self.check_sent(&response);
            self.wire.push_back(response);
        }
        for notice in outcome.notices {
            if let Notice::Synced { generation, .. } = notice {
                assert!(generation > self.synced && generation <= self.generation);
                self.synced = generation;
            }
        }
        self.check_unanswered();
    }

    fn check_unanswered(&self) {
        let unanswered = self.wire.iter().chain(self.read.iter().map(|(response, _)| response));
        let mut kinds: Vec<Kind> = unanswered.map(|response| response.kind).collect();
        let total = kinds.len();
        kinds.sort();
        kinds.dedup();
        assert!(total <= kinds.len() + self.given_up, "more than one response of a type is unanswered");
    }

    fn check_sent(&mut self, response: &Response) {
        let kind = response.kind;
        assert!(self.topics[&kind].asked, "{kind:?} was not asked for");
        let mut names = BTreeSet::new();
        for resource in &response.resources {
            assert!(names.insert(resource.name.clone()), "sent twice in one response");
            let again = self.sent.insert((kind, resource.name.clone()), resource.version);
            assert_ne!(again, Some(resource.version), "{kind:?} {} sent again unchanged", resource.name);
            if kind == Kind::Cluster {
                self.sent.remove(&(Kind::Endpoints, resource.name.clone()));
            }
        }
        for name in &response.removed {
            assert!(names.insert(name.clone()), "added and removed in one response");
            self.sent.remove(&(kind, name.clone()));
        }
    }

    /// Applies a response; of a refused one any part that is good, as Envoy does.
    fn read_one(&mut self, parts: u8) {
        let Some(response) = self.wire.pop_front() else { return };
        let refuses = response.resources.iter().any(|resource| bad(&resource.name, resource.version));
        let topic = self.topics.get_mut(&response.kind).unwrap();
        for name in &response.removed {
            topic.has.remove(name);
        }
        for (i, resource) in response.resources.iter().enumerate() {
            let applies = !refuses || parts >> (i % 8) & 1 == 1;
            if applies && !bad(&resource.name, resource.version) && topic.covers(&resource.name) {
                topic.has.insert(resource.name.clone(), resource.version);
            }
        }
        self.read.push_back((response, refuses));
    }

    fn answer(&mut self, kind: Kind) {
        let Some(position) = self.read.iter().position(|(response, _)| response.kind == kind) else { return };
        let Some((response, refuses)) = self.read.remove(position) else { return };
        if refuses && response.resources.len() > 1 {
            self.sent.retain(|(of, _), _| *of != kind);
        }
        let error = refuses.then(|| "refused".to_owned());
        self.request(Request { nonce: Some(response.nonce), error, ..Request::new(kind) });
    }

    fn time_out(&mut self, chance: u8) {
        // A proxy that is always given up on would be a test of nothing else.
        if let Some(wait) = self.subscription.waiting().filter(|_| chance.is_multiple_of(4)) {
            self.given_up += 1;
            self.sent.clear();
            let outcome = self.subscription.on_timeout(wait);
            self.take(outcome);
        }
    }

    /// A new stream to another server that has the same snapshot; kinds are asked for in any order.
    fn reconnect(&mut self) {
        self.subscription = Subscription::new(LIMITS);
        self.wire.clear();
        self.read.clear();
        self.given_up = 0;
        self.synced = 0;
        self.sent = self.known();
        if self.generation > 0 {
            let outcome = self.subscription.on_snapshot(self.generation, self.newest.clone());
            self.take(outcome);
        }
        let rotation = usize::try_from(self.generation).unwrap_or(0) % Kind::COUNT;
        for kind in Kind::ALL.into_iter().cycle().skip(rotation).take(Kind::COUNT) {
            self.ask_anew(kind);
        }
    }

    fn known(&self) -> BTreeMap<Key, u64> {
        let of = |(kind, topic): (&Kind, &Topic)| {
            let kind = *kind;
            topic.has.clone().into_iter().map(move |(name, version)| ((kind, name), version))
        };
        self.topics.iter().flat_map(of).collect()
    }

    fn ask_anew(&mut self, kind: Kind) {
        let topic = self.topics.get_mut(&kind).unwrap();
        if !std::mem::take(&mut topic.asked) {
            return;
        }
        let mut subscribe: Vec<Arc<str>> = topic.names.iter().cloned().collect();
        if topic.wildcard {
            subscribe.push("*".into());
        } else if subscribe.is_empty() {
            return;
        }
        let initial_versions =
            topic.has.iter().map(|(name, version)| (name.clone(), Some(*version))).collect();
        self.request(Request { subscribe, initial_versions, ..Request::new(kind) });
    }
}
