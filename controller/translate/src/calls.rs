//! Which functions a rule of an HTTPRoute calls, for people who ask.

use std::sync::Arc;

use crate::api::meta::GATEWAY_GROUP;
use crate::aws::{self, Functions, Outbound};
use crate::backends::{Destination, reference};
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::Problem;
use crate::resolved::Resolved;

/// A backend of a rule that is a function.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionCall {
    /// Which one it is among the rule's `backendRefs`, from 0.
    pub place: usize,
    /// The Backend.
    pub backend: ObjectRef,
    /// The LambdaPolicy that holds for it.
    pub policy: Option<ObjectRef>,
    /// What requests become.
    pub outbound: Arc<Outbound>,
}

/// See [`crate::Translator::calls`].
pub(crate) fn of_rule(
    world: &World,
    functions: &Functions,
    route: &Key,
    rule: usize,
) -> Vec<Result<FunctionCall, Problem>> {
    let on = ObjectRef::at(GATEWAY_GROUP, "HTTPRoute", route);
    let found = world.http_routes.get(route).and_then(|route| route.spec.rules.get(rule));
    let Some(found) = found else { return Vec::new() };
    let Resolved { backends, outbound, .. } = Resolved::of(world, functions, &on, found);
    let pairs = backends.into_iter().zip(outbound).enumerate();
    pairs
        .filter_map(|(place, (found, outbound))| match (found, outbound) {
            (Ok(Destination::Backend(key, _)), Some(outbound)) if outbound.is_call => {
                let policy = functions.policy(&key).map(aws::reference);
                Some(Ok(FunctionCall { place, backend: reference(&key), policy, outbound }))
            }
            (Ok(_), _) => None,
            (Err((reason, why)), _) => {
                let field = format!("spec.rules[{rule}].backendRefs[{place}]");
                Some(Err(Problem::new(&on, field, reason, why)))
            }
        })
        .collect()
}
