//! The status of every object of ours, put together.

mod aws_signing_policy;
mod backend;
mod backend_tls;
mod gateway;
mod lambda_policy;
mod listener;
mod policy;
mod route;

use std::collections::BTreeMap;

use crate::aws::Functions;
use crate::backend_tls::{BackendTls, Used};
use crate::gateways::Gateways;
use crate::kinds::World;
use crate::object::Key;
use crate::policies::PolicyIndex;
use crate::sums::Sums;
use crate::translation::Translation;

pub(crate) use backend::outcome as backend_outcome;
pub(crate) use route::status as route_status;

/// What a translation has found out.
pub(crate) struct Found<'a> {
    pub(crate) world: &'a World,
    pub(crate) controller_name: &'a str,
    pub(crate) gateways: &'a Gateways,
    pub(crate) sums: &'a Sums,
    pub(crate) policies: &'a PolicyIndex,
    pub(crate) functions: &'a Functions,
    pub(crate) backend_tls: &'a BackendTls,
    /// Where the routes of each Gateway lead.
    pub(crate) used: &'a BTreeMap<Key, Used<'a>>,
}

/// Fills in [`Translation::status`] and [`Translation::problems`].
pub(crate) fn statuses(found: &Found<'_>, translation: &mut Translation) {
    translation.status = found.sums.statuses();
    translation.problems.extend(found.sums.problems().cloned());
    gateway::classes(found, translation);
    gateway::gateways(found, translation);
    gateway::listener_sets(found, translation);
    aws_signing_policy::policies(found, translation);
    lambda_policy::policies(found, translation);
    policy::policies(found, translation);
    backend_tls::policies(found, translation);
    translation.problems.sort();
    translation.problems.dedup();
}
