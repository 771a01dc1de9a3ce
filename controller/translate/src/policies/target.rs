//! What policies are attached to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::api::gateway::Listener;
use crate::api::meta::{GATEWAY_GROUP, ObjectMeta};
use crate::api::traffic_policy::TrafficPolicy;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};

/// What a policy is attached to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Target {
    pub(crate) kind: Arc<str>,
    pub(crate) object: Key,
    /// Listener or rule.
    pub(crate) section: Option<Arc<str>>,
}

impl Target {
    /// An object of a kind that policies can be attached to, or a section of it.
    pub(crate) fn of(object: &ObjectRef, section: Option<Arc<str>>) -> Self {
        Self {
            kind: Arc::clone(&object.kind),
            object: (object.namespace.clone(), object.name.clone()),
            section,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, object: (namespace, name), section } = self;
        write!(f, "{kind} {namespace}/{name}")?;
        section.iter().try_for_each(|section| write!(f, " section {section}"))
    }
}

pub(super) fn targets(world: &World, policy: &TrafficPolicy) -> Vec<Target> {
    let namespace: Arc<str> = policy.metadata.namespace.as_str().into();
    let by_name = policy.spec.target_refs.iter().filter_map(|target| {
        let kind = kind_of(&target.group, &target.kind)?;
        let section = target.section_name.as_deref().map(Into::into);
        Some(Target {
            kind: kind.into(),
            object: (Arc::clone(&namespace), target.name.as_str().into()),
            section,
        })
    });
    let by_label = policy.spec.target_selectors.iter().flat_map(|selector| {
        let section: Option<Arc<str>> = selector.section_name.as_deref().map(Into::into);
        let kind = kind_of(&selector.group, &selector.kind);
        let objects =
            kind.map(|kind| selected(world, &namespace, kind, &selector.match_labels)).unwrap_or_default();
        objects
            .into_iter()
            .filter_map(move |object| Some(Target { kind: kind?.into(), object, section: section.clone() }))
    });
    let mut targets: Vec<Target> = by_name.chain(by_label).collect();
    targets.sort();
    targets.dedup();
    targets
}

/// Kinds that policies can be attached to.
pub(super) const KINDS: [&str; 4] = ["Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute"];

pub(super) fn kind_of(group: &str, kind: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|known| group == GATEWAY_GROUP && *known == kind)
}

fn selected(world: &World, namespace: &str, kind: &str, labels: &BTreeMap<String, String>) -> Vec<Key> {
    let fits = |found: &ObjectMeta| labels.iter().all(|(key, value)| found.labels.get(key) == Some(value));
    let here = metadata(world, kind).filter(|(key, found)| &*key.0 == namespace && fits(found));
    here.map(|(key, _)| key.clone()).collect()
}

/// The objects of a kind that policies can be attached to.
fn metadata<'a>(world: &'a World, kind: &str) -> Box<dyn Iterator<Item = (&'a Key, &'a ObjectMeta)> + 'a> {
    match kind {
        "Gateway" => Box::new(world.gateways.iter().map(|(key, object)| (key, &object.metadata))),
        "ListenerSet" => Box::new(world.listener_sets.iter().map(|(key, object)| (key, &object.metadata))),
        "GRPCRoute" => Box::new(world.grpc_routes.iter().map(|(key, object)| (key, &object.metadata))),
        _ => Box::new(world.http_routes.iter().map(|(key, object)| (key, &object.metadata))),
    }
}

/// The sections of a target's object; `None` where there is no such object.
fn sections<'a>(world: &'a World, target: &Target) -> Option<Vec<&'a str>> {
    let object = &target.object;
    let of_listeners = |listeners: &'a [Listener]| listeners.iter().map(|listener| &*listener.name).collect();
    Some(match &*target.kind {
        "Gateway" => of_listeners(&world.gateways.get(object)?.spec.listeners),
        "ListenerSet" => of_listeners(&world.listener_sets.get(object)?.spec.listeners),
        "GRPCRoute" => {
            let rules = &world.grpc_routes.get(object)?.spec.rules;
            rules.iter().filter_map(|rule| rule.name.as_deref()).collect()
        }
        _ => {
            let rules = &world.http_routes.get(object)?.spec.rules;
            rules.iter().filter_map(|rule| rule.name.as_deref()).collect()
        }
    })
}

pub(super) fn exists(world: &World, target: &Target) -> bool {
    let section = target.section.as_deref();
    sections(world, target).is_some_and(|sections| section.is_none_or(|name| sections.contains(&name)))
}
