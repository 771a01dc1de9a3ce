//! Policies: what a TrafficPolicy or a CachePolicy adds to requests, and which of several applies.
//!
//! Invariant: a policy compiles its own field and names its filter; it never sees another's output, nor where it is put.

mod cache;
mod index;
mod references;
mod target;
mod transformation;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::api::traffic_policy::TrafficPolicySpec;

pub(crate) use index::{Applied, Attached, PolicyIndex};
pub(crate) use references::SecretKey;
use references::{References, Surroundings};
pub(crate) use target::Target;

/// One field of the TrafficPolicy, or all of a CachePolicy, implemented by one filter.
pub(crate) trait Policy: Sync {
    /// Name of the filter: `filter_name` in the module, file name of the wasm.
    fn filter(&self) -> &'static str;

    /// What the field names elsewhere. Looked up for each translation: what it gives decides whether to compile anew.
    fn references(&self, spec: &TrafficPolicySpec, around: &Surroundings<'_>) -> References;

    /// Its contribution, checked by the code that the proxy runs; `None` where the policy does not have the field.
    fn compile(
        &self,
        spec: &TrafficPolicySpec,
        references: &References,
    ) -> Option<Result<Contribution, Vec<Fault>>>;

    /// The same configuration for requests that are not routed yet, by a filter of their listener's own.
    ///
    /// # Errors
    /// Field of it, and why it cannot run there.
    fn before_routing(&self, json: &Value) -> Result<Value, Fault>;

    /// The configuration for a route that has something of its own, where that takes another one.
    fn apart(&self, json: &Value, own: &Own<'_>) -> Option<Value> {
        let _ = (json, own);
        None
    }

    /// The configuration that is not any route's. Envoy subscribes to the secrets that it names; routes may name no others.
    fn shared(&self, secrets: &BTreeSet<SecretKey>) -> Value;
}

/// What a route has of its own, besides the policies that apply to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Own<'a> {
    /// Names the requests that it is for, where not their URL alone chooses them.
    pub(crate) matcher: Option<&'a str>,
    /// Responses to its requests are edited or decompressed on their way; others' are not.
    pub(crate) edits_responses: bool,
}

/// What a policy wants of the proxy.
#[derive(Debug)]
pub(crate) struct Contribution {
    /// The configuration of its filter.
    json: Value,
    /// Secrets that the configuration names.
    secrets: BTreeSet<SecretKey>,
    /// Whether the filter is to see responses decompressed.
    decompresses: bool,
}

/// What is wrong with a policy: field and reason.
pub(crate) type Fault = (String, String);

/// Every policy. Where its filter stands in the chain is said in [`crate::xds::chain`].
pub(crate) const POLICIES: [&dyn Policy; 2] = [&transformation::Transformation, &cache::Cache];

/// The configuration of one filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FilterConfig {
    pub(crate) json: Value,
    /// Short hash of the JSON that routes have.
    pub(crate) id: String,
    /// Secrets that it names.
    pub(crate) secrets: BTreeSet<SecretKey>,
    /// Whether the filter is to see responses decompressed.
    pub(crate) decompresses: bool,
}

/// What a TrafficPolicy says to one filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Setting {
    /// Run with this configuration.
    Config(Arc<FilterConfig>),
    /// Something that does not compile. Where it applies nothing may be served.
    Broken,
}

impl FilterConfig {
    /// That for a route that has something of its own, where it is another one.
    fn apart(&self, policy: &dyn Policy, own: &Own<'_>) -> Option<Self> {
        let json = policy.apart(&self.json, own)?;
        Some(identified(Contribution {
            json,
            secrets: self.secrets.clone(),
            decompresses: self.decompresses,
        }))
    }
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

/// What each policy names elsewhere, by place in [`POLICIES`].
type AllReferences = [References; POLICIES.len()];

fn references(spec: &TrafficPolicySpec, around: &Surroundings<'_>) -> AllReferences {
    POLICIES.map(|policy| policy.references(spec, around))
}

fn compile(spec: &TrafficPolicySpec, references: &AllReferences) -> Compiled {
    let mut settings = Settings::default();
    let unsupported = spec.unsupported();
    let mut faults: Vec<Fault> = unsupported
        .iter()
        .map(|field| {
            (format!("spec.{field}"), "is not supported; routes that it applies to answer 500".to_owned())
        })
        .collect();
    for ((slot, policy), references) in settings.iter_mut().zip(POLICIES).zip(references) {
        *slot = policy.compile(spec, references).map(|compiled| match compiled {
            Ok(contribution) => Setting::Config(Arc::new(identified(contribution))),
            Err(found) => {
                faults.extend(found);
                Setting::Broken
            }
        });
    }
    Compiled { settings, unsupported: !unsupported.is_empty(), faults }
}

fn identified(contribution: Contribution) -> FilterConfig {
    let Contribution { json, secrets, decompresses } = contribution;
    let id = format!("{:016x}", rapidhash::v3::rapidhash_v3(json.to_string().as_bytes()));
    FilterConfig { json, id, secrets, decompresses }
}
