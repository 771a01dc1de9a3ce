//! Lists that are sets or maps hold nothing twice (`apiextensions-apiserver/pkg/apiserver/schema/listtype`).

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::path::Path;
use crate::schema::{List, Schema};
use crate::violation::{Cause, Findings};

/// Checks all lists of a value.
pub(crate) fn check_lists(value: &Value, schema: &Schema, path: Path<'_>, found: &mut Findings) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(schema) = schema.field(name) {
                    check_lists(value, schema, path.field(name), found);
                }
            }
        }
        Value::Array(items) => {
            match &schema.list {
                List::Atomic => {}
                List::Set => check_set(items, path, found),
                List::Map(keys) => check_map(items, keys, path, found),
            }
            let Some(schema) = &schema.items else { return };
            for (index, item) in items.iter().enumerate() {
                check_lists(item, schema, path.item(index), found);
            }
        }
        _ => {}
    }
}

fn check_set(items: &[Value], path: Path<'_>, found: &mut Findings) {
    for (index, first) in repeated(items.iter().map(Value::to_string)) {
        let message = format!("{} is in the list already, at [{first}]", items[index]);
        found.add(path.item(index), Cause::Duplicate, message);
    }
}

fn check_map(items: &[Value], keys: &[String], path: Path<'_>, found: &mut Findings) {
    // Structure has been checked; what is no object is told there.
    let Some(objects) = items.iter().map(Value::as_object).collect::<Option<Vec<_>>>() else { return };
    for (index, first) in repeated(objects.iter().map(|object| key_of(object, keys))) {
        let message = format!("{} is in the list already, at [{first}]", shown(objects[index], keys));
        found.add(path.item(index), Cause::Duplicate, message);
    }
}

/// What tells an item of a map apart from the others.
pub(crate) fn key_of(object: &Map<String, Value>, keys: &[String]) -> String {
    let values: Vec<_> = keys.iter().map(|key| object.get(key)).collect();
    serde_json::to_string(&values).unwrap_or_default()
}

fn shown(object: &Map<String, Value>, keys: &[String]) -> String {
    let fields = keys.iter().filter_map(|key| Some(format!("{key} {}", object.get(key)?)));
    let shown = fields.collect::<Vec<_>>().join(" with ");
    if shown.is_empty() { format!("an item without {}", keys.join(", ")) } else { shown }
}

/// Second appearances and the first of each; third ones are not told, as the API server does.
fn repeated(keys: impl Iterator<Item = String>) -> Vec<(usize, usize)> {
    let mut seen: HashMap<String, (usize, bool)> = HashMap::new();
    let mut repeated = Vec::new();
    for (index, key) in keys.enumerate() {
        let (first, told) = seen.entry(key).or_insert((index, true));
        if *first != index && std::mem::take(told) {
            repeated.push((index, *first));
        }
    }
    repeated
}
