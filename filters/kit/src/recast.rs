//! A header section that becomes another one, by as few edits as may be: each is a call into the proxy, which looks the name up.

use std::borrow::Cow;

use crate::{FieldLines, Fields, Host, Lines};

/// The fields that a section is to have, and what is to be done for them.
#[derive(Debug)]
pub struct Recast<'f> {
    fields: Vec<Field<'f>>,
    /// Names of lines that go, a line of text each: a section has too many for an allocation each.
    gone: String,
}

#[derive(Debug)]
struct Field<'f> {
    name: &'f str,
    value: Cow<'f, [u8]>,
    edit: Edit,
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    /// The one line of that name says so already.
    Keep,
    Add,
    Set,
}

impl<'f> Recast<'f> {
    /// Makes `lines` these fields, but for lines whose names are none of theirs and `stay`.
    pub fn of(
        fields: impl IntoIterator<Item = (&'f str, Cow<'f, [u8]>)>,
        lines: &Lines<'_>,
        stays: impl Fn(&[u8]) -> bool,
    ) -> Self {
        let fields = fields.into_iter().map(|(name, value)| Field { name, value, edit: Edit::Add });
        let mut recast = Self { fields: fields.collect(), gone: String::new() };
        for (name, value) in lines {
            recast.meet(name, value, &stays);
        }
        recast
    }

    fn meet(&mut self, name: &[u8], value: &[u8], stays: impl Fn(&[u8]) -> bool) {
        let mut named = self.fields.iter_mut().filter(|field| field.name.as_bytes() == name);
        match (named.next(), named.next()) {
            (Some(field), None) => field.edit = field.edit.met(*field.value == *value),
            (None, _) if stays(name) => {}
            _ => {
                // A name that is no UTF-8 is none that a proxy lets through.
                self.gone.push_str(std::str::from_utf8(name).unwrap_or_default());
                self.gone.push('\n');
            }
        }
    }

    /// Edits the section.
    pub fn apply(&self, host: &mut dyn Host, section: Fields) {
        self.gone.lines().for_each(|name| host.remove_field(section, name));
        for Field { name, value, edit } in &self.fields {
            match edit {
                Edit::Keep => {}
                Edit::Add => host.add_field(section, name, value),
                Edit::Set => host.set_field(section, name, value),
            }
        }
    }

    /// The fields alone.
    pub fn into_lines(self) -> FieldLines {
        self.fields.into_iter().map(|field| (field.name.to_owned(), field.value.into_owned())).collect()
    }
}

impl Edit {
    /// What is to be done once another line of the field's name was met.
    fn met(self, is_equal: bool) -> Self {
        if is_equal && matches!(self, Self::Add) { Self::Keep } else { Self::Set }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn edits(fields: &[(&str, &str)], lines: &[(&str, &str)]) -> Vec<String> {
        let fields = fields.iter().map(|(name, value)| (*name, Cow::Borrowed(value.as_bytes())));
        let lines: Vec<_> = lines.iter().map(|(n, v)| (n.as_bytes().into(), v.as_bytes().into())).collect();
        let recast = Recast::of(fields, &lines, |name| name == b"stays");
        let gone = recast.gone.lines().map(|name| format!("- {name}"));
        let made = recast.fields.iter().filter_map(|field| match field.edit {
            Edit::Keep => None,
            Edit::Add => Some(format!("+ {}", field.name)),
            Edit::Set => Some(format!("= {}", field.name)),
        });
        gone.chain(made).collect()
    }

    #[test]
    fn only_what_differs_is_edited() {
        let lines = [("a", "1"), ("stays", "x"), ("b", "1"), ("c", "1"), ("c", "1"), ("goes", "x")];
        let fields = [("a", "1"), ("b", "2"), ("c", "1"), ("d", "1")];
        assert_eq!(edits(&fields, &lines), ["- goes", "= b", "= c", "+ d"]);
    }

    #[test]
    fn lines_of_fields_with_several_values_are_made_anew() {
        let fields = [("set-cookie", "a"), ("set-cookie", "b")];
        assert_eq!(edits(&fields, &[("set-cookie", "a")]), ["- set-cookie", "+ set-cookie", "+ set-cookie"]);
    }
}
