//! `CachePolicy`: the cache filter.

use std::collections::BTreeSet;

use ferrule_cache::Cache as Filter;
use serde_json::{Value, json};

use super::references::{References, SecretKey, Surroundings, ads};
use super::{Contribution, Fault, Own, Policy};
use crate::api::traffic_policy::TrafficPolicySpec;

/// Where the filter's configuration stands in the policy.
const FIELD: &str = "spec";

const REDIS: &str = "spec.storage.redis";
const PASSWORD: &str = "password";
const BACKGROUND: &str = "background";
/// Fields of the filter that are the controller's own.
const OWN: [&str; 3] = ["orders", "secrets", BACKGROUND];

pub(super) struct Cache;

impl Policy for Cache {
    fn filter(&self) -> &'static str {
        <Filter as ferrule_kit::Filter>::NAME
    }

    fn references(&self, spec: &TrafficPolicySpec, around: &Surroundings<'_>) -> References {
        let redis = spec.cache.as_ref().map_or(&Value::Null, |cache| &cache["storage"]["redis"]);
        let mut references = References::default();
        if around.is_wasm() && !redis.is_null() {
            let why = "is for native filters: those on wasm cannot connect to it";
            references.faults.push((REDIS.to_owned(), why.to_owned()));
        } else if let Some(password) = redis.get(PASSWORD) {
            references.add_secret(PASSWORD, &format!("{REDIS}.{PASSWORD}"), password, around);
        }
        references
    }

    fn compile(
        &self,
        spec: &TrafficPolicySpec,
        references: &References,
    ) -> Option<Result<Contribution, Vec<Fault>>> {
        let mut json = spec.cache.clone()?;
        if !references.faults.is_empty() {
            return Some(Err(references.faults.clone()));
        }
        if let Some(key) = references.secrets.get(PASSWORD) {
            json["storage"]["redis"][PASSWORD] = json!({"sdsName": key.to_string()});
        }
        if let Some(field) = OWN.into_iter().find(|field| json.get(field).is_some()) {
            return Some(Err(vec![(format!("{FIELD}.{field}"), format!("unknown field `{field}`"))]));
        }
        let at = |field: String| match field.as_str() {
            "" => FIELD.to_owned(),
            field => format!("{FIELD}.{field}"),
        };
        Some(match ferrule_kit::compile::<Filter>(json.to_string().as_bytes()) {
            Ok(_) => Ok(Contribution {
                json,
                secrets: references.secrets.values().cloned().collect(),
                decompresses: false,
            }),
            // Among the fields that it names, some are none of a policy.
            Err(error) => Err(vec![(
                at(error.field),
                OWN.iter().fold(error.reason, |reason, own| reason.replace(&format!(", `{own}`"), "")),
            )]),
        })
    }

    /// Requests have no responses before they are routed.
    fn before_routing(&self, _: &Value) -> Result<Value, Fault> {
        Err((FIELD.to_owned(), "responses are cached by routes alone (ListenerFilters.requests)".to_owned()))
    }

    /// What is stored under a URL for some requests is not what others get that are routed elsewhere; and what a route makes of
    /// responses, it makes of those to clients' requests alone.
    fn apart(&self, json: &Value, own: &Own<'_>) -> Option<Value> {
        let mut json = json.clone();
        let members = json.as_object_mut().filter(|members| !members.contains_key("disable"))?;
        if let Some(matcher) = own.matcher {
            let key = members.entry("key").or_insert_with(|| json!({})).as_object_mut()?;
            key.insert("partition".to_owned(), matcher.into());
        }
        if own.edits_responses {
            members.insert(BACKGROUND.to_owned(), false.into());
        }
        Some(json)
    }

    fn shared(&self, secrets: &BTreeSet<SecretKey>) -> Value {
        let source = |key: &SecretKey| json!({"sdsName": key.to_string(), "sdsConfig": ads()});
        let secrets: Vec<Value> = secrets.iter().map(source).collect();
        if secrets.is_empty() { json!({"disable": {}}) } else { json!({"disable": {}, "secrets": secrets}) }
    }
}
