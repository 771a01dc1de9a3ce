//! What matters of a CustomResourceDefinition: names, versions and their schemas.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kind and the schemas of its served versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Whether objects have a namespace.
    pub scope: Scope,
    /// Schemas; versions with the same one share it.
    pub schemas: Vec<VersionedSchema>,
}

/// `spec.scope` of a CustomResourceDefinition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Scope {
    Namespaced,
    Cluster,
}

/// A schema and the versions that have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionedSchema {
    /// Such as `v1`.
    pub versions: Vec<String>,
    /// `openAPIV3Schema`.
    pub schema: Value,
}

/// A CustomResourceDefinition lacks a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no CustomResourceDefinition of apiextensions.k8s.io/v1: {0}")]
pub struct NoDefinition(String);

#[derive(Deserialize)]
struct Crd {
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    group: String,
    names: Names,
    scope: Scope,
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Names {
    kind: String,
}

#[derive(Deserialize)]
struct Version {
    name: String,
    served: bool,
    schema: Validation,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validation {
    #[serde(rename = "openAPIV3Schema")]
    open_api_v3_schema: Value,
}

impl Definition {
    /// Reads a CustomResourceDefinition.
    ///
    /// # Errors
    /// It is none.
    pub fn of_crd(crd: &Value) -> Result<Self, NoDefinition> {
        let Crd { spec } = Crd::deserialize(crd).map_err(|error| NoDefinition(error.to_string()))?;
        let mut schemas: Vec<VersionedSchema> = Vec::new();
        for Version { name, schema, .. } in spec.versions.into_iter().filter(|version| version.served) {
            let schema = schema.open_api_v3_schema;
            match schemas.iter_mut().find(|known| known.schema == schema) {
                Some(known) => known.versions.push(name),
                None => schemas.push(VersionedSchema { versions: vec![name], schema }),
            }
        }
        Ok(Self { group: spec.group, kind: spec.names.kind, scope: spec.scope, schemas })
    }

    /// Names of the served versions.
    pub fn versions(&self) -> impl Iterator<Item = &str> {
        self.schemas.iter().flat_map(|schema| schema.versions.iter().map(String::as_str))
    }

    /// Takes away what is for people.
    pub fn strip_descriptions(&mut self) {
        for schema in &mut self.schemas {
            strip(&mut schema.schema);
        }
    }
}

/// A property may be named `description`; only the keyword goes.
fn strip(schema: &mut Value) {
    let Value::Object(keywords) = schema else { return };
    keywords.shift_remove("description");
    for (keyword, value) in keywords {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => properties.values_mut().for_each(strip),
            ("items" | "additionalProperties" | "not", schema) => strip(schema),
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => schemas.iter_mut().for_each(strip),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_with_the_same_schema_share_it_and_those_not_served_are_left_out() {
        let version = |name: &str, served: bool, kind: &str| json!({"name": name, "served": served, "storage": false, "schema": {"openAPIV3Schema": {"type": kind}}});
        let versions = [
            version("v1", true, "object"),
            version("v1beta1", true, "object"),
            version("v1alpha1", false, "object"),
            version("v0", true, "array"),
        ];
        let crd =
            json!({"spec": {"group": "g", "names": {"kind": "K"}, "scope": "Cluster", "versions": versions}});
        let definition = Definition::of_crd(&crd).unwrap();
        assert_eq!(definition.versions().collect::<Vec<_>>(), ["v1", "v1beta1", "v0"]);
        assert_eq!(definition.schemas.len(), 2);
        assert!(Definition::of_crd(&json!({"spec": {}})).is_err());
    }

    #[test]
    fn a_property_named_description_stays() {
        let schema = json!({
            "description": "text", "type": "object",
            "properties": {"description": {"type": "string", "description": "text"}},
            "oneOf": [{"description": "text"}],
        });
        let mut stripped = schema;
        strip(&mut stripped);
        let expected =
            json!({"type": "object", "properties": {"description": {"type": "string"}}, "oneOf": [{}]});
        assert_eq!(stripped, expected);
    }
}
