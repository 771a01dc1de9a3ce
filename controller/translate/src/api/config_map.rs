//! `ConfigMap` (v1): texts that policies name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::meta::{ObjectMeta, Unread};

/// A map of texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMap {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// Texts by key; none where it is null.
    #[serde(default)]
    pub data: Option<BTreeMap<String, String>>,
    /// Only its keys are read.
    #[serde(default, skip_serializing)]
    pub binary_data: Option<BTreeMap<String, Unread>>,
}

impl ConfigMap {
    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.data.as_ref()?.get(key).map(String::as_str)
    }

    /// Whether a key holds bytes that are not promised to be text.
    pub fn is_binary(&self, key: &str) -> bool {
        self.binary_data.as_ref().is_some_and(|data| data.contains_key(key))
    }
}
