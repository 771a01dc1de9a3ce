//! What routes need of what stands around them: filters, and the secrets that these read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::aws::Outbound;
use crate::credentials::Identity;
use crate::object::ObjectRef;
use crate::policies::{Applied, POLICIES, SecretKey};
use crate::xds::auth::Auth;

/// What the routes of a port need.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Needs {
    /// Filters by place in [`POLICIES`].
    pub(crate) filters: [bool; POLICIES.len()],
    /// Whether responses are to be decompressed for any of them.
    pub(crate) decompression: bool,
    /// Secrets by place in [`POLICIES`].
    pub(crate) secrets: [BTreeSet<SecretKey>; POLICIES.len()],
    /// Filters that ask about requests, by name, each with the routes that have it.
    pub(crate) auths: BTreeMap<String, (Arc<Auth>, BTreeSet<ObjectRef>)>,
    /// Whether any of them has sessions.
    pub(crate) sessions: bool,
    /// Whether fields are edited before functions are called.
    pub(crate) edits: bool,
    /// Filters that make requests fit for AWS, each with who signs.
    pub(crate) outbound: BTreeMap<&'static str, BTreeSet<Identity>>,
    /// Whose needs these are.
    pub(crate) policies: BTreeSet<ObjectRef>,
}

impl Needs {
    /// Notes what a level of routes needs for itself.
    pub(crate) fn note(&mut self, applied: &Applied) {
        for (place, config) in applied.configs().enumerate().filter_map(|(place, c)| Some((place, c?))) {
            self.filters[place] = true;
            self.decompression |= config.decompresses;
            self.secrets[place].extend(config.secrets.iter().cloned());
        }
    }

    /// Notes what a route's requests become.
    pub(crate) fn send(&mut self, outbound: &Outbound) {
        self.outbound.entry(outbound.filter).or_default().insert(outbound.identity.clone());
    }

    /// Notes whom a route asks.
    pub(crate) fn ask(&mut self, route: &ObjectRef, auths: &[Arc<Auth>]) {
        for auth in auths {
            let known = self.auths.entry(auth.name.clone());
            known.or_insert_with(|| (Arc::clone(auth), BTreeSet::new())).1.insert(route.clone());
        }
    }

    /// Whether anything is needed that not every route has.
    pub(crate) fn is_any(&self) -> bool {
        self.decompression
            || self.sessions
            || self.edits
            || !self.outbound.is_empty()
            || self.filters.contains(&true)
            || !self.auths.is_empty()
    }

    /// Adds what others need.
    pub(crate) fn extend(&mut self, other: Self) {
        for (ours, theirs) in self.filters.iter_mut().zip(other.filters) {
            *ours |= theirs;
        }
        self.decompression |= other.decompression;
        self.sessions |= other.sessions;
        self.edits |= other.edits;
        for (filter, identities) in other.outbound {
            self.outbound.entry(filter).or_default().extend(identities);
        }
        for (ours, theirs) in self.secrets.iter_mut().zip(other.secrets) {
            ours.extend(theirs);
        }
        for (name, (auth, routes)) in other.auths {
            self.auths.entry(name).or_insert((auth, BTreeSet::new())).1.extend(routes);
        }
        self.policies.extend(other.policies);
    }
}
