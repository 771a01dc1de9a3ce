//! What came of orders, and who is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ferrule_kit::{Callout, ConfigHost, Errand, Lines, Octets};
use serde_json::{Value, json};

use super::{Order, Orders, REMEMBERED, Recipient, live};
use crate::policy::time::Time;

/// How long a report may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// See [`Orders::carry_out`].
pub(super) fn carry_out(orders: &Orders, host: &mut dyn ConfigHost) {
    let now = Time::of(host.now());
    for order in &orders.list {
        let done = order.done(now);
        if let Some(recipient) = orders.report.as_ref().filter(|_| host.runs_errands())
            && let Some(errand) = Reporting::begin(&done)
        {
            host.send_off(recipient.callout(&done), Box::new(errand));
        }
    }
}

impl Order {
    /// What came of it, now or before.
    fn done(&self, now: Time) -> Arc<Done> {
        // Held while it is carried out, so that no one does it beside us; the main thread alone makes configurations.
        let mut all = done();
        if let Some(known) = all.iter().find(|done| done.id == self.id) {
            return Arc::clone(known);
        }
        let report = json!({"id": self.id, "outcome": self.outcome(now)}).to_string();
        let fresh = Arc::new(Done { id: self.id.clone(), report, told: Mutex::default() });
        if all.len() == REMEMBERED {
            all.pop_front();
        }
        all.push_back(Arc::clone(&fresh));
        fresh
    }

    fn outcome(&self, now: Time) -> Value {
        let live = live::compiled(self.storage.as_deref());
        match (&self.purge, &self.inspect) {
            (Some(purge), _) => json!({"purged": purge.carry_out(&live)}),
            (None, Some(inspect)) => json!({"caches": inspect.carry_out(&live, now)}),
            (None, None) => Value::Null,
        }
    }
}

/// An order that was carried out.
#[derive(Debug)]
struct Done {
    id: String,
    report: String,
    told: Mutex<Told>,
}

/// Whether its report has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Told {
    #[default]
    No,
    UnderWay,
    Yes,
}

fn done() -> MutexGuard<'static, VecDeque<Arc<Done>>> {
    static DONE: Mutex<VecDeque<Arc<Done>>> = Mutex::new(VecDeque::new());
    DONE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Done {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recipient {
    fn callout(&self, done: &Done) -> Callout {
        let fields = [
            (":method", "POST"),
            (":path", self.path.as_str()),
            (":scheme", "http"),
            (":authority", self.cluster.as_str()),
            ("content-type", "application/json"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        Callout {
            cluster: self.cluster.clone(),
            fields: fields.into(),
            body: done.report.clone().into_bytes(),
            timeout: PATIENCE,
        }
    }
}

/// A report on its way.
#[derive(Debug)]
struct Reporting(Arc<Done>);

impl Reporting {
    /// None where it has arrived, or is on its way already.
    fn begin(done: &Arc<Done>) -> Option<Self> {
        let mut told = done.told();
        let is_due = *told == Told::No;
        if is_due {
            *told = Told::UnderWay;
        }
        drop(told);
        is_due.then(|| Self(Arc::clone(done)))
    }
}

impl Errand for Reporting {
    fn on_headers(&mut self, _: SystemTime, lines: &Lines<'_>, _: bool) -> bool {
        let arrived = lines.iter().any(|(name, value)| **name == *b":status" && value.starts_with(b"2"));
        *self.0.told() = if arrived { Told::Yes } else { Told::No };
        false
    }

    fn on_data(&mut self, _: &[Octets<'_>], _: bool) -> bool {
        false
    }

    fn on_trailers(&mut self) {}
}

/// Without an answer it has not arrived.
impl Drop for Reporting {
    fn drop(&mut self) {
        let mut told = self.0.told();
        if *told == Told::UnderWay {
            *told = Told::No;
        }
    }
}
