//! What proxies made of an object, put over what the translator says of it.

use ferrule_translate::Status;
use ferrule_translate::api::meta::Condition;

use super::conditions::all_mut;

const PROGRAMMED: &str = "Programmed";

/// How a Gateway stands with its proxies, as its `Programmed` condition tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They run it: what the translator says holds.
    Programmed,
    /// Nobody knows yet, or there is nobody to run it.
    Waiting(&'static str),
    /// They run an earlier form of the Gateway, of this generation, and a newer one is under way.
    Earlier(i64),
    /// A proxy refuses some of it, in these words.
    Refused(String),
}

/// What is to be said of an object beyond the translator's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// Of a Gateway.
    Gateway(Standing),
    /// Of an object that a proxy refuses, in the proxy's words.
    Refused(String),
}

impl Overlay {
    /// A status with this over it.
    pub(crate) fn over(&self, status: &Status) -> Status {
        let mut status = status.clone();
        for (_, conditions) in all_mut(&mut status) {
            match self {
                Self::Gateway(standing) => standing.apply(conditions),
                Self::Refused(words) => {
                    let generation = conditions.first().map_or(0, |condition| condition.observed_generation);
                    conditions.retain(|condition| condition.kind != PROGRAMMED);
                    conditions.push(programmed("False", "Invalid", words.clone(), generation));
                }
            }
        }
        status
    }
}

impl Standing {
    /// What is not programmed for a reason of its own stays so.
    fn apply(&self, conditions: &mut [Condition]) {
        let ours = |condition: &&mut Condition| condition.kind == PROGRAMMED && condition.status == "True";
        let Some(condition) = conditions.iter_mut().find(ours) else { return };
        let generation = condition.observed_generation;
        match self {
            Self::Programmed => {}
            Self::Waiting(why) => {
                *condition = programmed("Unknown", "Pending", (*why).to_owned(), generation)
            }
            Self::Earlier(generation) => condition.observed_generation = *generation,
            Self::Refused(words) => *condition = programmed("False", "Invalid", words.clone(), generation),
        }
    }
}

fn programmed(status: &str, reason: &str, message: String, observed_generation: i64) -> Condition {
    Condition {
        kind: PROGRAMMED.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation,
        last_transition_time: None,
    }
}
