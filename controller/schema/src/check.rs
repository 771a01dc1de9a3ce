//! Structure: types, bounds, patterns, formats, and what must be there (`k8s.io/kube-openapi/pkg/validation/validate`).

use serde_json::{Map, Value};

use crate::path::Path;
use crate::schema::{Kind, Schema};
use crate::violation::{Cause, Findings, Violation};

/// Checks a value and all that is in it.
pub(crate) fn check(value: &Value, schema: &Schema, path: Path<'_>, found: &mut Findings) {
    if value.is_null() && schema.nullable {
        return;
    }
    if !schema.kind.takes(value) {
        let message = format!("must be {}, not {}", schema.kind.name(), sort_of(value));
        return found.add(path, Cause::Type, message);
    }
    check_values(value, schema, path, found);
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(_) => check_number(value, schema, path, found),
        Value::String(text) => check_text(text, schema, path, found),
        Value::Array(items) => check_items(items, schema, path, found),
        Value::Object(fields) => check_fields(fields, schema, path, found),
    }
    check_combinations(value, schema, path, found);
}

fn sort_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn check_values(value: &Value, schema: &Schema, path: Path<'_>, found: &mut Findings) {
    let Some(values) = &schema.values else { return };
    let same = |known: &Value| known == value || (known.is_number() && known.as_f64() == value.as_f64());
    if !values.iter().any(same) {
        let known: Vec<String> = values.iter().map(Value::to_string).collect();
        let message = format!("must be one of {}, not {}", known.join(", "), quoted(value));
        found.add(path, Cause::NotSupported, message);
    }
}

fn check_number(value: &Value, schema: &Schema, path: Path<'_>, found: &mut Findings) {
    let Some(number) = value.as_f64() else { return };
    if matches!(schema.kind, Kind::Integer | Kind::IntOrString) {
        let (least, most) = schema.format.map_or((i64::MIN, i64::MAX), |format| format.range());
        if !fits(value, least, most) {
            found.add(path, Cause::Invalid, format!("must be from {least} to {most}"));
        }
    }
    let below = schema.number.least.filter(|least| number < *least);
    let above = schema.number.most.filter(|most| number > *most);
    if let Some(least) = below {
        found.add(path, Cause::Invalid, format!("must be at least {least}, not {value}"));
    }
    if let Some(most) = above {
        found.add(path, Cause::Invalid, format!("must be at most {most}, not {value}"));
    }
}

fn fits(value: &Value, least: i64, most: i64) -> bool {
    match (value.as_i64(), value.as_f64()) {
        (Some(number), _) => (least..=most).contains(&number),
        #[expect(
            clippy::cast_precision_loss,
            reason = "an integer written as a float is exact, or no integer"
        )]
        (None, Some(number)) => (least as f64..=most as f64).contains(&number),
        (None, None) => false,
    }
}

/// Of length, pattern and format only the first that is wrong is told, as the API server does.
fn check_text(text: &str, schema: &Schema, path: Path<'_>, found: &mut Findings) {
    let length = text.chars().count() as u64;
    if let Some(most) = schema.length.most.filter(|most| length > *most) {
        found.add(path, Cause::TooLong, format!("must have at most {most} characters, not {length}"));
    } else if let Some(least) = schema.length.least.filter(|least| length < *least) {
        let message = match (length, least) {
            (0, 1) => "must not be empty".to_owned(),
            _ => format!("must have at least {least} characters, not {length}"),
        };
        found.add(path, Cause::Invalid, message);
    } else if let Some(pattern) = schema.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        found.add(
            path,
            Cause::Invalid,
            format!("must match {}, not be {}", pattern.as_str(), shortened(text)),
        );
    }
    if let Some(format) = schema.format.filter(|format| !format.takes(text)) {
        let message = format!("must have the format {}, not be {}", format.name(), shortened(text));
        found.add(path, Cause::Type, message);
    }
}

fn check_items(items: &[Value], schema: &Schema, path: Path<'_>, found: &mut Findings) {
    let count = items.len() as u64;
    if let Some(most) = schema.size.most.filter(|most| count > *most) {
        found.add(path, Cause::TooMany, format!("must have at most {most} items, not {count}"));
    }
    if let Some(least) = schema.size.least.filter(|least| count < *least) {
        found.add(path, Cause::Invalid, format!("must have at least {least} items, not {count}"));
    }
    let Some(schema) = &schema.items else { return };
    for (index, item) in items.iter().enumerate() {
        check(item, schema, path.item(index), found);
    }
}

fn check_fields(fields: &Map<String, Value>, schema: &Schema, path: Path<'_>, found: &mut Findings) {
    let count = fields.len() as u64;
    if let Some(most) = schema.fields.most.filter(|most| count > *most) {
        found.add(path, Cause::TooMany, format!("must have at most {most} fields, not {count}"));
    }
    if let Some(least) = schema.fields.least.filter(|least| count < *least) {
        found.add(path, Cause::Invalid, format!("must have at least {least} fields, not {count}"));
    }
    for name in schema.required.iter().filter(|name| !fields.contains_key(*name)) {
        found.add(path.field(name), Cause::Required, "is required");
    }
    for (name, value) in fields {
        if let Some(schema) = schema.field(name) {
            check(value, schema, path.field(name), found);
        }
    }
}

fn check_combinations(value: &Value, schema: &Schema, path: Path<'_>, found: &mut Findings) {
    for part in &schema.all_of {
        check(value, part, path, found);
    }
    if !schema.any_of.is_empty() && !schema.any_of.iter().any(|part| failures(value, part).is_empty()) {
        fits_none(value, &schema.any_of, path, found);
    }
    if !schema.one_of.is_empty() {
        match schema.one_of.iter().filter(|part| failures(value, part).is_empty()).count() {
            1 => {}
            0 => fits_none(value, &schema.one_of, path, found),
            fitting => {
                let message = format!(
                    "fits {fitting} of the forms that its schema allows, of which it may fit only one"
                );
                found.add(path, Cause::Invalid, message);
            }
        }
    }
    if schema.not.as_ref().is_some_and(|part| failures(value, part).is_empty()) {
        found.add(path, Cause::Invalid, "has a form that its schema forbids");
    }
}

fn failures(value: &Value, schema: &Schema) -> Vec<Violation> {
    let mut found = Findings::default();
    check(value, schema, Path::Root, &mut found);
    found.into_vec()
}

/// Tells what the form lacks that is nearest, the first of several; it weighs as much as that.
fn fits_none(value: &Value, forms: &[Schema], path: Path<'_>, found: &mut Findings) {
    let nearest = forms.iter().map(|form| failures(value, form)).min_by_key(Vec::len).unwrap_or_default();
    let blocking = nearest.iter().map(|lack| lack.cause).find(|cause| cause.blocks_rules());
    let lacks: Vec<String> = nearest.iter().map(Violation::to_string).collect();
    let message = format!("fits none of the forms that its schema allows; the nearest: {}", lacks.join(", "));
    found.add(path, blocking.unwrap_or(Cause::Invalid), message);
}

/// A value as it may stand in a message.
pub(crate) fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => shortened(text),
        Value::Array(_) | Value::Object(_) => sort_of(value).to_owned(),
        scalar => scalar.to_string(),
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
