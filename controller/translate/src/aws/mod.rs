//! What requests become on their way to AWS: calls of functions, or signed as they are.
//!
//! Routes are lowered with what is found here; a rotation of credentials changes none of it.

mod function;
mod identity;
mod policy;
mod signature;
mod signing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::changes::Changes;
use crate::credentials::Identity;
use crate::kinds::World;
use crate::object::Key;
use crate::problem::Problem;
use crate::settings::Settings;

pub use function::AwsEndpoint;
pub(crate) use identity::{health, unready};
pub(crate) use policy::{Policies, faults, reference};
pub(crate) use signing::{Signing, Signings, faults as signing_faults};

/// What is wrong with a Backend or an AWSSigningPolicy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// Field of it.
    pub(crate) field: String,
    pub(crate) why: String,
    /// The same where a LambdaPolicy is to blame.
    pub(crate) policy: Option<Box<Problem>>,
}

impl Fault {
    fn new(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { field: field.into(), why: why.into(), policy: None }
    }
}

/// A filter that makes requests fit for AWS, as a route switches it on.
#[derive(Clone, Debug, PartialEq)]
pub struct Outbound {
    /// Name of the filter in the module.
    pub filter: &'static str,
    /// Its configuration.
    pub config: Value,
    /// Who signs.
    pub identity: Identity,
    /// Where requests to a Backend go instead of its hosts.
    pub endpoint: Option<AwsEndpoint>,
    /// Whether requests become calls of a function, whose host nothing else decides.
    pub is_call: bool,
    /// Bytes of a body that may be held; `None` where it flows while it comes.
    pub held: Option<u64>,
}

impl Outbound {
    /// The same for requests that get this host.
    pub(crate) fn sent_to(&self, host: &str) -> Self {
        let mut renamed = self.clone();
        renamed.config["host"] = host.into();
        renamed
    }
}

/// The Backends of type AWS, and what is signed besides.
#[derive(Default)]
pub(crate) struct Functions {
    found: BTreeMap<Key, Result<Arc<Outbound>, Fault>>,
    pub(crate) policies: Policies,
    pub(crate) signings: Signings,
}

impl Functions {
    /// Brings all in step with a world. Returns the Backends that mean something else now.
    pub(crate) fn update(&mut self, world: &World, settings: &Settings, changes: &Changes) -> BTreeSet<Key> {
        let mut keys = changes.backends.clone();
        if changes.signers {
            self.policies = Policies::of(world);
            keys.extend(self.found.keys().cloned());
        }
        let mut touched = BTreeSet::new();
        for key in keys {
            let now = world.backends.get(&key).and_then(|backend| {
                let aws = backend.spec.aws.as_ref()?;
                let policy =
                    self.policies.of_backend(&key).and_then(|policy| world.lambda_policies.get(policy));
                Some(function::compile(world, settings, &key, aws, policy.map(|policy| &**policy)))
            });
            if self.found.get(&key) == now.as_ref() {
                continue;
            }
            match now {
                Some(now) => drop(self.found.insert(key.clone(), now)),
                None => drop(self.found.remove(&key)),
            }
            touched.insert(key);
        }
        touched
    }

    /// The policy that holds for a Backend.
    pub(crate) fn policy(&self, backend: &Key) -> Option<&Key> {
        self.policies.of_backend(backend)
    }

    /// What requests to a Backend become, if it is of type AWS, or what is wrong with it.
    pub(crate) fn get(&self, backend: &Key) -> Option<&Result<Arc<Outbound>, Fault>> {
        self.found.get(backend)
    }

    /// Where requests to a Backend go instead of its hosts, if anywhere; `None` where what is said of that is wrong.
    pub(crate) fn endpoint(&self, backend: &Key) -> Option<Option<&AwsEndpoint>> {
        let found = self.found.get(backend).or_else(|| self.signings.of_backend(backend));
        found.map_or(Some(None), |found| Some(found.as_ref().ok()?.endpoint.as_ref()))
    }

    /// The Backends whose calls are signed by anybody whose credentials are fetched elsewhere.
    pub(crate) fn fetched(&self) -> impl Iterator<Item = (&Key, &Identity)> {
        let sound = self.found.iter().filter_map(|(key, found)| Some((key, &found.as_ref().ok()?.identity)));
        sound.filter(|(_, identity)| !matches!(identity, Identity::Secret(_)))
    }
}
