//! Orders to the caches of all proxies: given once, carried out by each proxy when its configuration has them, and answered by
//! reports.
//!
//! Invariants: recent orders alone stand in configurations, at most so many; an answer is that of the proxy whose connection it came
//! by; who has gone away counts as missing for a while, because it may serve on.

mod state;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ferrule_cache::Cache;
use ferrule_xds::{Event, REPORTS};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::publish::{self, SharedPublisher};
use state::State;
pub(crate) use state::{Account, Standing, Told, Word};

/// Most bytes of one order.
pub(crate) const LARGEST: usize = 64 << 10;

/// Gives orders and hears of them.
pub(crate) struct Orders {
    publisher: SharedPublisher,
    state: Mutex<State>,
    /// Counts what may be news to other replicas.
    news: watch::Sender<u64>,
}

impl Orders {
    pub(crate) fn new(publisher: SharedPublisher) -> Self {
        Self { publisher, state: Mutex::default(), news: watch::Sender::default() }
    }

    /// Gives an order to all proxies with caches, those among them that connect later; says what it is called.
    ///
    /// # Errors
    /// Says which field of it makes no sense.
    pub(crate) fn give(&self, order: &[u8]) -> Result<String, String> {
        let id = id();
        let order = checked(order, &id)?;
        let mut state = self.state();
        state.give(&id, order, Instant::now());
        self.publish(&mut state);
        drop(state);
        self.note();
        Ok(id)
    }

    /// Who has carried out an order; none where there is no such order, or none any more.
    pub(crate) fn account(&self, id: &str) -> Option<Account> {
        self.state().account(id, Instant::now())
    }

    /// Takes in what a proxy did.
    pub(crate) fn on_event(&self, event: &Event) {
        let mut state = self.state();
        state.on_event(event, Instant::now());
        let is_news =
            !state.orders().is_empty() && !matches!(event, Event::Acked { .. } | Event::Nacked { .. });
        drop(state);
        if is_news {
            self.note();
        }
    }

    /// Changes when there may be news for other replicas.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// What other replicas are to hear.
    pub(crate) fn told(&self) -> Told {
        self.state().told(Instant::now())
    }

    /// Takes in what all other replicas say.
    pub(crate) fn hear(&self, others: Vec<Told>) {
        let mut state = self.state();
        if state.hear(others, Instant::now()) {
            self.publish(&mut state);
            drop(state);
            self.note();
        }
    }

    fn note(&self) {
        self.news.send_modify(|news| *news += 1);
    }

    /// Takes orders back whose time is over; to be called now and then.
    pub(crate) fn expire(&self) {
        let mut state = self.state();
        if state.expire(Instant::now()) {
            self.publish(&mut state);
        }
    }

    /// The state stays locked, so that who gave the latest order publishes last.
    fn publish(&self, state: &mut State) {
        let list = state.orders();
        let report = json!({"cluster": envoy_bootstrap::XDS_CLUSTER, "path": REPORTS});
        let orders = (!list.is_empty()).then(|| json!({"report": report, "list": list}));
        let caching = publish::lock(&self.publisher).order(orders);
        state.on_published(&caching);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Unlike any other, of whatever controller.
fn id() -> String {
    let half = || RandomState::new().hash_one(Instant::now());
    format!("{:016x}{:016x}", half(), half())
}

/// The order under its id, which the very code has checked that will carry it out.
fn checked(order: &[u8], id: &str) -> Result<Value, String> {
    let mut order: Value = serde_json::from_slice(order).map_err(|error| format!("no JSON: {error}"))?;
    let members = order.as_object_mut().ok_or("no JSON object")?;
    if members.insert("id".to_owned(), id.into()).is_some() {
        return Err("id: is not yours to give".to_owned());
    }
    let config = json!({"disable": {}, "orders": {"list": [order]}});
    match ferrule_kit::compile::<Cache>(config.to_string().as_bytes()) {
        Ok(_) => Ok(order),
        Err(error) => Err(error
            .to_string()
            .replacen("orders.list[0]", "", 1)
            .trim_start_matches(['.', ':', ' '])
            .to_owned()),
    }
}

#[cfg(test)]
mod tests;
