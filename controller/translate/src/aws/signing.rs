//! Which AWSSigningPolicy holds for which requests.
//!
//! Where several do, it is the one nearest to where requests go: that of a Service's port, of the Service or Backend, of the rule, of
//! the route. Among those of one target it is the oldest.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Fault, Outbound, identity, signature};
use crate::api::aws_signing_policy::AWSSigningPolicy;
use crate::api::meta::{Condition, FERRULE_GROUP, GATEWAY_GROUP, KGATEWAY_GROUP};
use crate::api::traffic_policy::TargetReference;
use crate::backends::{Destination, port_of};
use crate::credentials::Identity;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::policies::Target;
use crate::problem::{Problem, Reason};
use crate::settings::Settings;

/// Groups and kinds that policies can be attached to.
const KINDS: [(&str, &str); 3] = [(GATEWAY_GROUP, "HTTPRoute"), ("", "Service"), (KGATEWAY_GROUP, "Backend")];

/// What a policy means at one of its targets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Signing {
    policy: Key,
    pub(crate) made: Result<Arc<Outbound>, Fault>,
}

impl Signing {
    /// Which policy this is.
    pub(crate) fn policy(&self) -> ObjectRef {
        reference(&self.policy)
    }
}

/// What there is to say of a policy at one of its targets.
pub(crate) struct SigningReport {
    /// API group of the target.
    pub(crate) group: &'static str,
    pub(crate) target: Target,
    pub(crate) problem: Option<Problem>,
    /// `CredentialsReady`, where anybody signs.
    pub(crate) health: Option<Condition>,
}

/// The policies by target, the one that holds first.
#[derive(Default)]
pub(crate) struct Signings {
    by_target: BTreeMap<Target, Vec<Signing>>,
}

fn reference(key: &Key) -> ObjectRef {
    ObjectRef::at(FERRULE_GROUP, "AWSSigningPolicy", key)
}

fn kind_of(target: &TargetReference) -> Option<(&'static str, &'static str)> {
    let known = KINDS.into_iter().find(|known| *known == (target.group.as_str(), target.kind.as_str()));
    known.filter(|(_, kind)| *kind != "Backend" || target.section_name.is_none())
}

fn targets(key: &Key, policy: &AWSSigningPolicy) -> Vec<(&'static str, Target)> {
    let known = policy.spec.target_refs.iter().filter_map(|to| {
        let (group, kind) = kind_of(to)?;
        let object = (Arc::clone(&key.0), to.name.as_str().into());
        let section = to.section_name.as_deref().map(Into::into);
        Some((group, Target { kind: kind.into(), object, section }))
    });
    let mut found: Vec<(&'static str, Target)> = known.collect();
    found.sort();
    found.dedup();
    found
}

impl Signings {
    /// Brings all in step with a world; says whether anything that it answers has changed.
    pub(crate) fn update(&mut self, world: &World, settings: &Settings) -> bool {
        let mut all: Vec<(&Key, &Arc<AWSSigningPolicy>)> = world.aws_signing_policies.iter().collect();
        all.sort_by_key(|(key, policy)| {
            let made = &policy.metadata.creation_timestamp;
            (made.is_none(), made, *key)
        });
        let mut by_target: BTreeMap<Target, Vec<Signing>> = BTreeMap::new();
        for (key, policy) in all {
            for (_, target) in targets(key, policy) {
                let backend =
                    if &*target.kind == "Backend" { world.backends.get(&target.object) } else { None };
                let backend = backend.map(|backend| &**backend);
                let made = signature::compile(world, settings, &key.0, &policy.spec, backend);
                by_target.entry(target).or_default().push(Signing { policy: key.clone(), made });
            }
        }
        let changed = self.by_target != by_target;
        self.by_target = by_target;
        changed
    }

    fn at(&self, target: &Target) -> Option<&Signing> {
        self.by_target.get(target)?.first()
    }

    /// What requests to a Backend become by a policy of its own.
    pub(super) fn of_backend(&self, backend: &Key) -> Option<&Result<Arc<Outbound>, Fault>> {
        if self.by_target.is_empty() {
            return None;
        }
        let target = Target { kind: "Backend".into(), object: backend.clone(), section: None };
        self.at(&target).map(|signing| &signing.made)
    }

    /// What holds for requests of a rule of that name of the route `from` to a destination.
    pub(crate) fn of(
        &self,
        world: &World,
        from: &ObjectRef,
        rule: Option<&str>,
        to: &Destination,
    ) -> Option<&Signing> {
        if self.by_target.is_empty() {
            return None;
        }
        let port = match to {
            Destination::Service(key, port, application) => {
                world.services.get(key).and_then(|service| port_of(service, *port, *application))
            }
            Destination::Backend(..) => None,
        };
        let port = port.and_then(|port| port.name.as_deref());
        [(&to.reference(), port), (from, rule)].into_iter().find_map(|(object, section)| {
            let of_section = section.and_then(|name| self.at(&Target::of(object, Some(name.into()))));
            of_section.or_else(|| self.at(&Target::of(object, None)))
        })
    }

    /// Who signs, and has credentials that are fetched elsewhere.
    pub(crate) fn fetched(&self) -> impl Iterator<Item = &Identity> {
        let holding = self.by_target.values().filter_map(|signings| signings.first());
        let identities = holding.filter_map(|signing| Some(&signing.made.as_ref().ok()?.identity));
        identities.filter(|identity| !matches!(identity, Identity::Secret(_)))
    }

    /// What there is to say of a policy, target by target.
    pub(crate) fn reports(&self, world: &World, key: &Key, policy: &AWSSigningPolicy) -> Vec<SigningReport> {
        let generation = policy.metadata.generation.unwrap_or_default();
        let report = |(group, target): (&'static str, Target)| {
            let signings = self.by_target.get(&target).map_or(&[][..], Vec::as_slice);
            let fault = fault(world, key, &target, signings);
            let own = signings.iter().find(|signing| signing.policy == *key);
            let signer = own.and_then(|signing| Some(&signing.made.as_ref().ok()?.identity));
            let health = signer.filter(|_| fault.is_none());
            let health = health.map(|signer| identity::health(world, signer, generation));
            let unready = || identity::unready(&reference(key), "spec.auth", health.as_ref()?);
            let problem = fault.or_else(unready);
            SigningReport { group, target, problem, health }
        };
        targets(key, policy).into_iter().map(report).collect()
    }
}

/// What is wrong with a policy at a target that has these.
fn fault(world: &World, key: &Key, target: &Target, signings: &[Signing]) -> Option<Problem> {
    let on = reference(key);
    let of_target = |reason, why: String| Some(Problem::new(&on, "spec.targetRefs", reason, why));
    if !exists(world, target) {
        return of_target(Reason::TargetNotFound, format!("{target} does not exist"));
    }
    let own = signings.iter().find(|signing| signing.policy == *key)?;
    if let Err(fault) = &own.made {
        return Some(Problem::new(&on, &fault.field, Reason::Invalid, &fault.why));
    }
    let winner = signings.first().filter(|winner| winner.policy != *key)?;
    of_target(Reason::Conflicted, format!("{} is older and about the same {target}", winner.policy()))
}

fn exists(world: &World, target: &Target) -> bool {
    let object = &target.object;
    let sections: Option<Vec<&str>> = match &*target.kind {
        "Backend" => world.backends.get(object).map(|_| Vec::new()),
        "Service" => world
            .services
            .get(object)
            .map(|service| service.spec.ports.iter().filter_map(|port| port.name.as_deref()).collect()),
        _ => world
            .http_routes
            .get(object)
            .map(|route| route.spec.rules.iter().filter_map(|rule| rule.name.as_deref()).collect()),
    };
    let section = target.section.as_deref();
    sections.is_some_and(|sections| section.is_none_or(|name| sections.contains(&name)))
}

/// What is wrong with a policy whatever its targets are.
pub(crate) fn faults(key: &Key, policy: &AWSSigningPolicy) -> Vec<Problem> {
    let foreign = policy.spec.target_refs.iter().enumerate().filter(|(_, to)| kind_of(to).is_none());
    let problem = |(place, _)| {
        let why = "can be an HTTPRoute or a rule of one, a Service or a port of one, or a Backend".to_owned();
        Problem::new(&reference(key), format!("spec.targetRefs[{place}]"), Reason::Invalid, why)
    };
    foreign.map(problem).collect()
}
