//! Which LambdaPolicy holds for which Backend.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::lambda_policy::LambdaPolicy;
use crate::api::meta::{FERRULE_GROUP, KGATEWAY_GROUP};
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};

/// The policies by Backend, the one that holds first: older ones win, those that do not say when they were made come last.
#[derive(Default)]
pub(crate) struct Policies {
    by_backend: BTreeMap<Key, Vec<Key>>,
}

/// Which object a policy is.
pub(crate) fn reference(key: &Key) -> ObjectRef {
    ObjectRef::at(FERRULE_GROUP, "LambdaPolicy", key)
}

fn backends(key: &Key, policy: &LambdaPolicy) -> Vec<Key> {
    let ours = policy.spec.target_refs.iter().filter(|to| to.group == KGATEWAY_GROUP && to.kind == "Backend");
    let mut found: Vec<Key> = ours.map(|to| (Arc::clone(&key.0), to.name.as_str().into())).collect();
    found.sort();
    found.dedup();
    found
}

impl Policies {
    /// The policies of a world.
    pub(super) fn of(world: &World) -> Self {
        let mut all: Vec<(&Key, &Arc<LambdaPolicy>)> = world.lambda_policies.iter().collect();
        all.sort_by_key(|(key, policy)| {
            let made = &policy.metadata.creation_timestamp;
            (made.is_none(), made, *key)
        });
        let mut by_backend: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
        for (key, policy) in all {
            for backend in backends(key, policy) {
                by_backend.entry(backend).or_default().push(key.clone());
            }
        }
        Self { by_backend }
    }

    /// The policy that holds for a Backend.
    pub(super) fn of_backend(&self, backend: &Key) -> Option<&Key> {
        self.by_backend.get(backend)?.first()
    }

    /// What there is to say of a policy, target by target, besides what is wrong with the function that it makes.
    pub(crate) fn reports(
        &self,
        world: &World,
        key: &Key,
        policy: &LambdaPolicy,
    ) -> Vec<(Key, Option<Problem>)> {
        let on = reference(key);
        let report = |backend: Key| {
            let to = crate::backends::reference(&backend);
            let target = |reason, why: String| Some(Problem::new(&on, "spec.targetRefs", reason, why));
            let lambda = world
                .backends
                .get(&backend)
                .map(|found| found.spec.aws.as_ref().and_then(|aws| aws.lambda.as_ref()));
            let problem = match (lambda, self.of_backend(&backend)) {
                (None, _) => target(Reason::TargetNotFound, format!("{to} does not exist")),
                (Some(None), _) => target(Reason::Invalid, format!("{to} is no Lambda function")),
                (_, Some(winner)) if winner != key => target(
                    Reason::Conflicted,
                    format!("{} is older and about the same {to}", reference(winner)),
                ),
                _ => None,
            };
            (backend, problem)
        };
        backends(key, policy).into_iter().map(report).collect()
    }
}

/// What is wrong with a policy whatever its targets are.
pub(crate) fn faults(key: &Key, policy: &LambdaPolicy) -> Vec<Problem> {
    let foreign = policy.spec.target_refs.iter().enumerate().filter(|(_, to)| {
        (to.group.as_str(), to.kind.as_str()) != (KGATEWAY_GROUP, "Backend") || to.section_name.is_some()
    });
    let problem = |(place, _)| {
        let why = "only a whole Backend can be a target".to_owned();
        Problem::new(&reference(key), format!("spec.targetRefs[{place}]"), Reason::Invalid, why)
    };
    foreign.map(problem).collect()
}
