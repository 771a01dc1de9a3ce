//! Status of Backends.

use std::sync::Arc;

use crate::api::backend::{Backend, BackendStatus};
use crate::aws::{self, Functions};
use crate::backends;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};
use crate::status::{Status, condition};

/// What there is to say of a Backend, used or not.
pub(crate) struct BackendOutcome {
    pub(crate) reference: ObjectRef,
    pub(crate) status: Arc<Status>,
    pub(crate) problem: Option<Problem>,
}

/// Looks at a Backend.
pub(crate) fn outcome(world: &World, functions: &Functions, key: &Key, backend: &Backend) -> BackendOutcome {
    let reference = backends::reference(key);
    let function = functions.get(key);
    let of_function = || function?.as_ref().err().map(|fault| (fault.field.clone(), fault.why.clone()));
    let problem = backends::fault(backend)
        .or_else(of_function)
        .map(|(field, why)| Problem::new(&reference, field, Reason::InvalidBackend, why));
    let generation = backend.metadata.generation.unwrap_or_default();
    let signer = function.and_then(|function| function.as_ref().ok()).map(|outbound| &outbound.identity);
    let health = signer.filter(|_| problem.is_none()).map(|signer| aws::health(world, signer, generation));
    let unsigned = health.as_ref().and_then(|health| aws::unready(&reference, "spec.aws.auth", health));
    let problem = problem.or(unsigned);
    let problems: Vec<&Problem> = problem.iter().collect();
    let accepted = condition("Accepted", "Accepted", generation, &problems);
    let conditions = std::iter::once(accepted).chain(health).collect();
    let status = Arc::new(Status::Backend(BackendStatus { conditions }));
    BackendOutcome { reference, status, problem }
}
