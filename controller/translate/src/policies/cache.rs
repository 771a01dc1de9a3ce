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
        let at = |field: String| match field.as_str() {
            "" => FIELD.to_owned(),
            field => format!("{FIELD}.{field}"),
        };
        Some(match ferrule_kit::compile::<Filter>(json.to_string().as_bytes()) {
            Ok(_) => Ok(Contribution { json, secrets: BTreeSet::new(), decompresses: false }),
            // Among the fields that it names, one is none of a policy.
            Err(error) => Err(vec![(at(error.field), error.reason.replace(", `orders`", ""))]),
        })
    }

    /// Requests have no responses before they are routed.
    fn before_routing(&self, _: &Value) -> Result<Value, Fault> {
        Err((FIELD.to_owned(), "responses are cached by routes alone (ListenerFilters.requests)".to_owned()))
    }

    /// What is stored under a URL for some requests is not what others get that are routed elsewhere.
    fn apart(&self, json: &Value, matcher: &str) -> Option<Value> {
        let mut json = json.clone();
        let members = json.as_object_mut().filter(|members| !members.contains_key("disable"))?;
        let key = members.entry("key").or_insert_with(|| json!({})).as_object_mut()?;
        key.insert("partition".to_owned(), matcher.into());
        Some(json)
    }

    fn shared(&self, _: &BTreeSet<SecretKey>) -> Value {
        json!({"disable": {}})
    }
}
