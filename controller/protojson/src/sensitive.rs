//! Fields that Envoy's API marks by `udpa.annotations.sensitive`, in messages and in what these embed.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, Value};

use crate::embedded;

const REDACTED: &str = "[redacted]";

/// Replaces the values of all sensitive fields.
pub(crate) fn redact(message: &mut DynamicMessage) {
    embedded::edit(message, redact);
    for (field, value) in message.fields_mut() {
        if is_sensitive(&field) {
            *value = redacted(&field, value);
        } else {
            within(value);
        }
    }
}

fn within(value: &mut Value) {
    match value {
        Value::Message(message) => redact(message),
        Value::List(items) => items.iter_mut().for_each(within),
        Value::Map(entries) => entries.values_mut().for_each(within),
        _ => {}
    }
}

fn is_sensitive(field: &FieldDescriptor) -> bool {
    let mark = field.parent_pool().get_extension_by_name("udpa.annotations.sensitive");
    mark.is_some_and(|mark| field.options().get_extension(&mark).as_bool() == Some(true))
}

fn redacted(field: &FieldDescriptor, value: &Value) -> Value {
    match (value, field.kind()) {
        (Value::List(_), _) => Value::List(Vec::new()),
        (Value::Map(_), _) => Value::Map(Default::default()),
        (Value::String(_), _) => Value::String(REDACTED.to_owned()),
        (Value::Bytes(_), _) => Value::Bytes(REDACTED.into()),
        (Value::Message(_), Kind::Message(kind)) => {
            let mut message = DynamicMessage::new(kind);
            // A `DataSource`, in most cases.
            let _ = message.try_set_field_by_name("inline_string", Value::String(REDACTED.to_owned()));
            Value::Message(message)
        }
        (_, kind) => Value::default_value(&kind),
    }
}
