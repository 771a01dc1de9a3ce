//! Status of GatewayClasses, Gateways and ListenerSets.

use std::sync::Arc;

use super::Found;
use super::listener;
use crate::api::gateway::GatewayStatus;
use crate::api::gateway_class::{GatewayClassStatus, SupportedFeature};
use crate::api::listener_set::ListenerSetStatus;
use crate::api::meta::{Condition, GATEWAY_GROUP};
use crate::features;
use crate::gateways::{GatewayPlan, ListenerPlan, SetPlan};
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};
use crate::status::{INSECURE_VALIDATION, Status, condition};
use crate::translation::Translation;

/// Classes of ours.
pub(super) fn classes(found: &Found<'_>, translation: &mut Translation) {
    let classes = &found.world.gateway_classes;
    let ours = classes.iter().filter(|(_, class)| class.spec.controller_name == found.controller_name);
    for (key, class) in ours {
        let generation = class.metadata.generation.unwrap_or_default();
        let conditions = vec![condition("Accepted", "Accepted", generation, &[])];
        let supported_features =
            features::SUPPORTED.iter().map(|name| SupportedFeature { name: (*name).into() }).collect();
        let reference = ObjectRef::at(GATEWAY_GROUP, "GatewayClass", key);
        let status = Arc::new(Status::GatewayClass(GatewayClassStatus { conditions, supported_features }));
        translation.status.insert(reference, status);
    }
}

/// Gateways of ours, and a word on those whose class does not exist.
pub(super) fn gateways(found: &Found<'_>, translation: &mut Translation) {
    for (key, plan) in &found.gateways.plans {
        let of_listeners = plan.listeners.iter().flat_map(|listener| &listener.problems);
        translation.problems.extend(of_listeners.chain(&plan.problems).cloned());
        translation.problems.extend(found.backend_tls.client_problem(key).cloned());
        let sets = found.gateways.sets.values();
        let sets = sets.filter(|set| set.gateway == *key && is_accepted(set, plan)).count();
        let status = GatewayStatus {
            conditions: gateway_conditions(plan, found.backend_tls.client_problem(key)),
            attached_listener_sets: i32::try_from(sets).unwrap_or(i32::MAX),
            listeners: listener::statuses(plan, &plan.reference, generation(plan), found.sums),
            // Where its proxies are is not known here.
            addresses: Vec::new(),
        };
        translation.status.insert(plan.reference.clone(), Arc::new(Status::Gateway(status)));
    }
    for (key, gateway) in &found.world.gateways {
        let class: Key = ("".into(), gateway.spec.gateway_class_name.as_str().into());
        if !found.world.gateway_classes.contains_key(&class) {
            let on = ObjectRef::at(GATEWAY_GROUP, "Gateway", key);
            let detail = format!("GatewayClass {} does not exist", class.1);
            let problem = Problem::new(&on, "spec.gatewayClassName", Reason::ParentNotFound, detail);
            translation.problems.push(problem);
        }
    }
}

/// ListenerSets of our Gateways.
pub(super) fn listener_sets(found: &Found<'_>, translation: &mut Translation) {
    for set in found.gateways.sets.values() {
        let Some(plan) = found.gateways.plans.get(&set.gateway) else { continue };
        translation.problems.extend(set.problems.iter().cloned());
        let generation = set.set.metadata.generation.unwrap_or_default();
        let status = ListenerSetStatus {
            conditions: set_conditions(set, plan, generation),
            listeners: listener::statuses(plan, &set.reference, generation, found.sums),
        };
        translation.status.insert(set.reference.clone(), Arc::new(Status::ListenerSet(status)));
    }
}

fn generation(plan: &GatewayPlan) -> i64 {
    plan.gateway.metadata.generation.unwrap_or_default()
}

/// A Gateway with one good listener is accepted; one without any is not (GatewayConditionReason ListenersNotValid).
fn gateway_conditions(plan: &GatewayPlan, client: Option<&Problem>) -> Vec<Condition> {
    let own = plan.listeners_of(&plan.reference).map(|(_, listener)| listener);
    let bad: Vec<&str> = own.filter(|listener| !listener.serves()).map(|l| &*l.name).collect();
    let problems: Vec<&Problem> = plan.problems.iter().collect();
    let mut accepted = condition("Accepted", "Accepted", generation(plan), &problems);
    let mut programmed = condition("Programmed", "Programmed", generation(plan), &[]);
    if !bad.is_empty() && problems.is_empty() {
        accepted.reason = Reason::InvalidListener.word();
        accepted.message = format!("listeners that do not serve: {}", bad.join(", "));
    }
    if !plan.listeners.iter().any(ListenerPlan::serves) {
        accepted.status = "False".to_owned();
        programmed.status = "False".to_owned();
        programmed.reason = "Invalid".to_owned();
        programmed.message = "no listener serves".to_owned();
    }
    let insecure = plan.insecure.then(|| insecure(generation(plan)));
    [accepted, programmed, resolved(plan, client)].into_iter().chain(insecure).collect()
}

/// References of the Gateway itself, and a summary of those of its listeners (GatewayConditionResolvedRefs).
fn resolved(plan: &GatewayPlan, client: Option<&Problem>) -> Condition {
    let own: Vec<&Problem> = plan.problems.iter().chain(client).collect();
    let mut resolved = condition("ResolvedRefs", "ResolvedRefs", generation(plan), &own);
    let is_unresolved = |problem: &Problem| problem.reason.condition() == Some("ResolvedRefs");
    let listeners = plan.listeners_of(&plan.reference).map(|(_, listener)| listener);
    let bad: Vec<&str> =
        listeners.filter(|l| l.problems.iter().any(is_unresolved)).map(|listener| &*listener.name).collect();
    if resolved.status == "True" && !bad.is_empty() {
        resolved.status = "False".to_owned();
        resolved.reason = "ListenersNotResolved".to_owned();
        resolved.message = format!("listeners with references that lead nowhere: {}", bad.join(", "));
    }
    resolved
}

/// There only while it is true (GatewayConditionInsecureFrontendValidationMode).
fn insecure(generation: i64) -> Condition {
    let message = "clients without a valid certificate are let in: mode AllowInsecureFallback".to_owned();
    Condition { message, ..condition(INSECURE_VALIDATION, "ConfigurationChanged", generation, &[]) }
}

fn is_accepted(set: &SetPlan, plan: &GatewayPlan) -> bool {
    set.problems.is_empty() && plan.listeners_of(&set.reference).any(|(_, listener)| listener.serves())
}

/// A set with one good listener is accepted; `Programmed` says why not in the same words (ListenerSetConditionReason).
fn set_conditions(set: &SetPlan, plan: &GatewayPlan, generation: i64) -> Vec<Condition> {
    let problems: Vec<&Problem> = set.problems.iter().collect();
    let mut accepted = condition("Accepted", "Accepted", generation, &problems);
    let listeners = plan.listeners_of(&set.reference).map(|(_, listener)| listener);
    let bad: Vec<&str> = listeners.filter(|listener| !listener.serves()).map(|l| &*l.name).collect();
    if problems.is_empty() && !bad.is_empty() {
        accepted.reason = Reason::InvalidListener.word();
        accepted.message = format!("listeners that do not serve: {}", bad.join(", "));
    }
    if !is_accepted(set, plan) {
        accepted.status = "False".to_owned();
        let programmed = Condition { kind: "Programmed".to_owned(), ..accepted.clone() };
        return vec![accepted, programmed];
    }
    vec![accepted, condition("Programmed", "Programmed", generation, &[])]
}
