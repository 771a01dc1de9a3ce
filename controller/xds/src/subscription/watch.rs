//! One type's part of a stream: what the proxy asked for, what it has, and what it has yet to answer.
//!
//! Invariants: a name whose state may differ from its target is dirty, unanswered, suspect or refused; every dirty
//! name is looked at again before anything is sent, so marking one too many costs nothing on the wire.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::interest::{Interest, WILDCARD};
use super::message::{Notice, Request};
use super::targets::Targets;
use crate::snapshot::Name;
use crate::{Kind, Refused, Resource};

/// Unanswered responses that are remembered after the caller gave up on them.
const OVERDUE: usize = 16;

/// What the proxy has under a name, as far as its answers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Version(u64),
    /// Something, but not known which version.
    Unknown,
    /// It was told that the name does not exist.
    Nothing,
    /// A response with `tried` and other resources was refused; proxies may have applied a part of it.
    Doubtful {
        before: Option<u64>,
        tried: u64,
    },
}

/// What is to be said about a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'t> {
    Rest,
    Upsert(&'t Resource),
    /// The proxy asked for what does not exist and waits for an answer.
    Deny,
    Remove,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dirty {
    /// The proxy asked for it, so it must be sent whether changed or not.
    pub(super) asked: bool,
    /// As of the last look, the only thing to do is to remove it.
    pub(super) removal: bool,
}

/// A response on its way.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) nonce: u64,
    /// Names and versions, no version being a removal.
    pub(super) items: Vec<(Name, Option<u64>)>,
    /// Names unsubscribed from since; they are not in `items` any more.
    pub(super) dropped: Vec<Name>,
    /// How many resources were in it when it was sent.
    pub(super) resources: usize,
}

#[derive(Debug)]
pub(super) struct Watch {
    pub(super) kind: Kind,
    pub(super) interest: Interest,
    pub(super) requested: bool,
    /// The first request told versions from an earlier stream.
    pub(super) resumed: bool,
    /// A wildcard subscription is to be answered even if there is nothing to say: Envoy starts up on it.
    pub(super) owes_reply: bool,
    pub(super) held: BTreeMap<Name, Held>,
    pub(super) dirty: BTreeMap<Name, Dirty>,
    pub(super) refused: BTreeMap<Name, Refused>,
    /// Parts of refused responses that are to be tried by themselves; the last goes first.
    pub(super) suspects: Vec<Vec<Name>>,
    pub(super) awaiting: Option<Sent>,
    pub(super) overdue: VecDeque<Sent>,
}

impl Watch {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            interest: Interest::default(),
            requested: false,
            resumed: false,
            owes_reply: false,
            held: BTreeMap::new(),
            dirty: BTreeMap::new(),
            refused: BTreeMap::new(),
            suspects: Vec::new(),
            awaiting: None,
            overdue: VecDeque::new(),
        }
    }

    pub(super) fn cost(&self) -> usize {
        self.interest.bytes()
    }

    pub(super) fn awaited_nonce(&self) -> Option<u64> {
        self.awaiting.as_ref().map(|sent| sent.nonce)
    }

    /// Its target may have changed.
    pub(super) fn touch(&mut self, name: &Name) {
        if self.interest.covers(name) {
            self.dirty.entry(name.clone()).or_default();
        }
    }

    /// The proxy is to be sent it, whatever it was sent before; what it has of it is not to be relied on.
    pub(super) fn demand(&mut self, name: &Name) {
        if self.has_something(name) {
            self.held.insert(name.clone(), Held::Unknown);
        }
        self.refused.remove(name);
        self.dirty.entry(name.clone()).or_default().asked = true;
    }

    // ---- subscriptions -------------------------------------------------------------------------------------------

    /// Removals first: a name in both lists is one that the proxy waits for.
    pub(super) fn change_interest(&mut self, request: &Request, targets: &Targets) {
        let first = !std::mem::replace(&mut self.requested, true);
        for name in &request.unsubscribe {
            self.unsubscribe(name);
        }
        if !request.unsubscribe.is_empty() {
            self.forget_what_is_not_covered();
        }
        if first && request.subscribe.is_empty() && self.kind.wildcard_by_default() {
            self.subscribe_to_all(targets);
        }
        for name in &request.subscribe {
            match (&**name == WILDCARD, first) {
                (true, _) => self.subscribe_to_all(targets),
                (false, true) => self.subscribe_at_first(name),
                (false, false) => self.subscribe(name),
            }
        }
        if first {
            self.resume(&request.initial_versions);
        }
    }

    fn subscribe_to_all(&mut self, targets: &Targets) {
        if self.interest.is_wildcard() {
            return;
        }
        self.interest.set_wildcard(true);
        self.owes_reply = true;
        for name in targets.names(self.kind) {
            self.touch(&name);
        }
    }

    /// A resource is to be sent for every name subscribed to, even one subscribed to already.
    fn subscribe(&mut self, name: &Name) {
        self.interest.add(name);
        self.demand(name);
    }

    /// On a new stream the proxy names all that it wants and, apart from that, what it has.
    fn subscribe_at_first(&mut self, name: &Name) {
        self.interest.add(name);
        self.touch(name);
    }

    fn resume(&mut self, initial_versions: &[(Name, Option<u64>)]) {
        for (name, version) in initial_versions {
            if self.interest.covers(name) {
                self.held.insert(name.clone(), version.map_or(Held::Unknown, Held::Version));
                self.touch(name);
                self.resumed = true;
            }
        }
        self.owes_reply &= !self.resumed;
    }

    fn unsubscribe(&mut self, name: &Name) {
        if &**name == WILDCARD {
            self.interest.set_wildcard(false);
            self.owes_reply = false;
        } else if self.interest.remove(name) && self.interest.is_wildcard() {
            // The proxy cannot tell whether the wildcard covers the name, so it waits to be told.
            self.demand(name);
        }
    }

    /// Also of what is on its way: whether the proxy keeps it depends on when it comes.
    fn forget_what_is_not_covered(&mut self) {
        let interest = &self.interest;
        self.held.retain(|name, _| interest.covers(name));
        self.dirty.retain(|name, _| interest.covers(name));
        self.refused.retain(|name, _| interest.covers(name));
        for sent in self.awaiting.iter_mut().chain(&mut self.overdue) {
            let dropped = sent.items.extract_if(.., |(name, _)| !interest.covers(name));
            sent.dropped.extend(dropped.map(|(name, _)| name));
        }
    }

    // ---- answers -------------------------------------------------------------------------------------------------

    /// The response of this nonce was answered.
    pub(super) fn answered(&mut self, nonce: u64, error: Option<&str>) -> Notice {
        let Some(sent) = self.take_sent(nonce) else { return Notice::StaleNonce };
        match error {
            None => self.accepted(sent),
            Some(message) => self.rejected(sent, message),
        }
    }

    /// The response that is answered. A proxy answers in order, so older ones will not be answered any more.
    fn take_sent(&mut self, nonce: u64) -> Option<Sent> {
        let older = if self.awaited_nonce() == Some(nonce) {
            self.overdue.len()
        } else {
            self.overdue.iter().position(|sent| sent.nonce == nonce)? + 1
        };
        let mut answered: Vec<Sent> = self.overdue.drain(..older).collect();
        answered.extend(self.awaiting.take_if(|sent| sent.nonce == nonce));
        for name in answered.iter().flat_map(|sent| &sent.dropped) {
            self.doubt_dropped(name);
        }
        answered.pop()
    }

    /// The proxy may have subscribed again before the response came, and have taken it.
    fn doubt_dropped(&mut self, name: &Name) {
        if self.interest.covers(name) {
            self.held.entry(name.clone()).or_insert(Held::Unknown);
            self.touch(name);
        }
    }

    fn accepted(&mut self, sent: Sent) -> Notice {
        let current = self.overdue.is_empty();
        let (mut accepted, mut removed) = (Vec::new(), Vec::new());
        for (name, version) in sent.items {
            if current {
                self.hold(&name, version);
            }
            match version {
                Some(version) => accepted.push((name, version)),
                None => removed.push(name),
            }
        }
        Notice::Acked { kind: self.kind, accepted, removed }
    }

    /// From now on the proxy has this version of the name, or nothing. The target may have changed meanwhile.
    pub(super) fn hold(&mut self, name: &Name, version: Option<u64>) {
        self.refused.remove(name);
        if !self.interest.covers(name) {
            return;
        }
        self.touch(name);
        match version {
            Some(version) => self.held.insert(name.clone(), Held::Version(version)),
            None if self.interest.names(name) => self.held.insert(name.clone(), Held::Nothing),
            None => self.held.remove(name),
        };
    }

    /// Goes on as if the response had been accepted, and remembers that it was not.
    pub(super) fn give_up(&mut self, nonce: u64) {
        let Some(sent) = self.awaiting.take_if(|sent| sent.nonce == nonce) else { return };
        for (name, version) in &sent.items {
            self.hold(name, *version);
        }
        if self.overdue.len() == OVERDUE {
            self.overdue.pop_front();
        }
        self.overdue.push_back(sent);
    }

    // ---- what is to be done --------------------------------------------------------------------------------------

    pub(super) fn step<'t>(&self, name: &Name, asked: bool, targets: &'t Targets) -> Step<'t> {
        if !self.interest.covers(name) {
            return Step::Rest;
        }
        match (targets.get(self.kind, name), self.held.get(name)) {
            (Some(resource), _) if asked => Step::Upsert(resource),
            (Some(resource), Some(Held::Version(version))) if *version == resource.version => Step::Rest,
            (Some(resource), _) if self.refuses(name, resource.version) => Step::Rest,
            (Some(resource), _) => Step::Upsert(resource),
            (None, _) if asked => Step::Deny,
            (None, None) if self.interest.names(name) => Step::Deny,
            (None, None | Some(Held::Nothing)) => Step::Rest,
            (None, Some(_)) => Step::Remove,
        }
    }

    fn refuses(&self, name: &str, version: u64) -> bool {
        self.refused.get(name).is_some_and(|refused| refused.version == Some(version))
    }

    /// Looks at every dirty name again and drops those that need nothing.
    pub(super) fn tidy(&mut self, targets: &Targets) {
        if !self.requested {
            return;
        }
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.retain(|name, dirty| {
            let step = self.step(name, dirty.asked, targets);
            dirty.removal = step == Step::Remove;
            step != Step::Rest
        });
        self.dirty = dirty;
        let kind = self.kind;
        self.refused.retain(|name, refused| {
            targets.get(kind, name).is_some_and(|resource| refused.version == Some(resource.version))
        });
    }

    /// Whether additions and changes have all been sent and answered, as far as the caller has patience.
    pub(super) fn settled(&self) -> bool {
        let replaces = self.kind.replaces_in_one_response();
        self.awaiting.is_none() && !self.unsettled_otherwise(|dirty| replaces || !dirty.removal)
    }

    fn unsettled_otherwise(&self, pending: impl Fn(&Dirty) -> bool) -> bool {
        self.requested && (self.owes_reply || !self.suspects.is_empty() || self.dirty.values().any(pending))
    }

    /// Whether everything that the proxy waits for has been sent and answered.
    pub(super) fn none_wanting(&self) -> bool {
        let awaited = self.awaiting.iter().flat_map(|sent| &sent.items).map(|(name, _)| name);
        !self.requested || !self.dirty.keys().chain(awaited).any(|name| self.wanting(name))
    }

    /// Whether the proxy asked for a name and has nothing under it.
    pub(super) fn wanting(&self, name: &Name) -> bool {
        self.interest.names(name) && !self.held.contains_key(name)
    }

    /// Whether nothing of an older snapshot is in use: all is answered, and no refusal keeps an old version alive.
    pub(super) fn quiet(&self) -> bool {
        let idle = self.awaiting.is_none() && self.overdue.is_empty();
        let current = self.refused.keys().all(|name| !self.has_something(name));
        idle && current && !self.unsettled_otherwise(|_| true)
    }

    fn has_something(&self, name: &Name) -> bool {
        !matches!(self.held.get(name), None | Some(Held::Nothing))
    }

    pub(super) fn refusals(&self) -> impl Iterator<Item = &Refused> {
        self.refused.values()
    }

    pub(super) fn refuse(&mut self, name: &Name, version: Option<u64>, message: &Arc<str>) -> Refused {
        let refused = Refused { kind: self.kind, name: name.clone(), version, message: message.clone() };
        if self.interest.covers(name) && version.is_some() {
            self.refused.insert(name.clone(), refused.clone());
            self.touch(name);
        }
        refused
    }
}
