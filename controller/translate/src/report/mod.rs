//! The status of every object of ours, put together.

mod backend_tls;
mod gateway;
mod listener;
mod policy;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::attach::Attachment;
use crate::backend_tls::{BackendTls, Used};
use crate::backends::BackendOutcome;
use crate::carried::Carried;
use crate::gateways::Gateways;
use crate::kinds::World;
use crate::object::Key;
use crate::outcome::{RouteId, RouteOutcome};
use crate::policies::PolicyIndex;
use crate::stream::StreamOutcome;
use crate::translation::Translation;

/// What a translation has found out.
pub(crate) struct Found<'a> {
    pub(crate) world: &'a World,
    pub(crate) controller_name: &'a str,
    pub(crate) gateways: &'a Gateways,
    pub(crate) routes: &'a Carried<RouteId, RouteOutcome>,
    pub(crate) streams: &'a Carried<RouteId, StreamOutcome>,
    pub(crate) backends: &'a Carried<Key, BackendOutcome>,
    pub(crate) policies: &'a PolicyIndex,
    pub(crate) backend_tls: &'a BackendTls,
    /// Ports of Services by Gateway that uses them.
    pub(crate) used: &'a BTreeMap<Key, Used>,
}

impl Found<'_> {
    /// What each route is attached to.
    fn attachments(&self) -> impl Iterator<Item = &[Attachment]> {
        let streams = self.streams.iter().map(|(_, outcome)| outcome.attachments.as_slice());
        self.routes.iter().map(|(_, outcome)| outcome.attachments.as_slice()).chain(streams)
    }
}

/// Fills in [`Translation::status`] and [`Translation::problems`].
pub(crate) fn statuses(found: &Found<'_>, translation: &mut Translation) {
    let routes =
        found.routes.iter().filter_map(|(_, o)| Some((o.reference.clone(), Arc::clone(o.status.as_ref()?))));
    let streams =
        found.streams.iter().filter_map(|(_, o)| Some((o.reference.clone(), Arc::clone(o.status.as_ref()?))));
    let backends = found.backends.iter().map(|(_, o)| (o.reference.clone(), Arc::clone(&o.status)));
    translation.status = routes.chain(streams).chain(backends).collect();
    let of_routes = found.routes.iter().flat_map(|(_, outcome)| &outcome.problems);
    translation.problems.extend(of_routes.cloned());
    let of_streams = found.streams.iter().flat_map(|(_, outcome)| &outcome.problems);
    translation.problems.extend(of_streams.cloned());
    let of_backends = found.backends.iter().filter_map(|(_, outcome)| outcome.problem.as_ref());
    translation.problems.extend(of_backends.cloned());
    gateway::classes(found, translation);
    gateway::gateways(found, translation);
    gateway::listener_sets(found, translation);
    policy::traffic_policies(found, translation);
    backend_tls::policies(found, translation);
    translation.problems.sort();
    translation.problems.dedup();
}
