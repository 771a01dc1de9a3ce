//! `metadata`: names, labels, annotations (`k8s.io/apimachinery/pkg/api/validation`, RFC 1123).

use serde_json::{Map, Value};

use crate::check::quoted;
use crate::definition::Scope;
use crate::path::Path;
use crate::violation::{Cause, Findings};

/// Bytes of all annotations together (`TotalAnnotationSizeLimitB`).
const MOST_ANNOTATIONS: usize = 256 << 10;

/// The type of a field of `metav1.ObjectMeta`.
#[derive(Clone, Copy)]
enum Sort {
    Text,
    Number,
    Texts,
    Map,
    Objects,
}

const FIELDS: [(&str, Sort); 15] = [
    ("name", Sort::Text),
    ("generateName", Sort::Text),
    ("namespace", Sort::Text),
    ("selfLink", Sort::Text),
    ("uid", Sort::Text),
    ("resourceVersion", Sort::Text),
    ("generation", Sort::Number),
    ("creationTimestamp", Sort::Text),
    ("deletionTimestamp", Sort::Text),
    ("deletionGracePeriodSeconds", Sort::Number),
    ("labels", Sort::Map),
    ("annotations", Sort::Map),
    ("ownerReferences", Sort::Objects),
    ("finalizers", Sort::Texts),
    ("managedFields", Sort::Objects),
];

/// Checks the metadata of an object.
pub(crate) fn check_metadata(metadata: &Value, scope: Scope, found: &mut Findings) {
    let path = Path::Root.field("metadata");
    let fields = match metadata {
        Value::Object(fields) => fields,
        Value::Null => return found.add(path.field("name"), Cause::Required, "is required"),
        // The schema says that it must be an object.
        _ => return,
    };
    for (name, value) in fields {
        check_type(name, value, path.field(name), found);
    }
    check_names(fields, scope, path, found);
    check_labels(fields, path, found);
    check_annotations(fields, path, found);
    check_finalizers(fields, path, found);
}

fn check_type(name: &str, value: &Value, path: Path<'_>, found: &mut Findings) {
    let Some((_, sort)) = FIELDS.iter().find(|(known, _)| *known == name) else {
        let message = format!("unknown field `{name}`; is it misspelled or misplaced?");
        return found.add(path, Cause::UnknownField, message);
    };
    match (sort, value) {
        (_, Value::Null) | (Sort::Text, Value::String(_)) | (Sort::Number, Value::Number(_)) => {}
        (Sort::Texts, Value::Array(items)) if items.iter().all(Value::is_string) => {}
        (Sort::Objects, Value::Array(items)) if items.iter().all(Value::is_object) => {}
        (Sort::Map, Value::Object(entries)) => {
            for (key, _) in entries.iter().filter(|(_, value)| !value.is_string() && !value.is_null()) {
                found.add(path.field(key), Cause::Type, "must be a string; quote it");
            }
        }
        (Sort::Text, _) => found.add(path, Cause::Type, "must be a string; quote it"),
        (Sort::Number, _) => found.add(path, Cause::Type, "must be a number"),
        (Sort::Texts, _) => found.add(path, Cause::Type, "must be a list of strings"),
        (Sort::Map, _) => found.add(path, Cause::Type, "must be a map of strings"),
        (Sort::Objects, _) => found.add(path, Cause::Type, "must be a list of objects"),
    }
}

fn check_names(fields: &Map<String, Value>, scope: Scope, path: Path<'_>, found: &mut Findings) {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let generated = text("generateName");
    match text("name") {
        "" if generated.is_empty() => found.add(path.field("name"), Cause::Required, "is required"),
        "" => {}
        name if is_subdomain(name) => {}
        name => found.add(path.field("name"), Cause::Invalid, not_a_name(name)),
    }
    // What is generated puts letters after it.
    if !generated.is_empty() && !is_subdomain(&format!("{}a", generated.trim_end_matches('-'))) {
        found.add(path.field("generateName"), Cause::Invalid, not_a_name(generated));
    }
    // That of a cluster-scoped object is ignored.
    let namespace = text("namespace");
    if scope == Scope::Namespaced && !namespace.is_empty() && !is_label(namespace) {
        let message = format!(
            "{namespace:?} is no namespace: lower-case letters, digits and '-' only, at most 63 of them"
        );
        found.add(path.field("namespace"), Cause::Invalid, message);
    }
}

fn not_a_name(name: &str) -> String {
    format!("{name:?} is no name: lower-case letters, digits, '-' and '.' only, at most 253 of them")
}

fn entries<'m>(fields: &'m Map<String, Value>, name: &str) -> impl Iterator<Item = (&'m str, &'m Value)> {
    let entries = fields.get(name).and_then(Value::as_object);
    entries.into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn check_labels(fields: &Map<String, Value>, path: Path<'_>, found: &mut Findings) {
    let path = path.field("labels");
    for (key, value) in entries(fields, "labels") {
        if !is_qualified(key) {
            found.add(path.field(key), Cause::Invalid, not_qualified(key));
        }
        if value.as_str().is_some_and(|value| !is_label_value(value)) {
            let message = format!(
                "{} is no label: letters, digits, '-', '_' and '.' only, at most 63 of them, the outer ones letters or digits",
                quoted(value)
            );
            found.add(path.field(key), Cause::Invalid, message);
        }
    }
}

fn check_annotations(fields: &Map<String, Value>, path: Path<'_>, found: &mut Findings) {
    let path = path.field("annotations");
    let mut size = 0;
    for (key, value) in entries(fields, "annotations") {
        size += key.len() + value.as_str().map_or(0, str::len);
        if !is_qualified(&key.to_lowercase()) {
            found.add(path.field(key), Cause::Invalid, not_qualified(key));
        }
    }
    if size > MOST_ANNOTATIONS {
        let message = format!("must have at most {MOST_ANNOTATIONS} bytes together, not {size}");
        found.add(path, Cause::TooLong, message);
    }
}

fn check_finalizers(fields: &Map<String, Value>, path: Path<'_>, found: &mut Findings) {
    let path = path.field("finalizers");
    let finalizers = fields.get("finalizers").and_then(Value::as_array);
    for (index, name) in finalizers.into_iter().flatten().enumerate() {
        if let Some(name) = name.as_str().filter(|name| !is_qualified(name)) {
            found.add(path.item(index), Cause::Invalid, not_qualified(name));
        }
    }
}

fn not_qualified(name: &str) -> String {
    format!(
        "{name:?} is no qualified name: letters, digits, '-', '_' and '.', at most 63 of them, after a DNS name and '/' if wanted"
    )
}

/// A DNS subdomain (RFC 1123).
fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_plain_label)
}

/// A DNS label (RFC 1123).
fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_plain_label(text)
}

fn is_plain_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(plain) && !text.starts_with('-') && !text.ends_with('-')
}

/// `IsQualifiedName` of `k8s.io/apimachinery/pkg/util/validation`.
fn is_qualified(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_subdomain) && !name.is_empty() && is_label_value(name)
}

fn is_label_value(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let outer = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.len() <= 63 && text.bytes().all(inner) && outer(bytes.first()) && outer(bytes.last())
}
