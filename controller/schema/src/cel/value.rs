//! JSON -> CEL values of the types that a schema gives them. What the schema does not know, rules do not see.

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::Value as Cel;
use kube_cel::cel::objects::{Key, Map};
use serde_json::Value;

use super::name::escape;
use crate::format::{Format, date_time};
use crate::path::Path;
use crate::schema::{Kind, Schema};

/// The value of a field at `path`.
pub(super) fn of(value: &Value, schema: &Schema, path: Path<'_>) -> Cel {
    let Cel::Map(known) = convert(value, schema) else { return convert(value, schema) };
    let (Path::Root, Value::Object(object)) = (path, value) else { return Cel::Map(known) };
    let mut fields = Arc::unwrap_or_clone(known.map);
    for name in ["apiVersion", "kind"] {
        fields.insert(key(name), object.get(name).map_or(Cel::Null, plain));
    }
    fields.insert(key("metadata"), metadata(object.get("metadata")));
    Cel::Map(Map { map: Arc::new(fields) })
}

/// Rules see no more of the metadata than the names.
fn metadata(metadata: Option<&Value>) -> Cel {
    let named = |name: &str| Some((key(name), plain(metadata?.get(name)?)));
    let fields: HashMap<Key, Cel> = ["name", "generateName"].into_iter().filter_map(named).collect();
    Cel::Map(Map { map: Arc::new(fields) })
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(name.to_owned()))
}

fn convert(value: &Value, schema: &Schema) -> Cel {
    match value {
        Value::Array(items) => {
            let Some(schema) = &schema.items else { return Cel::List(Arc::default()) };
            Cel::List(Arc::new(items.iter().map(|item| convert(item, schema)).collect()))
        }
        Value::Object(fields) => {
            let known = fields.iter().filter_map(|(name, value)| {
                // Keys of maps are data, names of fields are not.
                match schema.properties.get(name) {
                    Some(schema) => Some((key(&escape(name)), convert(value, schema))),
                    None => Some((key(name), convert(value, schema.additional.as_deref()?))),
                }
            });
            Cel::Map(Map { map: Arc::new(known.collect()) })
        }
        Value::String(text) if schema.format == Some(Format::DateTime) => {
            date_time(text).map_or_else(|| plain(value), Cel::Timestamp)
        }
        Value::Number(number) if schema.kind == Kind::Number => number.as_f64().map_or(Cel::Null, Cel::Float),
        scalar => plain(scalar),
    }
}

/// A scalar by what it looks like.
fn plain(value: &Value) -> Cel {
    match value {
        Value::Bool(truth) => Cel::Bool(*truth),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Number(number) => integer(number).map_or(Cel::Null, Cel::Int),
        Value::Null | Value::Array(_) | Value::Object(_) => Cel::Null,
    }
}

fn integer(number: &serde_json::Number) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "integers are checked to fit before rules are run")]
    number.as_i64().or_else(|| number.as_f64().map(|number| number as i64))
}
