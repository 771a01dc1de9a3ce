//! Messages embedded by `google.protobuf.Any`.
//!
//! An `Any` without a type is `{}` in protojson, which the printer does not know: it is printed as an `Empty`, which
//! nothing else here embeds, and put right afterwards.

use prost_reflect::{DynamicMessage, ReflectMessage, Value};
use serde_json::Value as Json;

const ANY: &str = "google.protobuf.Any";
const NOTHING: &str = "type.googleapis.com/google.protobuf.Empty";

/// Edits what `message` embeds if it is an `Any`. What cannot be decoded stays, for the printer to complain about.
pub(crate) fn edit(message: &mut DynamicMessage, edit: fn(&mut DynamicMessage)) {
    if message.descriptor().full_name() != ANY {
        return;
    }
    let url = message.get_field_by_name("type_url").and_then(|url| url.as_str().map(str::to_owned));
    let url = url.unwrap_or_default();
    if url.is_empty() {
        message.set_field_by_name("type_url", Value::String(NOTHING.to_owned()));
        return;
    }
    let name = url.rsplit('/').next().unwrap_or_default();
    let kind = message.descriptor().parent_pool().get_message_by_name(name);
    let value = message.get_field_by_name("value").and_then(|value| value.as_bytes().cloned());
    let embedded = kind.zip(value).and_then(|(kind, value)| DynamicMessage::decode(kind, value).ok());
    if let Some(mut embedded) = embedded {
        edit(&mut embedded);
        let encoded = prost_reflect::prost::Message::encode_to_vec(&embedded);
        message.set_field_by_name("value", Value::Bytes(encoded.into()));
    }
}

/// Prints as `{}` what embeds nothing.
pub(crate) fn restore(printed: Json) -> Json {
    match printed {
        Json::Object(fields) if fields.get("@type").is_some_and(|url| url == NOTHING) => {
            Json::Object(Default::default())
        }
        Json::Object(fields) => fields.into_iter().map(|(name, value)| (name, restore(value))).collect(),
        Json::Array(items) => items.into_iter().map(restore).collect(),
        other => other,
    }
}
