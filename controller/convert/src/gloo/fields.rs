//! The fields of an object, each known by its path, none of them overlooked.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::notes::Notes;

/// The fields of an object.
#[derive(Debug)]
pub(super) struct Fields<'v> {
    pub(super) path: String,
    members: Option<&'v Map<String, Value>>,
    asked: BTreeSet<&'v str>,
}

/// A value and its path.
#[derive(Clone, Debug)]
pub(super) struct Field<'v> {
    pub(super) value: &'v Value,
    pub(super) path: String,
}

impl<'v> Fields<'v> {
    /// Those of `field`, which should be an object.
    pub(super) fn of(field: &Field<'v>, notes: &mut Notes) -> Self {
        let members = field.value.as_object();
        if members.is_none() {
            notes.error(&field.path, "is no object");
        }
        Self { path: field.path.clone(), members, asked: BTreeSet::new() }
    }

    /// The field of that name, be it written `likeThis` or, as protobuf allows, `like_this`.
    pub(super) fn get(&mut self, name: &str) -> Option<Field<'v>> {
        let same = |key: &str| key == name || (key.contains('_') && camel(key) == name);
        let (key, value) = self.members?.iter().find(|(key, _)| same(key))?;
        self.asked.insert(key);
        (!value.is_null()).then(|| Field { value, path: join(&self.path, key) })
    }

    pub(super) fn object(&mut self, name: &str, notes: &mut Notes) -> Option<Fields<'v>> {
        self.get(name).map(|field| Fields::of(&field, notes))
    }

    /// The members of a map.
    pub(super) fn entries(&mut self, name: &str, notes: &mut Notes) -> Vec<(&'v str, Field<'v>)> {
        let Some(field) = self.get(name) else { return Vec::new() };
        let Some(members) = field.value.as_object() else {
            notes.error(&field.path, "is no object");
            return Vec::new();
        };
        let entry =
            |(key, value): (&'v String, &'v Value)| (&**key, Field { value, path: join(&field.path, key) });
        members.iter().map(entry).collect()
    }

    /// The items of a list.
    pub(super) fn items(&mut self, name: &str, notes: &mut Notes) -> Vec<Field<'v>> {
        let Some(field) = self.get(name) else { return Vec::new() };
        let Some(items) = field.value.as_array() else {
            notes.error(&field.path, "is no list");
            return Vec::new();
        };
        let item = |(number, value)| Field { value, path: format!("{}[{number}]", field.path) };
        items.iter().enumerate().map(item).collect()
    }

    pub(super) fn text(&mut self, name: &str, notes: &mut Notes) -> Option<&'v str> {
        let field = self.get(name)?;
        if field.value.as_str().is_none() {
            notes.error(&field.path, "is no string");
        }
        field.value.as_str()
    }

    /// False if it is missing.
    pub(super) fn flag(&mut self, name: &str, notes: &mut Notes) -> bool {
        self.optional_flag(name, notes).unwrap_or(false)
    }

    pub(super) fn optional_flag(&mut self, name: &str, notes: &mut Notes) -> Option<bool> {
        let field = self.get(name)?;
        if field.value.as_bool().is_none() {
            notes.error(&field.path, "is neither true nor false");
        }
        field.value.as_bool()
    }

    /// All fields but those of these names.
    pub(super) fn other_than(&self, names: &[&str]) -> Vec<(&'v str, &'v Value)> {
        let members = self.members.into_iter().flatten();
        members.map(|(key, value)| (&**key, value)).filter(|(key, _)| !names.contains(key)).collect()
    }

    /// Says which fields nobody asked for.
    pub(super) fn finish(self, notes: &mut Notes) {
        for key in self.rest() {
            notes.error(&join(&self.path, key), "this field is not known, so it cannot be converted");
        }
    }

    /// The names of the fields that nobody asked for.
    pub(super) fn rest(&self) -> Vec<&'v str> {
        let keys = self.members.into_iter().flat_map(Map::keys).map(String::as_str);
        keys.filter(|key| !self.asked.contains(key)).collect()
    }
}

/// The path of a field of what `path` names.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut camel, word| {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
        camel
    })
}
