//! `x-kubernetes-validations`: rules in CEL (`apiextensions-apiserver/pkg/apiserver/schema/cel`).

mod functions;
mod name;
mod rule;
mod value;

pub(crate) use rule::{Programs, Rule};

use kube_cel::cel::Context;
use serde_json::Value;

use crate::list::key_of;
use crate::path::Path;
use crate::schema::{List, Schema};
use crate::violation::Findings;

/// Runs the rules of a whole object, which has been found sound in structure.
pub(crate) fn check_rules(object: &Value, old: Option<&Value>, schema: &Schema, found: &mut Findings) {
    functions::with_functions(|functions| Judge { functions, found }.judge(object, old, schema, Path::Root));
}

struct Judge<'j> {
    functions: &'j Context<'static>,
    found: &'j mut Findings,
}

impl Judge<'_> {
    fn judge(&mut self, value: &Value, old: Option<&Value>, schema: &Schema, path: Path<'_>) {
        // Rules about a null are those of what surrounds it.
        if !schema.has_rules || value.is_null() {
            return;
        }
        if !schema.rules.is_empty() {
            self.run(value, old, schema, path);
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let Some(schema) = schema.field(name) else { continue };
                    let old = old.and_then(|old| old.get(name));
                    self.judge(value, old, schema, path.field(name));
                }
            }
            Value::Array(items) => {
                let Some(below) = &schema.items else { return };
                for (index, item) in items.iter().enumerate() {
                    self.judge(item, counterpart(item, old, &schema.list), below, path.item(index));
                }
            }
            _ => {}
        }
    }

    fn run(&mut self, value: &Value, old: Option<&Value>, schema: &Schema, path: Path<'_>) {
        let mut scope = self.functions.new_inner_scope();
        scope.add_variable_from_value("self", value::of(value, schema, path));
        for rule in &schema.rules {
            if !rule.reads_old {
                rule.run(&scope, path, self.found);
            } else if let Some(old) = old {
                let mut scope = scope.new_inner_scope();
                let old = value::of(old, schema, path);
                scope.add_variable_from_value("oldSelf", rule.old(old));
                rule.run(&scope, path, self.found);
            }
        }
    }
}

/// The item of the old list that this one was; only items of maps can be told (KEP-2876).
fn counterpart<'o>(item: &Value, old: Option<&'o Value>, list: &List) -> Option<&'o Value> {
    let List::Map(keys) = list else { return None };
    let key = key_of(item.as_object()?, keys);
    old?.as_array()?.iter().find(|old| old.as_object().is_some_and(|old| key_of(old, keys) == key))
}
