//! Status of BackendTLSPolicies: an entry for each Gateway that uses what they are about.

use std::sync::Arc;

use super::Found;
use crate::api::meta::GATEWAY_GROUP;
use crate::api::route::ParentReference;
use crate::api::traffic_policy::{PolicyAncestorStatus, PolicyStatus};
use crate::backend_tls::{PolicyPlan, Used};
use crate::backends::{Application, port_of};
use crate::kinds::World;
use crate::object::Key;
use crate::problem::{Problem, Reason};
use crate::status::{Status, condition};
use crate::translation::Translation;

/// The most that a status holds (PolicyStatus.ancestors).
const MAX_ANCESTORS: usize = 16;

pub(super) fn policies(found: &Found<'_>, translation: &mut Translation) {
    for (key, plan) in &found.backend_tls.policies {
        let mut problems = plan.problems.clone();
        problems.extend(found.backend_tls.rival(key).map(|rival| conflict(plan, rival)));
        let gateways = found.used.iter().filter(|(_, used)| concerns(found.world, plan, used));
        let ancestors = gateways.map(|(gateway, _)| ancestor(found, plan, gateway, &problems));
        let ancestors = ancestors.take(MAX_ANCESTORS).collect();
        translation.problems.extend(problems.iter().cloned());
        let status = Arc::new(Status::Policy(PolicyStatus { ancestors }));
        translation.status.insert(plan.reference.clone(), status);
    }
}

fn conflict(plan: &PolicyPlan, rival: &PolicyPlan) -> Problem {
    let detail = format!("{} comes first and is about the same", rival.reference);
    Problem::new(&plan.reference, "spec.targetRefs", Reason::Conflicted, detail)
}

/// Whether a policy is about any of these ports.
fn concerns(world: &World, plan: &PolicyPlan, used: &Used<'_>) -> bool {
    plan.targets().iter().any(|(service, section)| {
        let Some(found) = world.services.get(service) else { return false };
        let ports = used.ports(service).into_iter();
        ports
            .filter_map(|port| port_of(found, port, Application::Tcp))
            .any(|port| section.is_none() || port.name == *section)
    })
}

fn ancestor(
    found: &Found<'_>,
    plan: &PolicyPlan,
    gateway: &Key,
    problems: &[Problem],
) -> PolicyAncestorStatus {
    let problems: Vec<&Problem> = problems.iter().collect();
    let generation = plan.policy.metadata.generation.unwrap_or_default();
    let accepted = condition("Accepted", "Accepted", generation, &problems);
    let resolved = condition("ResolvedRefs", "ResolvedRefs", generation, &problems);
    PolicyAncestorStatus {
        ancestor_ref: ParentReference {
            group: Some(GATEWAY_GROUP.to_owned()),
            kind: Some("Gateway".to_owned()),
            namespace: Some(gateway.0.to_string()),
            name: gateway.1.to_string(),
            section_name: None,
            port: None,
        },
        controller_name: found.controller_name.to_owned(),
        conditions: vec![accepted, resolved],
    }
}
