//! Which types may be sent now: make before break, across types.

use super::message::{Notice, Outcome, Response};
use super::watch::{Sent, Step, Watch};
use super::{Subscription, cluster};
use crate::{Kind, Refused};

/// Which of the dirty names go into a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pick {
    /// Additions, changes, denials.
    Upserts,
    /// Of those, only what the proxy waits for.
    Wanting,
    Removals,
    All,
}

impl Subscription {
    /// Sends all that may be sent.
    pub(super) fn proceed(&mut self, outcome: &mut Outcome) {
        if !self.targets.exist() {
            return;
        }
        if !self.targets.begun() {
            self.adopt();
        }
        while self.send_some(&mut outcome.responses) || self.move_on() {}
        outcome.notices.extend(self.tell_synced());
    }

    fn send_some(&mut self, responses: &mut Vec<Response>) -> bool {
        let before = responses.len();
        for watch in &mut self.watches {
            watch.tidy(&self.targets);
        }
        for kind in Kind::ALL {
            if let Some(pick) = self.may_make(kind) {
                self.send(kind, pick, responses);
            }
        }
        for kind in Kind::BREAK_ORDER {
            if self.may_break(kind) {
                self.send(kind, Pick::Removals, responses);
            }
        }
        responses.len() > before
    }

    /// What of a kind may be added and changed now, in view of the kinds before it.
    fn may_make(&self, kind: Kind) -> Option<Pick> {
        if matches!(kind, Kind::Secret | Kind::Cluster | Kind::Endpoints) {
            return Some(Pick::Upserts);
        }
        let clusters_to_come = self.resuming() && !self.watch(Kind::Cluster).requested;
        let ready = !clusters_to_come && self.before(kind).all(Watch::made);
        match (ready, kind) {
            (true, _) if kind.replaces_in_one_response() => Some(Pick::All),
            (true, _) => Some(Pick::Upserts),
            // A listener or cluster may be warming on it, and withhold an ACK until it comes.
            (false, Kind::ExtensionConfig) => Some(Pick::Wanting),
            (false, _) => None,
        }
    }

    fn may_break(&self, kind: Kind) -> bool {
        let mut users =
            Kind::BREAK_ORDER.into_iter().take_while(|user| *user != kind).filter(|user| !user.is_leaf());
        let made = !self.resuming() && self.watches.iter().all(Watch::made);
        made && users.all(|user| self.watch(user).quiet())
    }

    fn before(&self, kind: Kind) -> impl Iterator<Item = &Watch> {
        self.watches.iter().take_while(move |watch| watch.kind != kind)
    }

    fn watch(&self, kind: Kind) -> &Watch {
        &self.watches[kind.index()]
    }

    /// Whether a proxy that came back with what it has may not yet have told all of it: it asks for one type after
    /// the other, and nothing says which is the last.
    pub(super) fn resuming(&self) -> bool {
        !self.grace_spent && self.watches.iter().any(|watch| watch.resumed)
    }

    fn send(&mut self, kind: Kind, pick: Pick, responses: &mut Vec<Response>) {
        let nonce = self.last_nonce + 1;
        let watch = &mut self.watches[kind.index()];
        let Some(response) = watch.compose(pick, nonce, self.limits.response_bytes, &self.targets) else {
            return;
        };
        self.last_nonce = nonce;
        if kind == Kind::Cluster {
            self.rewarm(&response);
        }
        responses.push(response);
    }

    /// Envoy builds a changed cluster anew and waits for its endpoints, but asks for them only if it does not
    /// subscribe to them yet.
    fn rewarm(&mut self, response: &Response) {
        let endpoints = &mut self.watches[Kind::Endpoints.index()];
        for name in response.resources.iter().filter_map(cluster::endpoints_name) {
            if !endpoints.requested || endpoints.interest.names(&name) {
                endpoints.demand(&name);
            }
        }
    }

    /// Begins the newest snapshot once the current one is through.
    fn move_on(&mut self) -> bool {
        let through = self.watches.iter().filter(|watch| !watch.kind.is_leaf()).all(Watch::settled);
        let moves = through && self.targets.superseded();
        if moves {
            self.adopt();
        }
        moves
    }

    fn adopt(&mut self) {
        for (kind, name) in self.targets.adopt() {
            self.watches[kind.index()].touch(&name);
        }
    }

    fn tell_synced(&mut self) -> Option<Notice> {
        let generation = self.targets.generation();
        let complete = self.watches.iter().all(|watch| {
            watch.settled() && watch.overdue.is_empty() && (watch.requested || !self.targets.has(watch.kind))
        });
        if self.synced == generation || self.targets.superseded() || !complete {
            return None;
        }
        let refused: Vec<Refused> = self.watches.iter().flat_map(Watch::refusals).cloned().collect();
        // A refusal may hold removals back for long; anything else does not.
        if refused.is_empty() && self.watches.iter().any(|watch| watch.requested && !watch.dirty.is_empty()) {
            return None;
        }
        self.synced = generation;
        Some(Notice::Synced { generation, refused })
    }
}

impl Watch {
    /// Whether kinds that may refer to this one can go ahead. Leaves may change all the time, so only what is
    /// wanting of them counts.
    fn made(&self) -> bool {
        if self.kind.is_leaf() { self.none_wanting() } else { self.settled() }
    }

    /// The next response, if there is anything to say and the last was answered.
    fn compose(
        &mut self,
        pick: Pick,
        nonce: u64,
        budget: usize,
        targets: &super::Targets,
    ) -> Option<Response> {
        if !self.requested || self.awaiting.is_some() {
            return None;
        }
        let mut response = Response { kind: self.kind, nonce, resources: Vec::new(), removed: Vec::new() };
        while !self.fill(&mut response, pick, budget, targets) {}
        let empty = response.resources.is_empty() && response.removed.is_empty();
        if empty && !(self.owes_reply && matches!(pick, Pick::Upserts | Pick::All)) {
            return None;
        }
        self.owes_reply = false;
        let upserts =
            response.resources.iter().map(|resource| (resource.name.clone(), Some(resource.version)));
        let removals = response.removed.iter().map(|name| (name.clone(), None));
        let items = removals.chain(upserts).collect();
        self.awaiting = Some(Sent { nonce, items, dropped: Vec::new(), resources: response.resources.len() });
        Some(response)
    }

    /// Fills the response from one group of names; false if there may be something in the next group.
    fn fill(&mut self, response: &mut Response, pick: Pick, budget: usize, targets: &super::Targets) -> bool {
        let suspects = if matches!(pick, Pick::Upserts | Pick::All) { self.suspects.pop() } else { None };
        let isolating = suspects.is_some();
        let names = suspects.unwrap_or_else(|| self.dirty.keys().cloned().collect());
        let mut room = budget;
        for name in names {
            let asked = self.dirty.get(&name).is_some_and(|dirty| dirty.asked);
            let wanted = pick != Pick::Wanting || self.wanting(&name);
            match self.step(&name, asked, targets) {
                Step::Upsert(resource) if wanted && pick != Pick::Removals => {
                    room = room.saturating_sub(resource.body.len());
                    response.resources.push(resource.clone());
                }
                Step::Deny if wanted && pick != Pick::Removals => response.removed.push(name.clone()),
                Step::Remove if matches!(pick, Pick::Removals | Pick::All) => {
                    response.removed.push(name.clone())
                }
                _ => continue,
            }
            self.dirty.remove(&name);
            if room == 0 && !isolating {
                break;
            }
        }
        !isolating || !response.resources.is_empty() || !response.removed.is_empty()
    }
}
