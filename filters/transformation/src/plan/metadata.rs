//! Entries of dynamic metadata.

use ferrule_kit::ConfigError;

use super::{MAX_ENTRIES, template, too_many};
use crate::config::{MetadataTransformation, MetadataValue};
use crate::template::Template;

/// The longest namespace or key of metadata that the custom resource allows, in bytes.
const MAX_NAME: usize = 256;

/// An entry of dynamic metadata.
#[derive(Debug)]
pub(crate) struct MetadataPlan {
    pub(crate) namespace: String,
    pub(crate) key: String,
    pub(crate) value: MetadataTemplate,
}

/// What its value is.
#[derive(Debug)]
pub(crate) enum MetadataTemplate {
    Text(Template),
    Json(Template),
}

impl MetadataTemplate {
    /// The template, and the field that it stands in.
    pub(crate) fn template(&self) -> (&Template, &'static str) {
        match self {
            Self::Text(template) => (template, "stringValue"),
            Self::Json(template) => (template, "jsonValue"),
        }
    }
}

/// Compiles the entries of the list at `path`.
pub(crate) fn plans(
    path: &str,
    entries: Vec<MetadataTransformation>,
    escapes: bool,
) -> Result<Vec<MetadataPlan>, ConfigError> {
    if entries.len() > MAX_ENTRIES {
        return Err(too_many(path));
    }
    let numbered = entries.into_iter().enumerate();
    numbered.map(|(number, entry)| plan(&format!("{path}[{number}]"), entry, escapes)).collect()
}

fn plan(path: &str, entry: MetadataTransformation, escapes: bool) -> Result<MetadataPlan, ConfigError> {
    for (name, value) in [("namespace", &entry.namespace), ("key", &entry.key)] {
        if value.is_empty() || value.len() > MAX_NAME {
            return Err(ConfigError::new(format!("{path}.{name}"), "is empty or longer than 256 bytes"));
        }
    }
    let value = value(&format!("{path}.value"), entry.value, escapes)?;
    Ok(MetadataPlan { namespace: entry.namespace, key: entry.key, value })
}

fn value(path: &str, written: MetadataValue, escapes: bool) -> Result<MetadataTemplate, ConfigError> {
    let given = |value: Option<String>| value.filter(|value| !value.is_empty());
    let compile = |field: &str, source: &str| template(format!("{path}.{field}"), source, escapes);
    match (given(written.string_value), given(written.json_value)) {
        (Some(text), None) => compile("stringValue", &text).map(MetadataTemplate::Text),
        (None, Some(json)) => compile("jsonValue", &json).map(MetadataTemplate::Json),
        _ => Err(ConfigError::new(path, "exactly one kind of value is needed: stringValue or jsonValue")),
    }
}
