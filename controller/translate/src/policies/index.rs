//! Which TrafficPolicies apply to what.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Configs, Fault, compile};
use crate::api::meta::{GATEWAY_GROUP, KGATEWAY_GROUP};
use crate::api::traffic_policy::TrafficPolicy;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};
use crate::world::World;

/// What a policy is attached to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Target {
    pub(crate) kind: &'static str,
    pub(crate) object: Key,
    /// Listener or rule.
    pub(crate) section: Option<Arc<str>>,
}

/// One compiled TrafficPolicy.
#[derive(Debug)]
pub(crate) struct CompiledPolicy {
    source: Arc<TrafficPolicy>,
    pub(crate) reference: ObjectRef,
    configs: Configs,
    faults: Vec<Fault>,
}

/// What applies to a target or to a chain of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Applied {
    pub(crate) configs: Configs,
    /// A policy that should apply cannot: what it protects must not be served.
    pub(crate) broken: bool,
    /// Policies that went into this, for origins and for comparison with a later translation.
    pub(crate) from: Vec<Arc<CompiledPolicy>>,
}

impl PartialEq for Applied {
    fn eq(&self, other: &Self) -> bool {
        self.from.len() == other.from.len()
            && self.from.iter().zip(&other.from).all(|(ours, theirs)| Arc::ptr_eq(ours, theirs))
    }
}

impl Applied {
    /// Fills what this, the more specific, leaves open from `wider`.
    pub(crate) fn over(mut self, wider: &Self) -> Self {
        for (slot, wide) in self.configs.iter_mut().zip(&wider.configs) {
            *slot = slot.take().or_else(|| wide.clone());
        }
        self.broken |= wider.broken;
        self.from.extend(wider.from.iter().cloned());
        self
    }
}

/// The policies of a world, by target; compiled ones are kept from one translation to the next.
#[derive(Default)]
pub(crate) struct PolicyIndex {
    compiled: BTreeMap<Key, Arc<CompiledPolicy>>,
    by_target: HashMap<Target, Vec<Arc<CompiledPolicy>>>,
    /// Targets of each policy, in order.
    pub(crate) targets: BTreeMap<Key, Vec<Target>>,
}

impl PolicyIndex {
    /// Brings the index up to date.
    pub(crate) fn update(&mut self, world: &World) {
        self.compiled.retain(|key, _| world.traffic_policies.contains_key(key));
        for (key, policy) in &world.traffic_policies {
            let is_current = self.compiled.get(key).is_some_and(|known| Arc::ptr_eq(&known.source, policy));
            if !is_current {
                self.compiled.insert(key.clone(), Arc::new(compiled(policy)));
            }
        }
        self.index(world);
    }

    fn index(&mut self, world: &World) {
        self.by_target.clear();
        self.targets.clear();
        for (key, policy) in &self.compiled {
            let targets = targets(world, &policy.source);
            for target in &targets {
                self.by_target.entry(target.clone()).or_default().push(Arc::clone(policy));
            }
            self.targets.insert(key.clone(), targets);
        }
        for policies in self.by_target.values_mut() {
            policies.sort_by_key(|policy| policy.age());
        }
    }

    /// Whether any policy is attached to a kind at all; saves looking.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_target.is_empty()
    }

    /// What is attached to exactly this target. The oldest policy wins; others conflict.
    pub(crate) fn at(&self, target: &Target) -> Applied {
        let attached = self.by_target.get(target).map_or(&[][..], Vec::as_slice);
        attached.first().map(applied).unwrap_or_default()
    }

    /// A policy that a route names in a filter.
    pub(crate) fn named(&self, key: &Key) -> Option<Applied> {
        self.compiled.get(key).map(applied)
    }

    /// What is wrong with a policy at one of its targets.
    pub(crate) fn problems(&self, world: &World, key: &Key, target: &Target) -> Vec<Problem> {
        let Some(policy) = self.compiled.get(key) else { return Vec::new() };
        let on = &policy.reference;
        let invalid = policy.faults.iter().map(|(field, why)| Problem::new(on, field, Reason::Invalid, why));
        let mut problems: Vec<Problem> = invalid.collect();
        if !exists(world, target) {
            let detail = format!("{} {}/{} does not exist", target.kind, target.object.0, target.object.1);
            problems.push(Problem::new(on, "spec.targetRefs", Reason::TargetNotFound, detail));
        }
        let winner = self.by_target.get(target).and_then(|policies| policies.first());
        if let Some(winner) = winner.filter(|winner| !Arc::ptr_eq(winner, policy)) {
            let detail = format!("{} is older and has the same target", winner.reference);
            problems.push(Problem::new(on, "spec.targetRefs", Reason::Conflicted, detail));
        }
        problems
    }
}

impl CompiledPolicy {
    /// Older policies win; those that do not say when they were made come last.
    fn age(&self) -> (bool, Option<String>, ObjectRef) {
        let made = self.source.metadata.creation_timestamp.clone();
        (made.is_none(), made, self.reference.clone())
    }
}

fn applied(policy: &Arc<CompiledPolicy>) -> Applied {
    let broken = !policy.faults.is_empty();
    Applied { configs: policy.configs.clone(), broken, from: vec![Arc::clone(policy)] }
}

fn compiled(policy: &Arc<TrafficPolicy>) -> CompiledPolicy {
    let (configs, faults) = compile(&policy.spec);
    let metadata = &policy.metadata;
    let reference = ObjectRef::new(KGATEWAY_GROUP, "TrafficPolicy", &metadata.namespace, &metadata.name);
    CompiledPolicy { source: Arc::clone(policy), reference, configs, faults }
}

fn targets(world: &World, policy: &TrafficPolicy) -> Vec<Target> {
    let namespace: Arc<str> = policy.metadata.namespace.as_str().into();
    let by_name = policy.spec.target_refs.iter().filter_map(|target| {
        let kind = kind_of(&target.group, &target.kind)?;
        let section = target.section_name.as_deref().map(Into::into);
        Some(Target { kind, object: (Arc::clone(&namespace), target.name.as_str().into()), section })
    });
    let by_label = policy.spec.target_selectors.iter().flat_map(|selector| {
        let section: Option<Arc<str>> = selector.section_name.as_deref().map(Into::into);
        let kind = kind_of(&selector.group, &selector.kind);
        let objects =
            kind.map(|kind| selected(world, &namespace, kind, &selector.match_labels)).unwrap_or_default();
        objects
            .into_iter()
            .filter_map(move |object| Some(Target { kind: kind?, object, section: section.clone() }))
    });
    let mut targets: Vec<Target> = by_name.chain(by_label).collect();
    targets.sort();
    targets.dedup();
    targets
}

fn kind_of(group: &str, kind: &str) -> Option<&'static str> {
    match (group, kind) {
        (GATEWAY_GROUP, "Gateway") => Some("Gateway"),
        (GATEWAY_GROUP, "HTTPRoute") => Some("HTTPRoute"),
        _ => None,
    }
}

fn selected(world: &World, namespace: &str, kind: &str, labels: &BTreeMap<String, String>) -> Vec<Key> {
    let fits =
        |found: &BTreeMap<String, String>| labels.iter().all(|(key, value)| found.get(key) == Some(value));
    let gateways = world.gateways.iter().map(|(key, gateway)| ("Gateway", key, &gateway.metadata.labels));
    let routes = world.http_routes.iter().map(|(key, route)| ("HTTPRoute", key, &route.metadata.labels));
    let all = gateways.chain(routes);
    let fitting = all.filter(|(k, key, found)| *k == kind && &*key.0 == namespace && fits(found));
    fitting.map(|(_, key, _)| key.clone()).collect()
}

fn exists(world: &World, target: &Target) -> bool {
    let section = target.section.as_deref();
    match target.kind {
        "Gateway" => world.gateways.get(&target.object).is_some_and(|gateway| {
            section.is_none_or(|name| gateway.spec.listeners.iter().any(|listener| listener.name == name))
        }),
        _ => world.http_routes.get(&target.object).is_some_and(|route| {
            section.is_none_or(|name| route.spec.rules.iter().any(|rule| rule.name.as_deref() == Some(name)))
        }),
    }
}
