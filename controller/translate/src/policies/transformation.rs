//! `spec.transformation`: the transformation filter.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::references::{References, SecretKey, Surroundings, ads};
use super::{Contribution, Fault, Policy};
use crate::api::traffic_policy::TrafficPolicySpec;

/// Where the filter's configuration stands in the policy.
const FIELD: &str = "spec.transformation";

pub(super) struct Transformation;

impl Policy for Transformation {
    fn filter(&self) -> &'static str {
        <ferrule_transformation::Transformation as ferrule_kit::Filter>::NAME
    }

    fn references(&self, spec: &TrafficPolicySpec, around: &Surroundings<'_>) -> References {
        let Some(config) = &spec.transformation else { return References::default() };
        let mut references = References::of(config, FIELD, around);
        if around.is_wasm() {
            // Envoy gives such bodies trailers that wasm modules do not see, so nothing tells them the end.
            let why = "filters on wasm cannot wait for bodies that Envoy decompresses".to_owned();
            references.faults.extend(decompressing(&config["response"]).map(|field| (field, why)));
        }
        references
    }

    fn compile(
        &self,
        spec: &TrafficPolicySpec,
        references: &References,
    ) -> Option<Result<Contribution, Vec<Fault>>> {
        let written = spec.transformation.as_ref()?;
        if !references.faults.is_empty() {
            return Some(Err(references.faults.clone()));
        }
        let json = resolved(written, references);
        let compiled =
            ferrule_kit::compile::<ferrule_transformation::Transformation>(json.to_string().as_bytes());
        Some(match compiled {
            Ok(_) => Ok(Contribution {
                decompresses: decompressing(&json["response"]).is_some(),
                secrets: references.secrets.values().cloned().collect(),
                json,
            }),
            Err(error) if error.field.is_empty() => Err(vec![(FIELD.to_owned(), error.reason)]),
            Err(error) => Err(vec![(format!("{FIELD}.{}", error.field), error.reason)]),
        })
    }

    fn before_routing(&self, json: &Value) -> Result<Value, Fault> {
        if let Some(field) = changing_host(&json["request"]) {
            let why = "changes the host, by which the listener was chosen (ListenerFilters.requests)";
            return Err((field, why.to_owned()));
        }
        let mut json = json.clone();
        let secrets = json.get_mut("secrets").and_then(Value::as_object_mut);
        for secret in secrets.into_iter().flat_map(|secrets| secrets.values_mut()) {
            secret["sdsConfig"] = ads();
        }
        Ok(json)
    }

    fn shared(&self, secrets: &BTreeSet<SecretKey>) -> Value {
        let entry = |name: String| (name.clone(), json!({"sdsName": name, "sdsConfig": ads()}));
        let mut json = json!({});
        put(&mut json, "secrets", secrets.iter().map(|key| entry(key.to_string())).collect());
        json
    }
}

/// The field by which a request's host is changed, if any does.
fn changing_host(request: &Value) -> Option<String> {
    let is_host = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let changes = |transform: &Value| {
        let edit = |field: &str| {
            let place = list(&transform[field]).iter().position(|edit| is_host(&edit["name"]))?;
            Some(format!("{field}[{place}].name"))
        };
        let removed = list(&transform["remove"]).iter().position(is_host);
        edit("set").or_else(|| edit("add")).or_else(|| Some(format!("remove[{}]", removed?)))
    };
    let at = |place: &str, inner: String| format!("{FIELD}.request{place}.{inner}");
    changes(request).map(|inner| at("", inner)).or_else(|| {
        let matches = list(&request["matches"]);
        let mut changing = matches.iter().enumerate();
        changing.find_map(|(place, matched)| {
            changes(&matched["transform"]).map(|inner| at(&format!(".matches[{place}].transform"), inner))
        })
    })
}

/// The filter's configuration: secrets by their names in SDS, texts themselves.
fn resolved(written: &Value, references: &References) -> Value {
    let mut json = written.clone();
    let secrets = references.secrets.iter();
    let secrets = secrets.map(|(alias, key)| (alias.clone(), json!({"sdsName": key.to_string()})));
    put(&mut json, "secrets", secrets.collect());
    let texts = references.texts.iter().map(|(name, text)| (name.clone(), json!({"inline": text.get()})));
    put(&mut json, "dataSources", texts.collect());
    json
}

fn put(json: &mut Value, field: &str, entries: Map<String, Value>) {
    if let (Some(fields), false) = (json.as_object_mut(), entries.is_empty()) {
        fields.insert(field.to_owned(), Value::Object(entries));
    }
}

/// The field by which the response is asked for in plain bytes, if any is.
fn decompressing(response: &Value) -> Option<String> {
    let asks = |transform: &Value| transform["body"]["decompress"] == true;
    let field = |place: &str| format!("{FIELD}.response{place}.body.decompress");
    if asks(response) {
        return Some(field(""));
    }
    let matches = response["matches"].as_array()?;
    let place = matches.iter().position(|matched| asks(&matched["transform"]))?;
    Some(field(&format!(".matches[{place}].transform")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_whose_host_would_be_changed_is_refused_before_routing() {
        let field = |request: Value| changing_host(&request);
        let set = |name: &str| json!({"set": [{"name": "x", "value": "y"}, {"name": name}]});
        assert_eq!(field(set("Host")).as_deref(), Some("spec.transformation.request.set[1].name"));
        assert!(field(json!({"add": [{"name": ":authority"}]})).is_some());
        assert_eq!(
            field(json!({"remove": ["a", "HOST"]})).as_deref(),
            Some("spec.transformation.request.remove[1]")
        );
        let matches = json!({"matches": [{"transform": {}}, {"transform": set("host")}]});
        let nested = "spec.transformation.request.matches[1].transform.set[1].name";
        assert_eq!(field(matches).as_deref(), Some(nested));
        assert_eq!(field(set("x-host")), None);
        assert_eq!(field(Value::Null), None);
    }

    #[test]
    fn a_response_is_decompressed_where_any_of_its_transforms_says_so() {
        let field = |response: Value| decompressing(&response);
        let all = "spec.transformation.response.body.decompress";
        assert_eq!(field(json!({"body": {"decompress": true}})).as_deref(), Some(all));
        let matches = json!([{"transform": {}}, {"transform": {"body": {"decompress": true}}}]);
        let some = "spec.transformation.response.matches[1].transform.body.decompress";
        assert_eq!(field(json!({"matches": matches})).as_deref(), Some(some));
        assert_eq!(field(json!({"body": {"decompress": false}, "matches": [{"match": {}}]})), None);
        assert_eq!(field(Value::Null), None);
    }
}
