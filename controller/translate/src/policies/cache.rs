//! `CachePolicy`: the cache filter.

use std::collections::BTreeSet;

use ferrule_cache::Cache as Filter;
use serde_json::{Value, json};

use super::references::{References, SecretKey, Surroundings};
use super::{Contribution, Fault, Policy};
use crate::api::traffic_policy::TrafficPolicySpec;

/// Where the filter's configuration stands in the policy.
const FIELD: &str = "spec";

pub(super) struct Cache;

impl Policy for Cache {
    fn filter(&self) -> &'static str {
        <Filter as ferrule_kit::Filter>::NAME
    }

    fn references(&self, _: &TrafficPolicySpec, _: &Surroundings<'_>) -> References {
        References::default()
    }

    fn compile(&self, spec: &TrafficPolicySpec, _: &References) -> Option<Result<Contribution, Vec<Fault>>> {
        let json = spec.cache.clone()?;
        if json.get("orders").is_some() {
            return Some(Err(vec![(format!("{FIELD}.orders"), "unknown field `orders`".to_owned())]));
        }
        Some(match ferrule_kit::compile::<Filter>(json.to_string().as_bytes()) {
            Ok(_) => Ok(Contribution { json, secrets: BTreeSet::new(), decompresses: false }),
            Err(error) if error.field.is_empty() => Err(vec![(FIELD.to_owned(), error.reason)]),
            Err(error) => Err(vec![(format!("{FIELD}.{}", error.field), error.reason)]),
        })
    }

    /// Requests have no responses before they are routed.
    fn before_routing(&self, _: &Value) -> Result<Value, Fault> {
        Err((FIELD.to_owned(), "responses are cached by routes alone (ListenerFilters.requests)".to_owned()))
    }

    fn shared(&self, _: &BTreeSet<SecretKey>) -> Value {
        json!({"disable": {}})
    }
}
