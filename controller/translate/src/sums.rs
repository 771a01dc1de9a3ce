//! What routes and Backends add up to: the status of each, what is wrong with them, and how many are attached where.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ferrule_shared_map::SharedMap;

use crate::attach::Attachment;
use crate::object::{Key, ObjectRef};
use crate::problem::Problem;
use crate::status::Status;

/// The sums, kept in step with what they are of, one by one.
#[derive(Default)]
pub(crate) struct Sums {
    statuses: SharedMap<ObjectRef, Arc<Status>>,
    /// Of those objects that have any.
    problems: BTreeMap<ObjectRef, Vec<Problem>>,
    /// By Gateway and place of the listener.
    attached: HashMap<(Key, usize), i32>,
}

impl Sums {
    /// Takes over what is said of an object.
    pub(crate) fn tell(&mut self, object: &ObjectRef, status: Option<&Arc<Status>>, problems: &[Problem]) {
        let same = |known: &Arc<Status>| status.is_some_and(|status| Arc::ptr_eq(known, status));
        if !self.statuses.get(object).is_some_and(same) {
            match status {
                Some(status) => drop(self.statuses.insert(object.clone(), Arc::clone(status))),
                None => drop(self.statuses.remove(object)),
            }
        }
        if problems.is_empty() {
            self.problems.remove(object);
        } else {
            self.problems.insert(object.clone(), problems.to_vec());
        }
    }

    /// Counts a route, once for each listener.
    pub(crate) fn attach(&mut self, attachments: &[Attachment]) {
        for listener in listeners(attachments) {
            *self.attached.entry(listener).or_default() += 1;
        }
    }

    /// Counts a route no more.
    pub(crate) fn detach(&mut self, attachments: &[Attachment]) {
        for listener in listeners(attachments) {
            if let Some(count) = self.attached.get_mut(&listener) {
                *count -= 1;
            }
            if self.attached.get(&listener) == Some(&0) {
                self.attached.remove(&listener);
            }
        }
    }

    /// How many routes are attached to a listener.
    pub(crate) fn attached(&self, gateway: &Key, place: usize) -> i32 {
        self.attached.get(&(gateway.clone(), place)).copied().unwrap_or_default()
    }

    /// The status of each.
    pub(crate) fn statuses(&self) -> SharedMap<ObjectRef, Arc<Status>> {
        self.statuses.clone()
    }

    /// Everything that is wrong.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.values().flatten()
    }
}

fn listeners(attachments: &[Attachment]) -> Vec<(Key, usize)> {
    let all =
        attachments.iter().flat_map(|one| one.listeners.iter().map(|place| (one.gateway.clone(), *place)));
    let mut all: Vec<(Key, usize)> = all.collect();
    all.sort_unstable();
    all.dedup();
    all
}
