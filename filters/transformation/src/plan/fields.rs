//! Header fields to set, add and remove.

use ferrule_kit::{ConfigError, Message};

use super::{MAX_ENTRIES, template, too_many};
use crate::config::HeaderTransformation;
use crate::field::{self, Change};
use crate::template::Template;

/// A header field and its template; without one it is removed.
#[derive(Debug)]
pub(crate) struct FieldPlan {
    pub(crate) name: String,
    pub(crate) value: Option<Template>,
}

/// Fields that take the place of those of their name.
pub(super) fn set(
    path: &str,
    entries: Vec<HeaderTransformation>,
    message: Message,
    escapes: bool,
) -> Result<Vec<FieldPlan>, ConfigError> {
    plans(path, entries, message, Change::Set, escapes)
}

/// Fields that come after those of their name.
pub(super) fn add(
    path: &str,
    entries: Vec<HeaderTransformation>,
    message: Message,
    escapes: bool,
) -> Result<Vec<FieldPlan>, ConfigError> {
    plans(path, entries, message, Change::Add, escapes)
}

/// Names of fields that go.
pub(super) fn removals(path: &str, names: &[String], message: Message) -> Result<Vec<String>, ConfigError> {
    if names.len() > MAX_ENTRIES {
        return Err(too_many(path));
    }
    let numbered = names.iter().enumerate();
    numbered
        .map(|(number, name)| named(&format!("{path}[{number}]"), name, message, Change::Remove))
        .collect()
}

fn plans(
    path: &str,
    entries: Vec<HeaderTransformation>,
    message: Message,
    change: Change,
    escapes: bool,
) -> Result<Vec<FieldPlan>, ConfigError> {
    check_list(path, entries.iter().map(|entry| &*entry.name))?;
    let numbered = entries.into_iter().enumerate();
    numbered
        .map(|(number, entry)| plan(&format!("{path}[{number}]"), entry, message, change, escapes))
        .collect()
}

fn plan(
    path: &str,
    entry: HeaderTransformation,
    message: Message,
    change: Change,
    escapes: bool,
) -> Result<FieldPlan, ConfigError> {
    // A field that is set to nothing is removed.
    let written = entry.value.filter(|value| !value.is_empty());
    let change = if written.is_none() && change == Change::Set { Change::Remove } else { change };
    let name = named(&format!("{path}.name"), &entry.name, message, change)?;
    let value = written.map(|value| template(format!("{path}.value"), &value, escapes)).transpose()?;
    Ok(FieldPlan { name, value })
}

fn named(path: &str, written: &str, message: Message, change: Change) -> Result<String, ConfigError> {
    field::name(written, message, change)
        .map_err(|error| ConfigError::new(path, format!("`{written}` {error}")))
}

fn check_list<'n>(path: &str, names: impl Iterator<Item = &'n str>) -> Result<(), ConfigError> {
    let mut seen: Vec<&str> = Vec::new();
    for (number, name) in names.enumerate() {
        if number >= MAX_ENTRIES {
            return Err(too_many(path));
        }
        if seen.contains(&name) {
            return Err(ConfigError::new(
                format!("{path}[{number}].name"),
                format!("`{name}` is named twice"),
            ));
        }
        seen.push(name);
    }
    Ok(())
}
