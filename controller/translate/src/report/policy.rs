//! Status of TrafficPolicies and CachePolicies: an entry a target.

use std::sync::Arc;

use super::Found;
use crate::api::meta::GATEWAY_GROUP;
use crate::api::route::ParentReference;
use crate::api::traffic_policy::{PolicyAncestorStatus, PolicyStatus};
use crate::object::ObjectRef;
use crate::policies::{Attached, Target};
use crate::problem::Problem;
use crate::status::{Status, condition};
use crate::translation::Translation;

pub(super) fn policies(found: &Found<'_>, translation: &mut Translation) {
    found.policies.kinds().into_iter().for_each(|policies| of_kind(found, policies, translation));
}

fn of_kind(found: &Found<'_>, policies: &Attached, translation: &mut Translation) {
    let (group, kind) = policies.kind;
    for (key, targets) in &policies.targets {
        let faults = policies.faults(key);
        let mut ancestors = Vec::new();
        for target in targets {
            let problem = policies.problem(found.world, key, target);
            let problems: Vec<&Problem> = faults.iter().chain(&problem).collect();
            let (name, generation) = (found.controller_name, policies.generation(key));
            ancestors.push(ancestor(name, (GATEWAY_GROUP, target), generation, &problems));
            translation.problems.extend(problem);
        }
        translation.problems.extend(faults);
        let reference = ObjectRef::at(group, kind, key);
        translation.status.insert(reference, Arc::new(Status::Policy(PolicyStatus { ancestors })));
    }
}

/// The entry of a target, which is of that group.
pub(super) fn ancestor(
    controller_name: &str,
    (group, target): (&str, &Target),
    generation: i64,
    problems: &[&Problem],
) -> PolicyAncestorStatus {
    let accepted = condition("Accepted", "Accepted", generation, problems);
    let mut attached = condition("Attached", "Attached", generation, &[]);
    if accepted.status == "False" {
        attached.status = "False".to_owned();
        attached.reason = "Pending".to_owned();
    }
    PolicyAncestorStatus {
        ancestor_ref: ParentReference {
            group: Some(group.to_owned()),
            kind: Some(target.kind.to_string()),
            namespace: Some(target.object.0.to_string()),
            name: target.object.1.to_string(),
            section_name: target.section.as_ref().map(ToString::to_string),
            port: None,
        },
        controller_name: controller_name.to_owned(),
        conditions: vec![accepted, attached],
    }
}
