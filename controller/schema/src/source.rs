//! A schema as it is written: the keywords of `JSONSchemaProps` (apiextensions.k8s.io/v1) that are understood here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Source {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) description: Option<IgnoredAny>,
    pub(crate) format: Option<String>,
    pub(crate) nullable: bool,
    pub(crate) default: Option<Value>,
    #[serde(rename = "enum")]
    pub(crate) values: Option<Vec<Value>>,
    pub(crate) properties: BTreeMap<String, Source>,
    pub(crate) additional_properties: Option<Box<Source>>,
    pub(crate) required: Vec<String>,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    pub(crate) items: Option<Box<Source>>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) pattern: Option<String>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) all_of: Vec<Source>,
    pub(crate) any_of: Vec<Source>,
    pub(crate) one_of: Vec<Source>,
    pub(crate) not: Option<Box<Source>>,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    pub(crate) preserve_unknown_fields: bool,
    #[serde(rename = "x-kubernetes-int-or-string")]
    pub(crate) int_or_string: bool,
    #[serde(rename = "x-kubernetes-list-type")]
    pub(crate) list_type: Option<String>,
    #[serde(rename = "x-kubernetes-list-map-keys")]
    pub(crate) list_map_keys: Vec<String>,
    /// How server-side apply merges, which says nothing about what is valid.
    #[serde(rename = "x-kubernetes-map-type")]
    pub(crate) map_type: Option<IgnoredAny>,
    #[serde(rename = "x-kubernetes-validations")]
    pub(crate) rules: Vec<SourceRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SourceRule {
    pub(crate) rule: String,
    pub(crate) message: Option<String>,
    pub(crate) message_expression: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) field_path: Option<String>,
    #[serde(default)]
    pub(crate) optional_old_self: bool,
}
