//! Policies: what a TrafficPolicy adds to requests, and which of several applies.
//!
//! Invariant: a policy compiles its own field and names its filter; it never sees another's output, nor where it is put.

mod index;
mod transformation;

use std::sync::Arc;

use serde_json::Value;

use crate::api::traffic_policy::TrafficPolicySpec;

pub(crate) use index::{Applied, PolicyIndex, Target};

/// One field of the TrafficPolicy, implemented by one filter.
pub(crate) trait Policy: Sync {
    /// Name of the filter: `filter_name` in the module, file name of the wasm.
    fn filter(&self) -> &'static str;

    /// Its configuration, checked by the code that the proxy runs; `None` where the policy does not have the field.
    fn compile(&self, spec: &TrafficPolicySpec) -> Option<Result<Value, Fault>>;
}

/// What is wrong with a policy: field and reason.
pub(crate) type Fault = (String, String);

/// Every policy, in the order of its filter in the chain. The router comes after all of them.
pub(crate) const POLICIES: [&dyn Policy; 1] = [&transformation::Transformation];

/// The configuration of one filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FilterConfig {
    pub(crate) json: Value,
    /// Short hash of the JSON.
    pub(crate) id: String,
}

/// Configurations by place in [`POLICIES`].
pub(crate) type Configs = [Option<Arc<FilterConfig>>; POLICIES.len()];

/// Compiles each field of a policy.
fn compile(spec: &TrafficPolicySpec) -> (Configs, Vec<Fault>) {
    let mut configs = Configs::default();
    let unsupported = spec.unsupported().into_iter();
    let mut faults: Vec<Fault> =
        unsupported.map(|field| (format!("spec.{field}"), "is not supported".to_owned())).collect();
    for (slot, policy) in configs.iter_mut().zip(POLICIES) {
        match policy.compile(spec) {
            Some(Ok(json)) => *slot = Some(Arc::new(identified(json))),
            Some(Err(fault)) => faults.push(fault),
            None => {}
        }
    }
    (configs, faults)
}

fn identified(json: Value) -> FilterConfig {
    let id = format!("{:016x}", rapidhash::v3::rapidhash_v3(json.to_string().as_bytes()));
    FilterConfig { json, id }
}
