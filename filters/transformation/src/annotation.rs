//! Metadata and span names, rendered.

use std::borrow::Cow;

use ferrule_kit::Value;

use crate::edits::MetadataEdit;
use crate::limits::MAX_VALUE;
use crate::plan::{MetadataPlan, MetadataTemplate};
use crate::problem::{Cause, Problem};
use crate::scope::MessageScope;
use crate::template::{Meter, Template};
use ferrule_json::{Document, Key, Kind, Node, unescape};

/// Templates of a list of metadata or of a span name, rendered on what `scope` shows.
pub(crate) struct Annotation<'s, 'a, 'h> {
    pub(crate) scope: &'s MessageScope<'a, 'h>,
    pub(crate) meter: &'s Meter,
    /// The object of the configuration that holds the fields.
    pub(crate) at: &'s str,
}

impl<'a> Annotation<'_, 'a, '_> {
    /// All entries.
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
                    edits.push(MetadataEdit { namespace, key: &entry.key, value });
                }
                MetadataTemplate::Json(_) => {
                    let value = typed(&text).map_err(|cause| Problem { path: path(), cause })?;
                    let edit = |value| MetadataEdit { namespace, key: &entry.key, value };
                    edits.extend(value.map(edit));
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

/// The value of a JSON text; none for null and for no text at all.
fn typed(text: &str) -> Result<Option<Value<'static>>, Cause> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let document = Document::parse(text.as_bytes(), &[]).map_err(|_| Cause::Metadata("is no JSON"))?;
    value(document.root()).map(|value| Some(value).filter(|value| *value != Value::Null))
}

fn value(node: Node<'_>) -> Result<Value<'static>, Cause> {
    Ok(match node.kind() {
        Kind::Null => Value::Null,
        Kind::Bool(truth) => Value::Bool(truth),
        // All numbers of metadata are doubles.
        Kind::Number(text) => Value::Number(text.parse().unwrap_or_default()),
        Kind::String(raw) => Value::Text(plain(raw)?.into_bytes().into()),
        Kind::Array => Value::List(node.elements().map(value).collect::<Result<_, _>>()?),
        Kind::Object => {
            let member = |(key, node): (Key<'_>, Node<'_>)| Ok((plain(key.raw())?, value(node)?));
            Value::Map(node.members().map(member).collect::<Result<_, _>>()?)
        }
    })
}

fn plain(raw: &str) -> Result<String, Cause> {
    unescape(raw).map(Cow::into_owned).ok_or(Cause::Metadata("holds half of a surrogate pair"))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn json_keeps_its_types() {
        let found = |text: &str| typed(text).unwrap_or_else(|cause| panic!("{cause}"));
        let json = r#"{"na\u006de": "\u00e9", "n": 1.5, "l": [true, null, {}]}"#;
        let list = Value::List(vec![Value::Bool(true), Value::Null, Value::Map(vec![])]);
        let members = [("name", Value::from("é")), ("n", Value::Number(1.5)), ("l", list)];
        let members = members.map(|(key, value)| (key.to_owned(), value));
        assert_eq!(found(json), Some(Value::Map(members.into())));
        assert_eq!((found("7"), found(" "), found("null")), (Some(Value::Number(7.0)), None, None));
        assert!(typed("{").is_err() && typed("\"\\ud800\"").is_err());
    }
}
