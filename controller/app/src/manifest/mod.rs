//! YAML and JSON text -> objects, each with the places of its fields.
//!
//! Invariants: no input panics or takes memory out of proportion; what is wrong with one document never touches the
//! others of its file; nothing here knows which kinds exist.

mod composer;
mod documents;
mod node;
mod positions;
mod scalar;
mod surrogates;

#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

pub(crate) use node::{Fault, Mark};
pub(crate) use positions::Positions;

use composer::Composed;
use documents::Chunk;
use node::{Content, Node};

/// What a document says it is; what it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// One object as it is written.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) identity: Identity,
    /// `null` where there are faults.
    pub(crate) value: Value,
    pub(crate) positions: Positions,
    /// What keeps the object from being used.
    pub(crate) faults: Vec<Fault>,
}

/// What became of a document, or of an item of a `List`.
#[derive(Debug)]
pub(crate) enum Part {
    /// It names its kind and itself.
    Object(Manifest),
    /// It might be anything; the identity is what could be made out.
    Unreadable(Identity, Fault),
}

/// Reads all documents of a file.
pub(crate) fn read(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for chunk in documents::split(text) {
        let joined = surrogates::join_pairs(chunk.text);
        read_document(composer::compose(Chunk { text: &joined, ..chunk }), &mut parts);
    }
    parts
}

fn read_document(composed: Composed, parts: &mut Vec<Part>) {
    let Composed { root, complete, mut faults } = composed;
    let Some(root) = root else {
        parts.extend(faults.pop().map(|fault| Part::Unreadable(Identity::default(), fault)));
        return;
    };
    let identity = Identity::of(&root);
    if !complete {
        // The one that ended the reading comes last.
        parts.extend(faults.pop().map(|fault| Part::Unreadable(identity, fault)));
    } else if root.is_null() {
        // A document of comments only.
    } else if identity.kind.ends_with("List") && root.field("items").is_some() {
        read_list(root, &identity, &faults, parts);
    } else {
        parts.push(read_object(root, identity, faults));
    }
}

fn read_list(list: Node, identity: &Identity, faults: &[Fault], parts: &mut Vec<Part>) {
    let Content::Mapping(fields) = list.content else { return };
    let Some(items) = fields.into_iter().find(|field| field.name == "items") else { return };
    let Content::Sequence(nodes) = items.value.content else {
        let fault = Fault { at: items.at, path: "items".into(), message: "must be a list of objects".into() };
        return parts.push(Part::Unreadable(identity.clone(), fault));
    };
    for (index, node) in nodes.into_iter().enumerate() {
        let mut own = Identity::of(&node);
        if own.kind.is_empty() {
            own.kind = identity.kind.trim_end_matches("List").to_owned();
        }
        if own.api_version.is_empty() {
            own.api_version = identity.api_version.clone();
        }
        parts.push(read_object(node, own, faults_below(faults, &format!("items[{index}]"))));
    }
}

/// The faults of one item of a list, told from the item's own root.
fn faults_below(faults: &[Fault], item: &str) -> Vec<Fault> {
    let below = |fault: &Fault| {
        let path = fault.path.strip_prefix(item)?.trim_start_matches('.').to_owned();
        (!path.starts_with(|next: char| next.is_ascii_digit())).then(|| Fault { path, ..fault.clone() })
    };
    faults.iter().filter_map(below).collect()
}

fn read_object(node: Node, identity: Identity, faults: Vec<Fault>) -> Part {
    if let Some(missing) = identity.missing() {
        let message = format!("{missing} is missing; every object needs apiVersion, kind and metadata.name");
        return Part::Unreadable(identity, Fault { at: node.at, path: String::new(), message });
    }
    let positions = Positions::of(&node);
    let value = if faults.is_empty() { node.into_value() } else { Value::Null };
    Part::Object(Manifest { identity, value, positions, faults })
}

/// As `Kind namespace/name`, as far as it is known.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, .. } = self;
        f.write_str(kind)?;
        match (namespace.is_empty(), name.is_empty()) {
            (_, true) => Ok(()),
            (true, false) => write!(f, " {name}"),
            (false, false) => write!(f, " {namespace}/{name}"),
        }
    }
}

impl Identity {
    fn of(object: &Node) -> Self {
        let text = |node: Option<&Node>| node.and_then(Node::text).unwrap_or_default().to_owned();
        let metadata = object.field("metadata");
        let named = |name: &str| text(metadata.and_then(|metadata| metadata.field(name)));
        Self {
            api_version: text(object.field("apiVersion")),
            kind: text(object.field("kind")),
            namespace: named("namespace"),
            name: named("name"),
        }
    }

    fn missing(&self) -> Option<&'static str> {
        let needed = [(&self.api_version, "apiVersion"), (&self.kind, "kind"), (&self.name, "metadata.name")];
        needed.into_iter().find(|(text, _)| text.is_empty()).map(|(_, field)| field)
    }
}
