//! `Secret` (v1): values that filters read by SDS.
//!
//! Invariant: no value is ever shown, neither by `Debug` nor in what is wrong with a Secret.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::meta::ObjectMeta;

/// A map of values.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    #[serde(default)]
    data: Option<BTreeMap<String, Encoded>>,
    #[serde(default)]
    string_data: Option<BTreeMap<String, Plain>>,
}

impl Secret {
    /// The value of a key; that of `stringData` where `data` has one, too (core/v1 Secret).
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        let plain = self.string_data.as_ref().and_then(|data| data.get(key)).map(|value| &value.0);
        let encoded = || self.data.as_ref().and_then(|data| data.get(key)).map(|value| &value.0);
        plain.or_else(encoded).map(|value| value.0.as_slice())
    }
}

/// What may be said of a Secret that cannot be read: anything else might quote it.
const NO_BASE64: &str = "is not base64; plain text belongs into stringData";
const NO_TEXT: &str = "must be text";
const NO_SECRET: &str = "has not the type that a Secret has here";

/// A reason that quotes nothing.
pub(crate) fn discreet(reason: &str) -> String {
    [NO_BASE64, NO_TEXT].into_iter().find(|known| *known == reason).unwrap_or(NO_SECRET).to_owned()
}

#[derive(Clone, PartialEq)]
struct Sealed(Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A value of `data`.
#[derive(Clone, Debug, PartialEq)]
struct Encoded(Sealed);

/// A value of `stringData`.
#[derive(Clone, Debug, PartialEq)]
struct Plain(Sealed);

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut text = text(from)?;
        // As Go's decoder, which the API server uses.
        text.retain(|c| c != '\n' && c != '\r');
        STANDARD.decode(text).map(|bytes| Self(Sealed(bytes))).map_err(|_| D::Error::custom(NO_BASE64))
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(Sealed(text(from)?.into_bytes())))
    }
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) => Ok(text),
        _ => Err(D::Error::custom(NO_TEXT)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kinds::Object;
    use crate::object::{ParseError, Parsed};

    fn parse(fields: Value) -> Result<Secret, ParseError> {
        let mut json = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
        json.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        match Object::parse(json)? {
            Parsed::Object { object: Object::Secret(secret), .. } => Ok((*secret).clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_those_of_data_and_above_them_of_string_data() {
        let secret = parse(json!({
            "type": "Opaque", "data": {"a": "YWJj\n", "b": "/w=="}, "stringData": {"b": "é"},
        }));
        let secret = secret.unwrap();
        assert_eq!(secret.value("a"), Some(&b"abc"[..]));
        assert_eq!(secret.value("b"), Some("é".as_bytes()));
        assert_eq!(secret.value("c"), None);
        assert_eq!(parse(json!({"data": null})).unwrap().value("a"), None);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_field_and_quotes_nothing() {
        for (fields, path, reason) in [
            (json!({"data": {"a": "hunter2"}}), "data.a", NO_BASE64),
            (json!({"data": {"a": 31337}}), "data.a", NO_TEXT),
            (json!({"stringData": {"a": ["hunter2"]}}), "stringData.a", NO_TEXT),
            (json!({"data": "hunter2"}), "data", NO_SECRET),
        ] {
            let error = parse(fields).unwrap_err();
            let plain: Vec<&str> = error.path.split('.').filter(|part| *part != "?").collect();
            assert_eq!((plain.join(".").as_str(), error.reason.as_str()), (path, reason));
        }
    }

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        let secret = parse(json!({"stringData": {"a": "hunter2"}})).unwrap();
        assert!(!format!("{secret:?}").contains("hunter2") && format!("{secret:?}").contains("[redacted]"));
    }
}
