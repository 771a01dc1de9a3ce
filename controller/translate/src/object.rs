//! One object of the world: its identity, and how it is read from JSON.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use crate::api::meta::{FERRULE_GROUP, GATEWAY_GROUP, KGATEWAY_GROUP};
use crate::api::secret::discreet;
use crate::kinds::{KINDS, Object};

/// Which object is meant. Clones share its names, for many maps have it as their key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef(Arc<ObjectNames>);

/// What an [`ObjectRef`] consists of.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectNames {
    /// API group; empty for core.
    pub group: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl ObjectRef {
    /// Names an object.
    pub fn new(group: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self::at(group, kind, &(namespace.into(), name.into()))
    }

    /// Names an object by its key, whose text is shared.
    pub(crate) fn at(group: &str, kind: &str, (namespace, name): &Key) -> Self {
        Self(Arc::new(ObjectNames {
            group: shared(group),
            kind: shared(kind),
            namespace: Arc::clone(namespace),
            name: Arc::clone(name),
        }))
    }
}

impl Deref for ObjectRef {
    type Target = ObjectNames;

    fn deref(&self) -> &ObjectNames {
        &self.0
    }
}

/// Groups and kinds that are read here have one text each for all objects.
fn shared(word: &str) -> Arc<str> {
    static WORDS: LazyLock<Vec<Arc<str>>> =
        LazyLock::new(|| KINDS.iter().flat_map(|kind| [kind.group.into(), kind.name.into()]).collect());
    WORDS.iter().find(|known| &***known == word).map_or_else(|| word.into(), Arc::clone)
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectNames { kind, namespace, name, .. } = &**self;
        if namespace.is_empty() { write!(f, "{kind} {name}") } else { write!(f, "{kind} {namespace}/{name}") }
    }
}

/// Namespace and name.
pub type Key = (Arc<str>, Arc<str>);

/// What became of a piece of JSON.
#[derive(Clone, Debug)]
pub enum Parsed {
    /// An object, and the paths of its fields that its kind does not have.
    Object {
        /// The object.
        object: Object,
        /// Such as `spec.hostnamez`.
        unknown_fields: Vec<String>,
    },
    /// An object of a kind that is not read here.
    Ignored(ObjectRef),
}

/// Why a piece of JSON is no object of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{reason}", .object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default(), if .path.is_empty() { String::new() } else { format!("{}: ", .path) })]
pub struct ParseError {
    /// Which object, as far as it could be told.
    pub object: Option<ObjectRef>,
    /// The field.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Object {
    /// Reads an object. A namespaced kind without a namespace is put into `default`.
    ///
    /// # Errors
    /// The value names no kind or no name, or a field has the wrong type.
    pub fn parse(mut json: Value) -> Result<Parsed, ParseError> {
        let (group, kind) = group_and_kind(&json)?;
        let name = text(&json, "/metadata/name").unwrap_or_default().to_owned();
        let namespace = text(&json, "/metadata/namespace").unwrap_or("default").to_owned();
        let Some(known) = KINDS.iter().find(|known| known.group == group && known.name == kind) else {
            let namespace = text(&json, "/metadata/namespace").unwrap_or_default();
            return Ok(Parsed::Ignored(ObjectRef::new(&group, &kind, namespace, &name)));
        };
        let namespace = if known.namespaced { namespace } else { String::new() };
        let refused = |path: &str, reason: &str| {
            let (path, reason) = (path.to_owned(), reason.to_owned());
            ParseError { object: Some(ObjectRef::new(&group, &kind, &namespace, &name)), path, reason }
        };
        if name.is_empty() {
            return Err(refused("metadata.name", "is missing"));
        }
        if let Some(Value::Object(metadata)) = json.get_mut("metadata") {
            metadata.insert("namespace".to_owned(), Value::String(namespace.clone()));
        }
        let (object, mut unknown_fields) =
            (known.reader)(json).map_err(|(path, reason)| match known.name {
                "Secret" => refused(&path, &discreet(&reason)),
                _ => refused(&path, &reason),
            })?;
        if ![GATEWAY_GROUP, KGATEWAY_GROUP, FERRULE_GROUP].contains(&group.as_str()) {
            // Of Kubernetes' own kinds only a part is known here.
            unknown_fields.clear();
        }
        Ok(Parsed::Object { object, unknown_fields })
    }
}

fn group_and_kind(json: &Value) -> Result<(String, String), ParseError> {
    let missing =
        |path: &str| ParseError { object: None, path: path.to_owned(), reason: "is missing".to_owned() };
    let api_version = text(json, "/apiVersion").ok_or_else(|| missing("apiVersion"))?;
    let kind = text(json, "/kind").ok_or_else(|| missing("kind"))?;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    Ok((group.to_owned(), kind.to_owned()))
}

fn text<'a>(json: &'a Value, pointer: &str) -> Option<&'a str> {
    json.pointer(pointer).and_then(Value::as_str)
}
