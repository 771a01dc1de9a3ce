//! Purges that Redis was not told of yet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::Purge;

/// A purge, and whether it is soft.
pub(super) type Told = (Purge, bool);

/// More than these become one of everything.
const MOST: usize = 4096;

/// The purges, in order.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Told>,
    under_way: usize,
}

impl Pending {
    /// Adds one.
    pub(super) fn add(&self, purge: Purge, soft: bool) {
        let mut state = self.lock();
        state.waiting.push_back((purge, soft));
        state.bound();
    }

    /// Whether Redis knows of all.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.waiting.is_empty() && state.under_way == 0
    }

    /// Takes all to tell of them; what is not confirmed comes back.
    pub(super) fn take(self: &Arc<Self>) -> Delivery {
        let mut state = self.lock();
        let purges: Vec<_> = state.waiting.drain(..).collect();
        state.under_way += purges.len();
        Delivery { pending: Arc::clone(self), purges }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bound(&mut self) {
        if self.waiting.len() > MOST {
            self.waiting.clear();
            self.waiting.push_back((Purge::Everything, false));
        }
    }
}

/// Purges on their way.
#[derive(Debug)]
pub(super) struct Delivery {
    pending: Arc<Pending>,
    purges: Vec<Told>,
}

impl Delivery {
    pub(super) fn purges(&self) -> &[Told] {
        &self.purges
    }

    /// Redis knows of them.
    pub(super) fn confirm(mut self) {
        self.pending.lock().under_way -= self.purges.len();
        self.purges.clear();
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let mut state = self.pending.lock();
        state.under_way -= self.purges.len();
        for told in self.purges.drain(..).rev() {
            state.waiting.push_front(told);
        }
        state.bound();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(name: &str) -> Purge {
        Purge::Tag(name.as_bytes().to_vec())
    }

    #[test]
    fn what_is_not_confirmed_comes_back_in_order() {
        let pending = Arc::new(Pending::default());
        pending.add(tag("a"), false);
        pending.add(tag("b"), true);
        let delivery = pending.take();
        pending.add(tag("c"), false);
        assert!(!pending.is_empty());
        drop(delivery);
        let delivery = pending.take();
        assert_eq!(delivery.purges(), [(tag("a"), false), (tag("b"), true), (tag("c"), false)]);
        assert!(!pending.is_empty(), "they are under way");
        delivery.confirm();
        assert!(pending.is_empty());
    }

    #[test]
    fn too_many_become_one_of_everything() {
        let pending = Arc::new(Pending::default());
        (0..=MOST).for_each(|_| pending.add(tag("a"), true));
        assert_eq!(pending.take().purges(), [(Purge::Everything, false)]);
    }
}
