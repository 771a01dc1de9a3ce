//! Extractors.

use serde_json::{Map, Value, json};

use super::fields::{Field, Fields, join};
use super::matcher::check_regex;
use super::notes::Notes;

/// An extractor in our words; none if it cannot be converted.
pub(super) fn convert(field: &Field<'_>, notes: &mut Notes) -> Option<Value> {
    let before = notes.errors();
    let mut fields = Fields::of(field, notes);
    let mut extractor = Map::new();
    if let Some(header) = fields.text("header", notes) {
        extractor.insert("header".to_owned(), header.into());
    } else if fields.get("body").is_some() {
        extractor.insert("body".to_owned(), json!({}));
    } else {
        notes.error(&fields.path, "has neither `header` nor `body`");
    }
    let regex = fields.text("regex", notes).unwrap_or_default();
    check_regex(&join(&fields.path, "regex"), regex, notes);
    extractor.insert("regex".to_owned(), regex.into());
    if let Some(group) = fields.get("subgroup").filter(|group| group.value != &json!(0)) {
        extractor.insert("subgroup".to_owned(), group.value.clone());
    }
    if let Some(mode) = fields.get("mode") {
        match mode_name(mode.value) {
            Some(name) => extractor.extend(name.map(|name| ("mode".to_owned(), name.into()))),
            None => notes.error(&mode.path, "is neither EXTRACT nor SINGLE_REPLACE nor REPLACE_ALL"),
        }
    }
    if let Some(text) = fields.text("replacementText", notes) {
        extractor.insert("replacementText".to_owned(), text.into());
    }
    fields.finish(notes);
    (notes.errors() == before).then_some(Value::Object(extractor))
}

/// The mode's name here; none where it need not be said.
fn mode_name(mode: &Value) -> Option<Option<&'static str>> {
    match (mode.as_str(), mode.as_u64()) {
        (Some("EXTRACT"), _) | (_, Some(0)) => Some(None),
        (Some("SINGLE_REPLACE"), _) | (_, Some(1)) => Some(Some("SingleReplace")),
        (Some("REPLACE_ALL"), _) | (_, Some(2)) => Some(Some("ReplaceAll")),
        _ => None,
    }
}
