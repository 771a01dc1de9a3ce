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

/// What a TrafficPolicy says to one filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Setting {
    /// Run with this configuration.
    Config(Arc<FilterConfig>),
    /// Something that does not compile. Where it applies nothing may be served.
    Broken,
}

impl Setting {
    /// The configuration, unless it is broken.
    pub(crate) fn config(&self) -> Option<&Arc<FilterConfig>> {
        match self {
            Self::Config(config) => Some(config),
            Self::Broken => None,
        }
    }
}

/// Settings by place in [`POLICIES`].
pub(crate) type Settings = [Option<Setting>; POLICIES.len()];

/// A TrafficPolicy's fields, compiled.
#[derive(Debug)]
struct Compiled {
    settings: Settings,
    /// A field is set that no filter here implements; nothing more specific can take that back.
    unsupported: bool,
    faults: Vec<Fault>,
}

fn compile(spec: &TrafficPolicySpec) -> Compiled {
    let mut settings = Settings::default();
    let unsupported = spec.unsupported();
    let mut faults: Vec<Fault> = unsupported
        .iter()
        .map(|field| {
            (format!("spec.{field}"), "is not supported; routes that it applies to answer 500".to_owned())
        })
        .collect();
    for (slot, policy) in settings.iter_mut().zip(POLICIES) {
        *slot = policy.compile(spec).map(|compiled| match compiled {
            Ok(json) => Setting::Config(Arc::new(identified(json))),
            Err(fault) => {
                faults.push(fault);
                Setting::Broken
            }
        });
    }
    Compiled { settings, unsupported: !unsupported.is_empty(), faults }
}

fn identified(json: Value) -> FilterConfig {
    let id = format!("{:016x}", rapidhash::v3::rapidhash_v3(json.to_string().as_bytes()));
    FilterConfig { json, id }
}
