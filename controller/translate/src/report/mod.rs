//! The status of every object of ours, put together.

mod gateway;
mod listener;
mod policy;

use std::sync::Arc;

use crate::attach::Attachment;
use crate::backends::BackendOutcome;
use crate::carried::Carried;
use crate::gateways::Gateways;
use crate::kinds::World;
use crate::object::Key;
use crate::outcome::{RouteId, RouteOutcome};
use crate::policies::PolicyIndex;
use crate::translation::Translation;

/// What a translation has found out.
pub(crate) struct Found<'a> {
    pub(crate) world: &'a World,
    pub(crate) controller_name: &'a str,
    pub(crate) gateways: &'a Gateways,
    pub(crate) routes: &'a Carried<RouteId, RouteOutcome>,
    pub(crate) backends: &'a Carried<Key, BackendOutcome>,
    pub(crate) policies: &'a PolicyIndex,
}

impl Found<'_> {
    /// What each route is attached to.
    fn attachments(&self) -> impl Iterator<Item = &[Attachment]> {
        self.routes.iter().map(|(_, outcome)| outcome.attachments.as_slice())
    }
}

/// Fills in [`Translation::status`] and [`Translation::problems`].
pub(crate) fn statuses(found: &Found<'_>, translation: &mut Translation) {
    let routes =
        found.routes.iter().filter_map(|(_, o)| Some((o.reference.clone(), Arc::clone(o.status.as_ref()?))));
    let backends = found.backends.iter().map(|(_, o)| (o.reference.clone(), Arc::clone(&o.status)));
    translation.status = routes.chain(backends).collect();
    let of_routes = found.routes.iter().flat_map(|(_, outcome)| &outcome.problems);
    translation.problems.extend(of_routes.cloned());
    let of_backends = found.backends.iter().filter_map(|(_, outcome)| outcome.problem.as_ref());
    translation.problems.extend(of_backends.cloned());
    gateway::classes(found, translation);
    gateway::gateways(found, translation);
    gateway::listener_sets(found, translation);
    policy::traffic_policies(found, translation);
    translation.problems.sort();
    translation.problems.dedup();
}
