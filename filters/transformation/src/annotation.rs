//! Metadata and span names, rendered.

use std::borrow::Cow;

use ferrule_kit::Value;

use crate::edits::MetadataEdit;
use crate::json::{Document, Kind, Node, unescape};
use crate::plan::{MetadataPlan, MetadataTemplate};
use crate::scope::MessageScope;
use crate::template::{Meter, Template};
use crate::transform::{Cause, MAX_VALUE, Problem};

/// Templates of a list of metadata or of a span name, rendered on what `scope` shows.
pub(crate) struct Annotation<'s, 'a, 'h> {
    pub(crate) scope: &'s MessageScope<'a, 'h>,
    pub(crate) meter: &'s Meter,
    /// The object of the configuration that holds the fields.
    pub(crate) at: &'s str,
}

impl<'a> Annotation<'_, 'a, '_> {
    /// All entries, those of objects taken apart.
    pub(crate) fn metadata(&self, entries: &'a [MetadataPlan]) -> Result<Vec<MetadataEdit<'a>>, Problem> {
        let mut edits = Vec::with_capacity(entries.len());
        for (number, entry) in entries.iter().enumerate() {
            let (template, field) = entry.value.template();
            let path = || format!("{}.dynamicMetadata[{number}].value.{field}", self.at);
            let text = self.text(template, path)?;
            let namespace = &*entry.namespace;
            match &entry.value {
                MetadataTemplate::Text(_) => {
                    let value = Value::Text(text.into_bytes().into());
                    edits.push(MetadataEdit { namespace, key: Cow::Borrowed(&entry.key), value });
                }
                MetadataTemplate::Json(_) => {
                    let values = typed(&entry.key, &text).map_err(|cause| Problem { path: path(), cause })?;
                    let edit = |(key, value)| MetadataEdit { namespace, key: Cow::Owned(key), value };
                    edits.extend(values.into_iter().map(edit));
                }
            }
        }
        Ok(edits)
    }

    /// The name of a span, if there is to be one.
    pub(crate) fn span_name(&self, template: Option<&'a Template>) -> Result<Option<String>, Problem> {
        let name =
            template.map(|template| self.text(template, || format!("{}.spanName", self.at))).transpose()?;
        Ok(name.filter(|name| !name.is_empty()))
    }

    fn text(&self, template: &'a Template, path: impl Fn() -> String) -> Result<String, Problem> {
        let rendered = template.render(self.scope, self.meter, MAX_VALUE);
        let rendered = rendered.map_err(|failure| Problem { path: path(), cause: Cause::Render(failure) })?;
        String::from_utf8(rendered.into_bytes().into_vec())
            .map_err(|_| Problem { path: path(), cause: Cause::Metadata("is no UTF-8") })
    }
}

/// The keys and values that a JSON text comes to; nothing comes of an empty one.
fn typed(key: &str, text: &str) -> Result<Vec<(String, Value<'static>)>, Cause> {
    let mut values = Vec::new();
    if !text.trim().is_empty() {
        let document = Document::parse(text.as_bytes(), &[]).map_err(|_| Cause::Metadata("is no JSON"))?;
        collect(key, document.root(), &mut values)?;
    }
    Ok(values)
}

/// Envoy's modules can set scalars and lists of scalars: members of objects become keys of their own.
fn collect(key: &str, node: Node<'_>, values: &mut Vec<(String, Value<'static>)>) -> Result<(), Cause> {
    if !matches!(node.kind(), Kind::Object) {
        values.extend(value(node)?.map(|value| (key.to_owned(), value)));
        return Ok(());
    }
    for (member, node) in node.members() {
        let member = member.text().ok_or(SURROGATE)?;
        collect(&format!("{key}.{member}"), node, values)?;
    }
    Ok(())
}

const SURROGATE: Cause = Cause::Metadata("holds half of a surrogate pair");

fn value(node: Node<'_>) -> Result<Option<Value<'static>>, Cause> {
    Ok(match node.kind() {
        Kind::Null => None,
        Kind::Bool(truth) => Some(Value::Bool(truth)),
        Kind::Number(text) => text.parse().ok().map(Value::Number),
        Kind::String(raw) => {
            Some(Value::Text(unescape(raw).ok_or(SURROGATE)?.into_owned().into_bytes().into()))
        }
        Kind::Array => list(node)?,
        Kind::Object => None,
    })
}

/// A list of scalars of one kind; any other list as its text.
fn list(node: Node<'_>) -> Result<Option<Value<'static>>, Cause> {
    let mut items = Vec::new();
    for element in node.elements() {
        let item = if matches!(element.kind(), Kind::Array) { None } else { value(element)? };
        match item {
            Some(item) => items.push(item),
            None => return Ok(Some(Value::Text(node.text().as_bytes().to_vec().into()))),
        }
    }
    let alike =
        items.windows(2).all(|pair| std::mem::discriminant(&pair[0]) == std::mem::discriminant(&pair[1]));
    let text = || Value::Text(node.text().as_bytes().to_vec().into());
    Ok(Some(if alike { Value::List(items) } else { text() }))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn json_keeps_its_types_and_objects_are_taken_apart() {
        let text = |text: &'static str| Value::from(text);
        let json = r#"{"name": "\u00e9", "n": 1.5, "yes": true, "none": null, "deep": {"l": ["a", "b"], "m": [1, "x"]}}"#;
        let expected = [
            ("k.name", text("é")),
            ("k.n", Value::Number(1.5)),
            ("k.yes", Value::Bool(true)),
            ("k.deep.l", Value::List(vec![text("a"), text("b")])),
            ("k.deep.m", text("[1, \"x\"]")),
        ];
        let found = typed("k", json).unwrap_or_default();
        let found: Vec<_> = found.iter().map(|(key, value)| (&**key, value.clone())).collect();
        assert_eq!(found, expected);
        assert_eq!(typed("k", "7").unwrap_or_default(), [("k".to_owned(), Value::Number(7.0))]);
        assert!(typed("k", " ").is_ok_and(|values| values.is_empty()));
        assert!(typed("k", "{").is_err());
    }
}
