//! The status of every object of ours.

use std::collections::BTreeMap;

use crate::api::backend::BackendStatus;
use crate::api::gateway::{GatewayStatus, ListenerStatus};
use crate::api::gateway_class::GatewayClassStatus;
use crate::api::http_route::{ParentReference, RouteParentStatus, RouteStatus};
use crate::api::meta::{Condition, GATEWAY_GROUP, KGATEWAY_GROUP};
use crate::api::traffic_policy::{PolicyAncestorStatus, PolicyStatus};
use crate::attach::is_gateway;
use crate::backends::fault;
use crate::gateways::GatewayPlan;
use crate::object::{Key, ObjectRef};
use crate::policies::{PolicyIndex, Target};
use crate::problem::{Problem, Reason};
use crate::status::{Status, condition};
use crate::translation::Translation;
use crate::translator::RouteOutcome;
use crate::world::World;

/// Fills in [`Translation::status`] and [`Translation::problems`].
pub(crate) fn statuses(
    world: &World,
    controller_name: &str,
    gateways: &BTreeMap<Key, GatewayPlan>,
    outcomes: &[RouteOutcome<'_>],
    policies: &PolicyIndex,
    translation: &mut Translation,
) {
    gateway_classes(world, controller_name, translation);
    for (key, plan) in gateways {
        let status = gateway(key, plan, outcomes);
        let of_listeners = plan.listeners.iter().flat_map(|listener| &listener.problems);
        translation.problems.extend(of_listeners.chain(&plan.problems).cloned());
        translation.status.insert(plan.reference.clone(), Status::Gateway(status));
    }
    for outcome in outcomes.iter().filter(|outcome| !outcome.attachments.is_empty()) {
        route(controller_name, outcome, translation);
    }
    dangling(world, translation);
    backends(world, translation);
    traffic_policies(world, controller_name, policies, translation);
    translation.problems.sort();
    translation.problems.dedup();
}

fn gateway_classes(world: &World, controller_name: &str, translation: &mut Translation) {
    let ours =
        world.gateway_classes.iter().filter(|(_, class)| class.spec.controller_name == controller_name);
    for (key, class) in ours {
        let generation = class.metadata.generation.unwrap_or_default();
        let conditions = vec![condition("Accepted", "Accepted", generation, &[])];
        let reference = ObjectRef::new(GATEWAY_GROUP, "GatewayClass", "", &key.1);
        translation.status.insert(reference, Status::GatewayClass(GatewayClassStatus { conditions }));
    }
}

fn gateway(key: &Key, plan: &GatewayPlan, outcomes: &[RouteOutcome<'_>]) -> GatewayStatus {
    let generation = plan.gateway.metadata.generation.unwrap_or_default();
    let mut attached = vec![0_i32; plan.listeners.len()];
    for outcome in outcomes {
        let mut here: Vec<usize> = outcome
            .attachments
            .iter()
            .filter(|a| a.gateway == *key)
            .flat_map(|a| a.listeners.clone())
            .collect();
        here.sort_unstable();
        here.dedup();
        here.into_iter().for_each(|place| attached[place] += 1);
    }
    let listeners = plan.listeners.iter().zip(attached).map(|(listener, attached_routes)| {
        let problems: Vec<&Problem> = listener.problems.iter().collect();
        ListenerStatus {
            name: listener.name.to_string(),
            supported_kinds: listener.kinds.clone(),
            attached_routes,
            conditions: listener_conditions(&problems, listener.takes_routes(), generation),
        }
    });
    GatewayStatus { listeners: listeners.collect(), conditions: gateway_conditions(plan, generation) }
}

fn listener_conditions(problems: &[&Problem], open: bool, generation: i64) -> Vec<Condition> {
    let mut programmed = condition("Programmed", "Programmed", generation, problems);
    let mut conflicted = condition("Conflicted", "NoConflicts", generation, problems);
    // `Conflicted` is the one condition that is good when false.
    let clashes = conflicted.status == "False";
    conflicted.status = if clashes { "True" } else { "False" }.to_owned();
    let mut accepted = condition("Accepted", "Accepted", generation, problems);
    if clashes && accepted.status == "True" {
        let (reason, message) = (conflicted.reason.clone(), conflicted.message.clone());
        accepted = Condition { status: "False".to_owned(), reason, message, ..accepted };
    }
    if !open {
        programmed.status = "False".to_owned();
        programmed.reason = "Invalid".to_owned();
    }
    vec![accepted, programmed, condition("ResolvedRefs", "ResolvedRefs", generation, problems), conflicted]
}

/// A Gateway with one good listener is accepted; one without any is not (GatewayConditionReason ListenersNotValid).
fn gateway_conditions(plan: &GatewayPlan, generation: i64) -> Vec<Condition> {
    let bad: Vec<&str> = plan.listeners.iter().filter(|l| !l.takes_routes()).map(|l| &*l.name).collect();
    let problems: Vec<&Problem> = plan.problems.iter().collect();
    let mut accepted = condition("Accepted", "Accepted", generation, &problems);
    let mut programmed = condition("Programmed", "Programmed", generation, &[]);
    if !bad.is_empty() && problems.is_empty() {
        accepted.reason = Reason::InvalidListener.word();
        accepted.message = format!("listeners that do not serve: {}", bad.join(", "));
    }
    if bad.len() == plan.listeners.len() {
        accepted.status = "False".to_owned();
        programmed.status = "False".to_owned();
        programmed.reason = "Invalid".to_owned();
        programmed.message = "no listener serves".to_owned();
    }
    vec![accepted, programmed]
}

fn route(controller_name: &str, outcome: &RouteOutcome<'_>, translation: &mut Translation) {
    let generation = outcome.route.metadata.generation.unwrap_or_default();
    let of_rules = outcome.problems();
    let parents = outcome.attachments.iter().map(|attachment| {
        let problems: Vec<&Problem> = attachment.problem.iter().chain(of_rules.iter().copied()).collect();
        let accepted = condition("Accepted", "Accepted", generation, &problems);
        let resolved = condition("ResolvedRefs", "ResolvedRefs", generation, &problems);
        RouteParentStatus {
            parent_ref: attachment.parent.clone(),
            controller_name: controller_name.to_owned(),
            conditions: vec![accepted, resolved],
        }
    });
    let status = RouteStatus { parents: parents.collect() };
    translation
        .problems
        .extend(outcome.attachments.iter().filter_map(|attachment| attachment.problem.clone()));
    translation.problems.extend(of_rules.into_iter().cloned());
    translation.status.insert(outcome.reference.clone(), Status::Route(status));
}

/// Names of Gateways and classes that do not exist, which are mistyped as a rule.
fn dangling(world: &World, translation: &mut Translation) {
    for (key, route) in &world.http_routes {
        for (place, parent) in
            route.spec.parent_refs.iter().enumerate().filter(|(_, parent)| is_gateway(parent))
        {
            let namespace = parent.namespace.as_deref().unwrap_or(&key.0);
            if !world.gateways.contains_key(&(namespace.into(), parent.name.as_str().into())) {
                let detail = format!("Gateway {namespace}/{} does not exist", parent.name);
                let field = format!("spec.parentRefs[{place}]");
                let on = crate::route::reference(key);
                translation.problems.push(Problem::new(&on, field, Reason::ParentNotFound, detail));
            }
        }
    }
    for (key, gateway) in &world.gateways {
        let class = &gateway.spec.gateway_class_name;
        if !world.gateway_classes.contains_key(&("".into(), class.as_str().into())) {
            let on = ObjectRef::new(GATEWAY_GROUP, "Gateway", &key.0, &key.1);
            let detail = format!("GatewayClass {class} does not exist");
            translation.problems.push(Problem::new(
                &on,
                "spec.gatewayClassName",
                Reason::ParentNotFound,
                detail,
            ));
        }
    }
}

fn backends(world: &World, translation: &mut Translation) {
    for (key, backend) in &world.backends {
        let reference = ObjectRef::new(KGATEWAY_GROUP, "Backend", &key.0, &key.1);
        let problem =
            fault(backend).map(|(field, why)| Problem::new(&reference, field, Reason::InvalidBackend, why));
        let generation = backend.metadata.generation.unwrap_or_default();
        let problems: Vec<&Problem> = problem.iter().collect();
        let conditions = vec![condition("Accepted", "Accepted", generation, &problems)];
        translation.problems.extend(problem);
        translation.status.insert(reference, Status::Backend(BackendStatus { conditions }));
    }
}

fn traffic_policies(
    world: &World,
    controller_name: &str,
    policies: &PolicyIndex,
    translation: &mut Translation,
) {
    for (key, targets) in &policies.targets {
        let generation = world.traffic_policies.get(key).and_then(|policy| policy.metadata.generation);
        let faults = policies.faults(key);
        let mut ancestors = Vec::new();
        for target in targets {
            let problem = policies.problem(world, key, target);
            let problems: Vec<&Problem> = faults.iter().chain(&problem).collect();
            ancestors.push(ancestor(controller_name, target, generation.unwrap_or_default(), &problems));
            translation.problems.extend(problem);
        }
        translation.problems.extend(faults);
        let reference = ObjectRef::new(KGATEWAY_GROUP, "TrafficPolicy", &key.0, &key.1);
        translation.status.insert(reference, Status::Policy(PolicyStatus { ancestors }));
    }
}

fn ancestor(
    controller_name: &str,
    target: &Target,
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
            group: Some(GATEWAY_GROUP.to_owned()),
            kind: Some(target.kind.to_owned()),
            namespace: Some(target.object.0.to_string()),
            name: target.object.1.to_string(),
            section_name: target.section.as_ref().map(ToString::to_string),
            port: None,
        },
        controller_name: controller_name.to_owned(),
        conditions: vec![accepted, attached],
    }
}
