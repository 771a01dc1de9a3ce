//! What a policy names elsewhere: values of Secrets and texts of ConfigMaps.
//!
//! Invariant: a secret's value is not looked at here, only that there is one. So its rotation compiles nothing anew.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Fault;
use crate::api::config_map::ConfigMap;
use crate::api::meta::KGATEWAY_GROUP;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::settings::{FilterHost, Settings};

/// A value of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SecretKey {
    /// The Secret.
    pub(crate) secret: Key,
    /// Which of its values.
    pub(crate) key: Arc<str>,
}

impl fmt::Display for SecretKey {
    /// Its name in the secret discovery service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.secret.0, self.secret.1, self.key)
    }
}

/// A text.
#[derive(Clone, Debug)]
pub(crate) enum Text {
    /// It stands in the policy.
    Inline(Arc<str>),
    /// A key of a ConfigMap that has it.
    Of(Arc<ConfigMap>, Arc<str>),
}

impl Text {
    pub(crate) fn get(&self) -> &str {
        match self {
            Self::Inline(text) => text,
            Self::Of(map, key) => map.text(key).unwrap_or_default(),
        }
    }
}

impl PartialEq for Text {
    /// Objects are immutable, so the same address means the same content.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Inline(ours), Self::Inline(theirs)) => ours == theirs,
            (Self::Of(ours, key), Self::Of(theirs, other)) => Arc::ptr_eq(ours, theirs) && key == other,
            _ => false,
        }
    }
}

/// What one filter's configuration names elsewhere, by the name that it has in there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct References {
    pub(crate) secrets: BTreeMap<String, SecretKey>,
    pub(crate) texts: BTreeMap<String, Text>,
    /// What is not there, or may not be named.
    pub(crate) faults: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SecretSource {
    secret_ref: SecretRef,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretRef {
    name: String,
    namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TextSource {
    inline: Option<String>,
    config_map_ref: Option<ConfigMapRef>,
    key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigMapRef {
    name: String,
}

/// Where proxies get secrets from: the stream that all else comes by.
pub(super) fn ads() -> Value {
    json!({"ads": {}, "resourceApiVersion": "V3"})
}

/// Where references are looked up.
pub(crate) struct Surroundings<'a> {
    pub(crate) world: &'a World,
    pub(crate) settings: &'a Settings,
    /// Namespace of the policy.
    pub(crate) namespace: &'a str,
}

impl References {
    /// Looks up `secrets` and `dataSources` of `config`, which stands at `field`.
    pub(crate) fn of(config: &Value, field: &str, around: &Surroundings<'_>) -> Self {
        let mut found = Self::default();
        for (alias, at, source) in found.entries(config, field, "secrets") {
            match around.secret(&at, source) {
                Ok(key) => drop(found.secrets.insert(alias, key)),
                Err(fault) => found.faults.push(fault),
            }
        }
        for (name, at, source) in found.entries(config, field, "dataSources") {
            match around.text(&at, source) {
                Ok(text) => drop(found.texts.insert(name, text)),
                Err(fault) => found.faults.push(fault),
            }
        }
        if !found.secrets.is_empty() && around.is_wasm() {
            found.faults.push((format!("{field}.secrets"), "filters on wasm cannot read secrets".to_owned()));
        }
        found
    }

    /// Looks up one Secret of the policy's own namespace, written as `secretRef` and `key` at a field.
    pub(super) fn add_secret(&mut self, name: &str, at: &str, written: &Value, around: &Surroundings<'_>) {
        let found = match serde_path_to_error::deserialize::<_, SecretSource>(written) {
            Ok(source) if source.secret_ref.namespace.is_some() => {
                Err((format!("{at}.secretRef.namespace"), "unknown field `namespace`".to_owned()))
            }
            Ok(source) => around.secret(at, source),
            Err(error) => Err((below(at, &error.path().to_string()), error.inner().to_string())),
        };
        match found {
            Ok(key) => drop(self.secrets.insert(name.to_owned(), key)),
            Err(fault) => self.faults.push(fault),
        }
    }

    /// Name, field and source of each entry of a map.
    fn entries<S: DeserializeOwned>(
        &mut self,
        config: &Value,
        field: &str,
        map: &str,
    ) -> Vec<(String, String, S)> {
        let at = format!("{field}.{map}");
        let entries = match config.get(map) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Object(entries)) => entries,
            Some(_) => {
                self.faults.push((at, "must be a map".to_owned()));
                return Vec::new();
            }
        };
        let mut read = Vec::new();
        for (name, source) in entries {
            let at = format!("{at}.{name}");
            match serde_path_to_error::deserialize(source) {
                Ok(source) => read.push((name.clone(), at, source)),
                Err(error) => {
                    self.faults.push((below(&at, &error.path().to_string()), error.inner().to_string()))
                }
            }
        }
        read
    }
}

fn below(field: &str, path: &str) -> String {
    if path == "." { field.to_owned() } else { format!("{field}.{path}") }
}

impl Surroundings<'_> {
    pub(crate) fn is_wasm(&self) -> bool {
        matches!(self.settings.filter_host, FilterHost::Wasm { .. })
    }

    fn secret(&self, at: &str, source: SecretSource) -> Result<SecretKey, Fault> {
        let SecretSource { secret_ref: SecretRef { name, namespace }, key } = source;
        let to = ObjectRef::new("", "Secret", namespace.as_deref().unwrap_or(self.namespace), &name);
        let wrong = |detail: String| Err((format!("{at}.secretRef"), detail));
        // Whether a Secret is there is none of the business of those who may not name it.
        if !self.world.may_refer((KGATEWAY_GROUP, "TrafficPolicy"), self.namespace, &to) {
            return wrong(format!("no ReferenceGrant in {} lets this policy use {to}", to.namespace));
        }
        let object: Key = (Arc::clone(&to.namespace), Arc::clone(&to.name));
        let Some(secret) = self.world.secrets.get(&object) else {
            return wrong(format!("{to} does not exist"));
        };
        if secret.value(&key).is_none() {
            return Err((format!("{at}.key"), format!("{to} has no key {key}")));
        }
        Ok(SecretKey { secret: object, key: key.into() })
    }

    fn text(&self, at: &str, source: TextSource) -> Result<Text, Fault> {
        let wrong = |field: &str, detail: String| Err((below(at, field), detail));
        match source {
            TextSource { inline: Some(text), config_map_ref: None, key: None } => {
                Ok(Text::Inline(text.into()))
            }
            TextSource { inline: None, config_map_ref: Some(ConfigMapRef { name }), key: Some(key) } => {
                let to = ObjectRef::new("", "ConfigMap", self.namespace, &name);
                let object: Key = (Arc::clone(&to.namespace), Arc::clone(&to.name));
                let Some(map) = self.world.config_maps.get(&object) else {
                    return wrong("configMapRef", format!("{to} does not exist"));
                };
                match map.text(&key) {
                    Some(_) => Ok(Text::Of(Arc::clone(map), key.into())),
                    None if map.is_binary(&key) => {
                        wrong("key", format!("{to} has {key} in binaryData; only texts in data can be read"))
                    }
                    None => wrong("key", format!("{to} has no key {key}")),
                }
            }
            _ => wrong(".", "needs either inline, or configMapRef and key".to_owned()),
        }
    }
}
