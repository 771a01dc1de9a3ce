//! Status of AWSSigningPolicies: an entry a target.

use std::sync::Arc;

use super::Found;
use super::policy::ancestor;
use crate::api::meta::FERRULE_GROUP;
use crate::api::traffic_policy::PolicyStatus;
use crate::aws;
use crate::object::ObjectRef;
use crate::problem::Problem;
use crate::status::Status;
use crate::translation::Translation;

pub(super) fn policies(found: &Found<'_>, translation: &mut Translation) {
    let Found { world, controller_name, functions, .. } = found;
    for (key, policy) in &world.aws_signing_policies {
        let generation = policy.metadata.generation.unwrap_or_default();
        let faults = aws::signing_faults(key, policy);
        let mut ancestors = Vec::new();
        for report in functions.signings.reports(world, key, policy) {
            let problems: Vec<&Problem> = faults.iter().chain(&report.problem).collect();
            let target = (report.group, &report.target);
            let mut entry = ancestor(controller_name, target, generation, &problems);
            entry.conditions.extend(report.health);
            ancestors.push(entry);
            translation.problems.extend(report.problem);
        }
        translation.problems.extend(faults);
        let reference = ObjectRef::at(FERRULE_GROUP, "AWSSigningPolicy", key);
        translation.status.insert(reference, Arc::new(Status::Policy(PolicyStatus { ancestors })));
    }
}
