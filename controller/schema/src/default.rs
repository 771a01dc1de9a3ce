//! What the API server does to an object before it looks at it: pruning, and defaults.

use serde_json::{Map, Value};

use crate::path::Path;
use crate::schema::Schema;
use crate::violation::{Cause, Findings};

/// Removes fields that the schema does not have, and tells of them.
pub(crate) fn remove_unknown(value: &mut Value, schema: &Schema, path: Path<'_>, found: &mut Findings) {
    match value {
        Value::Object(fields) => remove_unknown_fields(fields, schema, path, found),
        Value::Array(items) => {
            let Some(schema) = &schema.items else { return };
            for (index, item) in items.iter_mut().enumerate() {
                remove_unknown(item, schema, path.item(index), found);
            }
        }
        _ => {}
    }
}

fn remove_unknown_fields(
    fields: &mut Map<String, Value>,
    schema: &Schema,
    path: Path<'_>,
    found: &mut Findings,
) {
    let is_root = matches!(path, Path::Root);
    fields.retain(|name, value| {
        if is_root && is_of_every_object(name) {
            return true;
        }
        if let Some(schema) = schema.field(name) {
            remove_unknown(value, schema, path.field(name), found);
            return true;
        }
        if !schema.preserves_unknown {
            let message = format!("unknown field `{name}`; is it misspelled or misplaced?");
            found.add(path.field(name), Cause::UnknownField, message);
        }
        schema.preserves_unknown
    });
}

/// Whether all objects have this field, whatever their schema says.
pub(crate) fn is_of_every_object(field: &str) -> bool {
    matches!(field, "apiVersion" | "kind" | "metadata")
}

/// Removes nulls that mean nothing, puts defaults in the place of those that mean the default and of what is missing.
pub(crate) fn fill(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(fields) => fill_object(fields, schema),
        Value::Array(items) => {
            let Some(schema) = &schema.items else { return };
            for item in items {
                if let (true, Some(default)) = (is_dropped(item, schema), &schema.default) {
                    *item = default.clone();
                }
                fill(item, schema);
            }
        }
        _ => {}
    }
}

fn fill_object(fields: &mut Map<String, Value>, schema: &Schema) {
    fields.retain(|name, value| !schema.field(name).is_some_and(|schema| is_dropped(value, schema)));
    for (name, schema) in &schema.properties {
        if let Some(default) = &schema.default
            && !fields.contains_key(name)
        {
            fields.insert(name.clone(), default.clone());
        }
    }
    for (name, value) in fields {
        if let Some(schema) = schema.field(name) {
            fill(value, schema);
        }
    }
}

fn is_dropped(value: &Value, schema: &Schema) -> bool {
    value.is_null() && !schema.nullable
}
