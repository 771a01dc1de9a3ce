//! The status of every object of ours, put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::gateway::{GatewayStatus, ListenerStatus};
use crate::api::gateway_class::GatewayClassStatus;
use crate::api::http_route::ParentReference;
use crate::api::meta::{Condition, GATEWAY_GROUP, KGATEWAY_GROUP};
use crate::api::traffic_policy::{PolicyAncestorStatus, PolicyStatus};
use crate::backends::BackendOutcome;
use crate::carried::Carried;
use crate::gateways::GatewayPlan;
use crate::object::{Key, ObjectRef};
use crate::outcome::RouteOutcome;
use crate::policies::{PolicyIndex, Target};
use crate::problem::{Problem, Reason};
use crate::status::{Status, condition};
use crate::translation::Translation;
use crate::world::World;

/// What a translation has found out.
pub(crate) struct Found<'a> {
    pub(crate) world: &'a World,
    pub(crate) controller_name: &'a str,
    pub(crate) gateways: &'a BTreeMap<Key, GatewayPlan>,
    pub(crate) routes: &'a Carried<Key, RouteOutcome>,
    pub(crate) backends: &'a Carried<Key, BackendOutcome>,
    pub(crate) policies: &'a PolicyIndex,
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
    gateway_classes(found, translation);
    gateways(found, translation);
    traffic_policies(found, translation);
    translation.problems.sort();
    translation.problems.dedup();
}

fn gateways(found: &Found<'_>, translation: &mut Translation) {
    for (key, plan) in found.gateways {
        let of_listeners = plan.listeners.iter().flat_map(|listener| &listener.problems);
        translation.problems.extend(of_listeners.chain(&plan.problems).cloned());
        let status = Arc::new(Status::Gateway(gateway(key, plan, found.routes)));
        translation.status.insert(plan.reference.clone(), status);
    }
    for (key, gateway) in &found.world.gateways {
        let class = &gateway.spec.gateway_class_name;
        if !found.world.gateway_classes.contains_key(&("".into(), class.as_str().into())) {
            let on = ObjectRef::at(GATEWAY_GROUP, "Gateway", key);
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

fn gateway_classes(found: &Found<'_>, translation: &mut Translation) {
    let classes = &found.world.gateway_classes;
    let ours = classes.iter().filter(|(_, class)| class.spec.controller_name == found.controller_name);
    for (key, class) in ours {
        let generation = class.metadata.generation.unwrap_or_default();
        let conditions = vec![condition("Accepted", "Accepted", generation, &[])];
        let reference = ObjectRef::at(GATEWAY_GROUP, "GatewayClass", key);
        let status = Arc::new(Status::GatewayClass(GatewayClassStatus { conditions }));
        translation.status.insert(reference, status);
    }
}

fn gateway(key: &Key, plan: &GatewayPlan, routes: &Carried<Key, RouteOutcome>) -> GatewayStatus {
    let generation = plan.gateway.metadata.generation.unwrap_or_default();
    let mut attached = vec![0_i32; plan.listeners.len()];
    for (_, outcome) in routes.iter() {
        let mut here: Vec<usize> = outcome.attached_to(key).collect();
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

fn traffic_policies(found: &Found<'_>, translation: &mut Translation) {
    let Found { world, controller_name, policies, .. } = found;
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
        let reference = ObjectRef::at(KGATEWAY_GROUP, "TrafficPolicy", key);
        translation.status.insert(reference, Arc::new(Status::Policy(PolicyStatus { ancestors })));
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
