//! Gateway + GatewayParameters -> the Kubernetes objects of its proxies.
//!
//! Invariants:
//! - Pure: no IO, no clock; equal input gives equal bytes, so that applying the objects again changes nothing.
//! - Total: what is wrong becomes a [`Problem`], and then nothing is said about the objects: those there are stay.
//! - What only the traffic needs changes no pod: a proxy is not restarted because a listener gets another port.
//! - Nothing here depends on what runs in the cluster, but for [`addresses`], which judges what Services were given.

mod addresses;
mod check;
mod companions;
mod config;
mod defaults;
mod deployment;
mod merge;
mod metadata;
mod names;
mod overlay;
mod parameters;
mod ports;
mod quantity;
mod service;
mod settings;
mod typed;

use std::collections::BTreeSet;
use std::sync::Arc;

use ferrule_translate::Problem;
use ferrule_translate::Store;
use ferrule_translate::api::gateway::Gateway;
use ferrule_translate::api::gateway_class::GatewayClass;
use ferrule_translate::api::gateway_parameters::GatewayParameters;
use serde_json::Value;

pub use addresses::{AddressReport, AddressesAssigned, StatusAddress, addresses};
pub use metadata::{GATEWAY_CLASS_LABEL, GATEWAY_LABEL, MANAGED_BY, MANAGED_BY_LABEL, belongs_to, selector};
pub use names::{credentials_name, object_name};
pub use parameters::class_problems;
pub use ports::{ListenerPort, Transport, listener_ports, reserved_ports};
pub use settings::{Image, Settings, XdsTarget};

/// What the proxies of a Gateway are made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The Gateway; with a `uid`, it owns the objects.
    pub gateway: &'a Gateway,
    /// Its class.
    pub class: &'a GatewayClass,
    /// All GatewayParameters that there are.
    pub parameters: &'a Store<GatewayParameters>,
    /// What it listens on, its ListenerSets included; see [`listener_ports`].
    pub ports: &'a BTreeSet<ListenerPort>,
    /// What the operator decides.
    pub settings: &'a Settings,
}

/// What is to be done about the proxies of a Gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Provision {
    /// Which objects there should be.
    pub plan: Plan,
    /// What is wrong with the Gateway or its parameters; its status says so.
    pub problems: Vec<Problem>,
}

/// Which objects there should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// These, to be applied in this order, and no others that [`belongs_to`] this Gateway, but for the Secret of
    /// [`credentials_name`].
    Apply(Vec<Value>),
    /// None: somebody else runs the proxies (`spec.selfManaged`).
    SelfManaged,
    /// Whichever there are: what is wanted cannot be told.
    Keep,
}

/// The kinds of objects in [`Plan::Apply`]: API version, kind, plural; in the order of their application.
pub const KINDS: [(&str, &str, &str); 7] = [
    ("v1", "ServiceAccount", "serviceaccounts"),
    ("v1", "ConfigMap", "configmaps"),
    ("v1", "Service", "services"),
    ("apps/v1", "Deployment", "deployments"),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", "verticalpodautoscalers"),
];

/// Decides about the proxies of a Gateway.
///
/// The pods mount the Secret of [`credentials_name`], in the Gateway's namespace, with `tls.crt`, `tls.key` and
/// `ca.crt`; whoever applies the objects keeps it there.
#[must_use]
pub fn objects(input: &Input<'_>) -> Provision {
    let mut problems = addresses::unsupported(input.gateway);
    let parameters = match parameters::resolve(input) {
        Ok(parameters) => parameters,
        Err(invalid) => {
            problems.extend(invalid);
            return Provision { plan: Plan::Keep, problems };
        }
    };
    let Some(effective) = parameters else { return Provision { plan: Plan::SelfManaged, problems } };
    if !problems.is_empty() {
        return Provision { plan: Plan::Keep, problems };
    }
    match proxies(input, &effective) {
        Ok(objects) => Provision { plan: Plan::Apply(objects), problems },
        Err(problem) => Provision { plan: Plan::Keep, problems: vec![problem] },
    }
}

fn proxies(input: &Input<'_>, effective: &parameters::Effective) -> Result<Vec<Value>, Problem> {
    let identity = metadata::Identity::of(input);
    let config = config::ConfigMap::of(input, effective, &identity);
    let deployment = deployment::deployment(input, effective, &identity, &config);
    let mut objects = vec![deployment::service_account(effective, &identity), config.object];
    objects.extend(service::services(input, effective, &identity));
    objects.push(deployment);
    companions::overlay(effective, &identity, &mut objects)?;
    let faulty = objects.iter().find_map(|object| Some((object, typed::fault(object)?)));
    match faulty {
        Some((object, (path, detail))) => Err(effective.unfit(object, &path, &detail)),
        None => Ok(objects),
    }
}

/// Namespace and name of a Gateway, as keys are.
fn key(gateway: &Gateway) -> (Arc<str>, Arc<str>) {
    (gateway.metadata.namespace.as_str().into(), gateway.metadata.name.as_str().into())
}
