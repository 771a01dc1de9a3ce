//! The status of routes.

use crate::api::route::{RouteParentStatus, RouteStatus};
use crate::attach::Attachment;
use crate::problem::Problem;
use crate::status::{Status, condition};

/// The status of a route of any kind, unless none of its parents is ours.
pub(crate) fn status(
    controller_name: &str,
    generation: i64,
    attachments: &[Attachment],
    of_rules: &[&Problem],
) -> Option<Status> {
    let parents = attachments.iter().map(|attachment| {
        let problems: Vec<&Problem> = attachment.problem.iter().chain(of_rules.iter().copied()).collect();
        let accepted = condition("Accepted", "Accepted", generation, &problems);
        let resolved = condition("ResolvedRefs", "ResolvedRefs", generation, &problems);
        RouteParentStatus {
            parent_ref: attachment.parent.clone(),
            controller_name: controller_name.to_owned(),
            conditions: vec![accepted, resolved],
        }
    });
    let parents: Vec<RouteParentStatus> = parents.collect();
    (!parents.is_empty()).then_some(Status::Route(RouteStatus { parents }))
}
