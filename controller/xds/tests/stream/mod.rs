//! A stream under test, written and read as short text.
//!
//! A world is `"Cluster a@1, Cluster b@2 eds, Routes r@1"`; a response reads `"Cluster +a@1 +b@2 -gone"`.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of this module")]

use std::sync::Arc;

use bytes::Bytes;
use envoy_types::pb::envoy::config::cluster::v3 as pb;
use ferrule_xds::{Kind, Limits, Notice, Outcome, Request, Resource, Response, Snapshot, Subscription, Wait};
use prost::Message as _;

pub fn kind(word: &str) -> Kind {
    Kind::ALL.into_iter().find(|kind| format!("{kind:?}") == word).unwrap_or_else(|| panic!("no kind {word}"))
}

pub fn eds_cluster(name: &str) -> Bytes {
    let discovery = pb::cluster::ClusterDiscoveryType::Type(pb::cluster::DiscoveryType::Eds.into());
    let cluster =
        pb::Cluster { name: name.into(), cluster_discovery_type: Some(discovery), ..Default::default() };
    cluster.encode_to_vec().into()
}

pub fn world(text: &str) -> Snapshot {
    text.split(',').filter(|item| !item.trim().is_empty()).map(resource).collect()
}

fn resource(item: &str) -> (Kind, Resource) {
    let words: Vec<&str> = item.split_whitespace().collect();
    let (name, version) = words[1].split_once('@').unwrap();
    let body = if words.get(2) == Some(&"eds") { eds_cluster(name) } else { Bytes::from_static(&[0xff]) };
    (kind(words[0]), Resource { name: name.into(), version: version.parse().unwrap(), body })
}

pub fn show(response: &Response) -> String {
    let added = response.resources.iter().map(|resource| format!(" +{}@{}", resource.name, resource.version));
    let removed = response.removed.iter().map(|name| format!(" -{name}"));
    format!("{:?}{}", response.kind, added.chain(removed).collect::<String>())
}

fn names(text: &str) -> Vec<Arc<str>> {
    text.split_whitespace().map(Arc::from).collect()
}

pub struct Stream {
    pub subscription: Subscription,
    pub unanswered: Vec<Response>,
    pub notices: Vec<Notice>,
    generation: u64,
}

impl Stream {
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        Self { subscription: Subscription::new(limits), unanswered: vec![], notices: vec![], generation: 0 }
    }

    /// A stream whose proxy asked for all the usual types and has taken the world.
    pub fn settled(text: &str) -> Self {
        let mut stream = Self::new();
        stream.publish(text);
        for kind in [Kind::Cluster, Kind::Listener, Kind::ScopedRoutes] {
            stream.ask(&format!("{kind:?}"));
            stream.accept_all();
        }
        for kind in [Kind::Endpoints, Kind::Routes, Kind::Secret, Kind::ExtensionConfig] {
            let names: Vec<String> = world(text).resources(kind).map(|r| r.name.to_string()).collect();
            if !names.is_empty() {
                stream.ask(&format!("{kind:?} +{}", names.join(" +")));
                stream.accept_all();
            }
        }
        stream.notices.clear();
        stream
    }

    fn take(&mut self, outcome: Outcome) -> Vec<String> {
        self.notices.extend(outcome.notices);
        let shown = outcome.responses.iter().map(show).collect();
        self.unanswered.extend(outcome.responses);
        shown
    }

    pub fn request(&mut self, request: Request) -> Vec<String> {
        let outcome = self.subscription.on_request(request).unwrap();
        self.take(outcome)
    }

    /// Asks with `"Kind +name -name name=version"`.
    pub fn ask(&mut self, text: &str) -> Vec<String> {
        let request = parse_request(text);
        self.request(request)
    }

    pub fn publish(&mut self, text: &str) -> Vec<String> {
        self.generation += 1;
        let outcome = self.subscription.on_snapshot(self.generation, world(text));
        self.take(outcome)
    }

    fn unanswered_of(&mut self, kind: Kind) -> Response {
        let position = self.unanswered.iter().position(|response| response.kind == kind);
        self.unanswered.remove(position.unwrap_or_else(|| panic!("nothing to answer of {kind:?}")))
    }

    pub fn accept(&mut self, kind: Kind) -> Vec<String> {
        let nonce = self.unanswered_of(kind).nonce;
        self.request(Request { nonce: Some(nonce), ..Request::new(kind) })
    }

    pub fn refuse(&mut self, kind: Kind) -> Vec<String> {
        let nonce = self.unanswered_of(kind).nonce;
        self.request(Request { nonce: Some(nonce), error: Some("bad".into()), ..Request::new(kind) })
    }

    /// Accepts whatever comes, oldest first, and returns it in order.
    pub fn accept_all(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some(response) = self.unanswered.first() {
            let kind = response.kind;
            seen.push(show(response));
            self.accept(kind);
        }
        seen
    }

    pub fn wait_in_vain(&mut self) -> Vec<String> {
        let wait = self.subscription.waiting().expect("something is waited for");
        self.time_out(wait)
    }

    pub fn time_out(&mut self, wait: Wait) -> Vec<String> {
        let outcome = self.subscription.on_timeout(wait);
        self.take(outcome)
    }

    /// Generations told as synced, with the names refused.
    pub fn synced(&self) -> Vec<(u64, Vec<String>)> {
        let told = self.notices.iter().filter_map(|notice| match notice {
            Notice::Synced { generation, refused } => Some((*generation, refused)),
            _ => None,
        });
        told.map(|(generation, refused)| (generation, refused.iter().map(|r| r.name.to_string()).collect()))
            .collect()
    }
}

fn parse_request(text: &str) -> Request {
    let words = names(text);
    let mut request = Request::new(kind(&words[0]));
    for word in &words[1..] {
        if let Some(name) = word.strip_prefix('+') {
            request.subscribe.push(name.into());
        } else if let Some(name) = word.strip_prefix('-') {
            request.unsubscribe.push(name.into());
        } else {
            let (name, version) = word.split_once('=').unwrap();
            request.initial_versions.push((name.into(), version.parse().ok()));
        }
    }
    request
}
