//! Status of LambdaPolicies: an entry a Backend.

use std::sync::Arc;

use super::Found;
use super::policy::ancestor;
use crate::api::meta::KGATEWAY_GROUP;
use crate::api::traffic_policy::PolicyStatus;
use crate::aws;
use crate::policies::Target;
use crate::problem::Problem;
use crate::status::Status;
use crate::translation::Translation;

pub(super) fn policies(found: &Found<'_>, translation: &mut Translation) {
    let Found { world, controller_name, functions, .. } = found;
    for (key, policy) in &world.lambda_policies {
        let generation = policy.metadata.generation.unwrap_or_default();
        let reference = aws::reference(key);
        let faults = aws::faults(key, policy);
        let mut ancestors = Vec::new();
        for (backend, problem) in functions.policies.reports(world, key, policy) {
            let of_function =
                functions.get(&backend).and_then(|function| function.as_ref().err()?.policy.clone());
            let of_function = of_function.filter(|problem| problem.on == reference);
            let problem = problem.or(of_function.map(|problem| *problem));
            let problems: Vec<&Problem> = faults.iter().chain(&problem).collect();
            let target = Target { kind: "Backend".into(), object: backend, section: None };
            ancestors.push(ancestor(controller_name, (KGATEWAY_GROUP, &target), generation, &problems));
            translation.problems.extend(problem);
        }
        translation.problems.extend(faults);
        translation.status.insert(reference, Arc::new(Status::Policy(PolicyStatus { ancestors })));
    }
}
