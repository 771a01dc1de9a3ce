//! Edits that were rendered and wait to be made, all of them or none.

use ferrule_kit::{Host, Message, Value};
use smallvec::SmallVec;

use crate::rope::{Bytes, Rope};

/// One edit of a header section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldEdit<'p> {
    /// One line in the place of all of that name.
    Set(&'p str, Bytes),
    /// One more line.
    Add(&'p str, Bytes),
    Remove(&'p str),
}

/// Edits of a header section in their order.
pub(crate) type FieldEdits<'a> = SmallVec<[FieldEdit<'a>; 2]>;

/// What a transform comes to.
#[derive(Debug, Default)]
pub(crate) struct Edits<'a> {
    pub(crate) fields: FieldEdits<'a>,
    pub(crate) body: NewBody<'a>,
    pub(crate) metadata: Vec<MetadataEdit<'a>>,
    pub(crate) span_name: Option<String>,
}

/// One key of dynamic metadata.
#[derive(Debug, PartialEq)]
pub(crate) struct MetadataEdit<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) key: &'a str,
    pub(crate) value: Value<'static>,
}

/// What becomes of the body.
#[derive(Debug, Default)]
pub(crate) enum NewBody<'a> {
    /// As it is.
    #[default]
    Same,
    /// These bytes.
    Replaced(Rope<'a>),
    /// The message must have none, though one was to be put in or is on its way (RFC 9110 §6.4.1).
    Forbidden,
}

impl<'p> FieldEdit<'p> {
    fn name(&self) -> &'p str {
        match self {
            Self::Set(name, _) | Self::Add(name, _) | Self::Remove(name) => name,
        }
    }
}

/// The lines of `name` as they will be, given those that there are.
pub(crate) fn preview(edits: &[FieldEdit<'_>], name: &str, mut lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    for edit in edits.iter().filter(|edit| edit.name() == name) {
        match edit {
            FieldEdit::Set(_, value) => lines = vec![value.to_vec()],
            FieldEdit::Add(_, value) => lines.push(value.to_vec()),
            FieldEdit::Remove(_) => lines.clear(),
        }
    }
    lines
}

/// Whether some edit concerns `name`.
pub(crate) fn touches(edits: &[FieldEdit<'_>], name: &str) -> bool {
    edits.iter().any(|edit| edit.name() == name)
}

impl Edits<'_> {
    /// The value that `name` is set to, if it is.
    pub(crate) fn set_to(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().rev().find_map(|edit| match edit {
            FieldEdit::Set(known, value) if *known == name => Some(&value[..]),
            _ => None,
        })
    }

    /// Makes all edits. The message's framing fits its body afterwards.
    pub(crate) fn apply(self, host: &mut dyn Host, message: Message) {
        let section = message.headers();
        for edit in &self.fields {
            match edit {
                FieldEdit::Set(name, value) => host.set_field(section, name, value),
                FieldEdit::Add(name, value) => host.add_field(section, name, value),
                FieldEdit::Remove(name) => host.remove_field(section, name),
            }
        }
        annotate(host, &self.metadata, self.span_name.as_deref());
        match self.body {
            NewBody::Same => {}
            NewBody::Replaced(body) => replace(host, message, &body),
            NewBody::Forbidden => {
                host.remove_field(section, "content-length");
                if host.body_len(message) > 0 {
                    host.replace_body(message, b"");
                }
            }
        }
    }
}

/// Makes edits that are about the stream, not about a message.
pub(crate) fn annotate(host: &mut dyn Host, metadata: &[MetadataEdit<'_>], span_name: Option<&str>) {
    for MetadataEdit { namespace, key, value } in metadata {
        host.set_metadata(namespace, key, value);
    }
    if let Some(name) = span_name {
        host.set_span_name(name);
    }
}

fn replace(host: &mut dyn Host, message: Message, body: &Rope<'_>) {
    let section = message.headers();
    if body.len() == 0 {
        host.remove_field(section, "content-type");
    }
    host.put_body(message, &body.chunks());
    // HTTP/1.1 sends trailers after chunks only (RFC 9112 §7.1.2): a length would lose them.
    let chunked = host.has_trailers(message) && host.field(section, "content-length").is_none();
    if !chunked {
        host.remove_field(section, "transfer-encoding");
        host.set_field(section, "content-length", body.len().to_string().as_bytes());
    }
}
