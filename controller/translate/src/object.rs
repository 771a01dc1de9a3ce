//! One object of the world: its identity, and how it is read from JSON.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::backend::Backend;
use crate::api::config_map::ConfigMap;
use crate::api::endpoint_slice::EndpointSlice;
use crate::api::gateway::Gateway;
use crate::api::gateway_class::GatewayClass;
use crate::api::http_route::HTTPRoute;
use crate::api::meta::{GATEWAY_GROUP, KGATEWAY_GROUP, ObjectMeta};
use crate::api::namespace::Namespace;
use crate::api::reference_grant::ReferenceGrant;
use crate::api::secret::{Secret, discreet};
use crate::api::service::Service;
use crate::api::traffic_policy::TrafficPolicy;

/// Which object is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct ObjectRef {
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
        Self {
            group: shared(group),
            kind: shared(kind),
            namespace: Arc::clone(namespace),
            name: Arc::clone(name),
        }
    }
}

/// Groups and kinds that are read here have one text each for all objects.
fn shared(word: &str) -> Arc<str> {
    static WORDS: LazyLock<Vec<Arc<str>>> = LazyLock::new(|| {
        KINDS.iter().flat_map(|(group, kind, ..)| [(*group).into(), (*kind).into()]).collect()
    });
    WORDS.iter().find(|known| &***known == word).map_or_else(|| word.into(), Arc::clone)
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, .. } = self;
        if namespace.is_empty() { write!(f, "{kind} {name}") } else { write!(f, "{kind} {namespace}/{name}") }
    }
}

/// Namespace and name.
pub type Key = (Arc<str>, Arc<str>);

/// An object of a kind that the translator reads.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Object {
    GatewayClass(Arc<GatewayClass>),
    Gateway(Arc<Gateway>),
    HTTPRoute(Arc<HTTPRoute>),
    ReferenceGrant(Arc<ReferenceGrant>),
    Namespace(Arc<Namespace>),
    Service(Arc<Service>),
    EndpointSlice(Arc<EndpointSlice>),
    Backend(Arc<Backend>),
    TrafficPolicy(Arc<TrafficPolicy>),
    Secret(Arc<Secret>),
    ConfigMap(Arc<ConfigMap>),
}

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

/// Makes an [`Object`] of a JSON value, and lists the value's unknown fields.
type Reader = fn(Value) -> Result<(Object, Vec<String>), (String, String)>;

/// The kinds that are read: group, kind, whether it has a namespace, reader.
const KINDS: [(&str, &str, bool, Reader); 11] = [
    (GATEWAY_GROUP, "GatewayClass", false, |json| read(json, Object::GatewayClass)),
    (GATEWAY_GROUP, "Gateway", true, |json| read(json, Object::Gateway)),
    (GATEWAY_GROUP, "HTTPRoute", true, |json| read(json, Object::HTTPRoute)),
    (GATEWAY_GROUP, "ReferenceGrant", true, |json| read(json, Object::ReferenceGrant)),
    ("", "Namespace", false, |json| read(json, Object::Namespace)),
    ("", "Service", true, |json| read(json, Object::Service)),
    ("discovery.k8s.io", "EndpointSlice", true, |json| read(json, Object::EndpointSlice)),
    (KGATEWAY_GROUP, "Backend", true, |json| read(json, Object::Backend)),
    (KGATEWAY_GROUP, "TrafficPolicy", true, |json| read(json, Object::TrafficPolicy)),
    ("", "Secret", true, |json| {
        read(json, Object::Secret).map_err(|(path, reason)| (path, discreet(&reason)))
    }),
    ("", "ConfigMap", true, |json| read(json, Object::ConfigMap)),
];

fn read<T: DeserializeOwned>(
    json: Value,
    wrap: fn(Arc<T>) -> Object,
) -> Result<(Object, Vec<String>), (String, String)> {
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(json, &mut track);
    let read = serde_ignored::deserialize(tracked, |path| unknown.push(path.to_string()));
    match read {
        Ok(object) => {
            unknown.retain(|path| path != "apiVersion" && path != "kind" && !path.starts_with("metadata."));
            Ok((wrap(Arc::new(object)), unknown))
        }
        Err(error) => Err((track.path().to_string(), error.to_string())),
    }
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
        let Some((_, _, namespaced, reader)) = KINDS.iter().find(|(g, k, ..)| *g == group && *k == kind)
        else {
            let namespace = text(&json, "/metadata/namespace").unwrap_or_default();
            return Ok(Parsed::Ignored(ObjectRef::new(&group, &kind, namespace, &name)));
        };
        let namespace = if *namespaced { namespace } else { String::new() };
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
        let (object, mut unknown_fields) = reader(json).map_err(|(path, reason)| refused(&path, &reason))?;
        if !group.ends_with(GATEWAY_GROUP) && !group.ends_with(KGATEWAY_GROUP) {
            // Of Kubernetes' own kinds only a part is known here.
            unknown_fields.clear();
        }
        Ok(Parsed::Object { object, unknown_fields })
    }

    /// Its metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::GatewayClass(object) => &object.metadata,
            Self::Gateway(object) => &object.metadata,
            Self::HTTPRoute(object) => &object.metadata,
            Self::ReferenceGrant(object) => &object.metadata,
            Self::Namespace(object) => &object.metadata,
            Self::Service(object) => &object.metadata,
            Self::EndpointSlice(object) => &object.metadata,
            Self::Backend(object) => &object.metadata,
            Self::TrafficPolicy(object) => &object.metadata,
            Self::Secret(object) => &object.metadata,
            Self::ConfigMap(object) => &object.metadata,
        }
    }

    /// Namespace and name.
    pub(crate) fn key(&self) -> Key {
        let metadata = self.metadata();
        (metadata.namespace.as_str().into(), metadata.name.as_str().into())
    }

    /// Which object this is.
    pub fn reference(&self) -> ObjectRef {
        let (group, kind) = match self {
            Self::GatewayClass(_) => (GATEWAY_GROUP, "GatewayClass"),
            Self::Gateway(_) => (GATEWAY_GROUP, "Gateway"),
            Self::HTTPRoute(_) => (GATEWAY_GROUP, "HTTPRoute"),
            Self::ReferenceGrant(_) => (GATEWAY_GROUP, "ReferenceGrant"),
            Self::Namespace(_) => ("", "Namespace"),
            Self::Service(_) => ("", "Service"),
            Self::EndpointSlice(_) => ("discovery.k8s.io", "EndpointSlice"),
            Self::Backend(_) => (KGATEWAY_GROUP, "Backend"),
            Self::TrafficPolicy(_) => (KGATEWAY_GROUP, "TrafficPolicy"),
            Self::Secret(_) => ("", "Secret"),
            Self::ConfigMap(_) => ("", "ConfigMap"),
        };
        ObjectRef::at(group, kind, &self.key())
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
