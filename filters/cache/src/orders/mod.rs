//! Orders of the controller: to purge, or to tell what is stored. They come in a configuration, and a process carries each out once.
//!
//! Where the host makes requests that belong to no stream, what came of an order is reported. An order whose report did not arrive is
//! reported again by the next configuration that has it.

#[cfg(not(target_family = "wasm"))]
mod inspection;
mod live;
mod purge;
#[cfg(not(target_family = "wasm"))]
mod report;

#[cfg(target_family = "wasm")]
use std::collections::VecDeque;
#[cfg(target_family = "wasm")]
use std::sync::{Mutex, PoisonError};

use ferrule_kit::{ConfigError, ConfigHost};
use serde::Deserialize;

#[cfg(not(target_family = "wasm"))]
pub use inspection::Inspect;
pub(crate) use live::register;
pub use purge::PurgeOrder;

/// Not read: nothing would hear of it.
#[cfg(target_family = "wasm")]
pub type Inspect = serde::de::IgnoredAny;

/// What the controller wants done, and where it wants to hear of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// Who is told what came of them; no one if not given.
    #[serde(default)]
    pub report: Option<Recipient>,
    /// The orders.
    pub list: Vec<Order>,
}

/// Who is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// The Envoy cluster that leads there.
    pub cluster: String,
    /// The path to post to.
    pub path: String,
}

/// One order: either a purge or an inspection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Names it: what has the same is the same.
    pub id: String,
    /// The name of the only storage that it is about; all if not given.
    #[serde(default)]
    pub storage: Option<String>,
    /// What is to go.
    #[serde(default)]
    pub purge: Option<PurgeOrder>,
    /// What is to be told.
    #[serde(default)]
    pub inspect: Option<Inspect>,
}

/// Most orders of one configuration, and most that a process remembers to have carried out is a multiple of it.
const MOST: usize = 64;
const REMEMBERED: usize = 4 * MOST;
const LONGEST_ID: usize = 64;

impl Orders {
    /// # Errors
    /// Says which order cannot be carried out, and why.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.list.len() > MOST {
            return Err(ConfigError::new("orders.list", format!("has more than {MOST} entries")));
        }
        self.list.iter().enumerate().try_for_each(|(at, order)| order.check(&format!("orders.list[{at}]")))
    }

    /// Carries out those that are new to this process, and reports what came of all that is not known to have been reported.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn carry_out(&self, host: &mut dyn ConfigHost) {
        report::carry_out(self, host);
    }

    /// Carries out those that are new to this machine. It cannot report, so it looks at nothing either.
    #[cfg(target_family = "wasm")]
    pub(crate) fn carry_out(&self, _: &mut dyn ConfigHost) {
        static DONE: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());
        let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
        for order in &self.list {
            let (false, Some(purge)) = (done.contains(&order.id), &order.purge) else { continue };
            if done.len() == REMEMBERED {
                done.pop_front();
            }
            done.push_back(order.id.clone());
            purge.carry_out(&live::compiled(order.storage.as_deref()));
        }
    }
}

impl Order {
    fn check(&self, field: &str) -> Result<(), ConfigError> {
        if self.id.is_empty() || self.id.len() > LONGEST_ID {
            return Err(ConfigError::new(format!("{field}.id"), "is empty or too long"));
        }
        match (&self.purge, &self.inspect) {
            (Some(purge), None) => purge.check(&format!("{field}.purge")),
            #[cfg(not(target_family = "wasm"))]
            (None, Some(inspect)) => inspect.check(&format!("{field}.inspect")),
            #[cfg(target_family = "wasm")]
            (None, Some(_)) => Ok(()),
            _ => Err(ConfigError::new(field, "is neither a purge nor an inspection, or both")),
        }
    }
}

#[cfg(test)]
mod tests;
