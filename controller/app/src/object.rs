//! placeholder until translate's API lands
use crate::manifest::{Fault, Identity, Mark, Positions};
use serde_json::Value;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}
pub(crate) type Object = Value;
pub(crate) struct Wrong {
    pub(crate) path: String,
    pub(crate) message: String,
}
pub(crate) fn key(identity: &Identity) -> Result<Option<Key>, Wrong> {
    let ns = if identity.namespace.is_empty() { "default".to_owned() } else { identity.namespace.clone() };
    Ok((identity.kind != "ConfigMap").then(|| Key {
        kind: identity.kind.clone(),
        namespace: ns,
        name: identity.name.clone(),
    }))
}
pub(crate) fn parse(_key: &Key, value: Value, _generation: i64) -> Result<Object, Vec<Wrong>> {
    if value["spec"].get("bogus").is_some() {
        return Err(vec![Wrong { path: "spec.bogus".into(), message: "unknown field".into() }]);
    }
    Ok(value)
}
