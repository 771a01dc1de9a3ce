//! What a refused response tells: a resource at fault, or a set of suspects to be tried in halves.
//!
//! A proxy refuses a response as a whole but may have applied any part of it: Envoy applies every good cluster and
//! listener beside a bad one, yet of the routes and endpoints only those that it came to before the bad one. So the
//! halves are sent again until each resource has been accepted or refused by itself; that takes about
//! `2 · log2(n)` responses for each resource at fault.

use std::sync::Arc;

use super::message::Notice;
use super::watch::{Held, Sent, Watch};
use crate::snapshot::Name;

/// Most of a proxy's words that is kept, in bytes.
const MESSAGE: usize = 4096;

impl Watch {
    pub(super) fn rejected(&mut self, sent: Sent, message: &str) -> Notice {
        let message: Arc<str> = cut(message).into();
        let (upserts, removals): (Vec<_>, Vec<_>) =
            sent.items.into_iter().partition(|(_, version)| version.is_some());
        for (name, _) in &removals {
            self.hold(name, None);
        }
        let refused = match upserts.as_slice() {
            [] if sent.resources == 0 => {
                removals.iter().map(|(name, _)| self.refuse(name, None, &message)).collect()
            }
            [(name, Some(version))] if sent.resources == 1 => {
                self.restore(name, *version);
                vec![self.refuse(name, Some(*version), &message)]
            }
            many => {
                self.suspect(many);
                Vec::new()
            }
        };
        Notice::Nacked { kind: self.kind, message, refused }
    }

    fn suspect(&mut self, items: &[(Name, Option<u64>)]) {
        for (name, version) in items {
            if let Some(version) = version
                && self.interest.covers(name)
            {
                let held = doubt(self.held.get(name).copied(), *version);
                self.held.insert(name.clone(), held);
                self.touch(name);
            }
        }
        let (first, second) = items.split_at(items.len() / 2);
        for half in [second, first] {
            self.suspects.push(half.iter().map(|(name, _)| name.clone()).collect());
        }
    }

    /// The resource at fault was refused by itself, so what was there before it is there still.
    fn restore(&mut self, name: &Name, version: u64) {
        match self.held.get(name).copied() {
            Some(Held::Doubtful { before: None, tried }) if tried == version => self.held.remove(name),
            Some(Held::Doubtful { before: Some(before), tried }) if tried == version => {
                self.held.insert(name.clone(), Held::Version(before))
            }
            Some(Held::Doubtful { .. }) => self.held.insert(name.clone(), Held::Unknown),
            // Presumed when the answer was overdue.
            Some(Held::Version(presumed)) if presumed == version => {
                self.held.insert(name.clone(), Held::Unknown)
            }
            _ => None,
        };
    }
}

fn doubt(held: Option<Held>, tried: u64) -> Held {
    match held {
        None | Some(Held::Nothing) => Held::Doubtful { before: None, tried },
        Some(Held::Version(before)) if before != tried => Held::Doubtful { before: Some(before), tried },
        Some(Held::Doubtful { before, tried: earlier }) if earlier == tried => {
            Held::Doubtful { before, tried }
        }
        Some(_) => Held::Unknown,
    }
}

fn cut(message: &str) -> &str {
    let end = (0..=MESSAGE.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
    &message[..end.unwrap_or(0)]
}
