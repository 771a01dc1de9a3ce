//! What proxies made of an object, put over what the translator says of it.

use std::sync::Arc;

use ferrule_provision::{AddressReport, StatusAddress};
use ferrule_translate::Status;
use ferrule_translate::api::gateway::{GatewayStatus, GatewayStatusAddress};
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
    /// Of a Gateway: how it stands with its proxies, and where these can be reached, as far as we provide them.
    Gateway(Standing, Option<AddressReport>),
    /// Of listeners that are a Gateway's, but stand in another object.
    ListenerSet(Standing),
    /// Of a GatewayClass: the release of Gateway API that the cluster has.
    Class(Arc<str>),
    /// Of an object that a proxy refuses, in the proxy's words.
    Refused(String),
}

impl Overlay {
    /// A status with this over it.
    pub(crate) fn over(&self, status: &Status) -> Status {
        let mut status = status.clone();
        if let (Self::Gateway(_, Some(report)), Status::Gateway(status)) = (self, &mut status) {
            report_addresses(report, status);
        }
        for (_, conditions) in all_mut(&mut status) {
            match self {
                Self::Gateway(standing, _) | Self::ListenerSet(standing) => standing.apply(conditions),
                Self::Class(bundle) => conditions.push(supported_version(bundle, conditions)),
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

/// Puts in the addresses, and that the Gateway is not programmed where one is missing that it needs.
fn report_addresses(report: &AddressReport, status: &mut GatewayStatus) {
    let address = |address: &StatusAddress| GatewayStatusAddress {
        kind: address.kind.to_owned(),
        value: address.value.clone(),
        routability: address.routability.clone(),
    };
    status.addresses = report.addresses.iter().map(address).collect();
    let Some(generation) = status.conditions.first().map(|condition| condition.observed_generation) else {
        return;
    };
    if let Some(problem) = report.problems.first()
        && let Some(condition) =
            status.conditions.iter_mut().find(|one| one.kind == PROGRAMMED && one.status == "True")
    {
        condition.status = "False".to_owned();
        condition.reason = problem.reason.word();
        condition.message = problem.message();
    }
    let assigned = &report.assigned;
    status.conditions.push(Condition {
        kind: "AddressesAssigned".to_owned(),
        status: if assigned.status { "True" } else { "False" }.to_owned(),
        reason: assigned.reason.to_owned(),
        message: assigned.message.clone(),
        observed_generation: generation,
        last_transition_time: None,
    });
}

/// Releases of Gateway API whose definitions are understood.
const SUPPORTED: [&str; 3] = ["v1.5.", "v1.6.", "v1.7."];

/// The condition `SupportedVersion` of a GatewayClass.
fn supported_version(bundle: &str, conditions: &[Condition]) -> Condition {
    let is_supported = SUPPORTED.iter().any(|release| bundle.starts_with(release));
    let (status, reason, message) = match is_supported {
        true => ("True", "SupportedVersion", String::new()),
        false => {
            let message = format!("the cluster has Gateway API {bundle}; v1.5, v1.6 and v1.7 are supported");
            ("False", "UnsupportedVersion", message)
        }
    };
    Condition {
        kind: "SupportedVersion".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: conditions.first().map_or(0, |condition| condition.observed_generation),
        last_transition_time: None,
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
