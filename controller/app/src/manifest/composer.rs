//! YAML text -> a tree of nodes.
//!
//! Invariants: depth, and what aliases expand to, are bounded before anything is copied; a fault that leaves the
//! document's shape clear (a key twice, say) is noted and reading goes on, so that the object can still be named.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput};
use serde_json::Value;

use super::documents::Chunk;
use super::node::{Content, Fault, Field, Mark, Node};
use super::scalar::{self, Tag};

/// What came of a document.
#[derive(Debug, Default)]
pub(super) struct Composed {
    /// The root; where the document ends in a syntax error, what was read until then.
    pub(super) root: Option<Node>,
    /// Whether the root is all there is.
    pub(super) complete: bool,
    pub(super) faults: Vec<Fault>,
}

const MAX_DEPTH: usize = 100;
const MAX_NODES: usize = 1 << 20;
/// Nodes count 32 bytes each besides their text.
const MAX_EXPANSION: usize = 8 << 20;

/// Reads one document.
pub(super) fn compose(chunk: Chunk<'_>) -> Composed {
    let mut composer = Composer { lines_before: chunk.lines_before, ..Composer::default() };
    let complete = match composer.run(chunk.text) {
        Ok(()) => true,
        Err(fault) => {
            composer.faults.push(fault);
            composer.close_all();
            false
        }
    };
    Composed { root: composer.root, complete, faults: composer.faults }
}

#[derive(Default)]
struct Composer {
    lines_before: u32,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchored>,
    expanded: usize,
    nodes: usize,
    faults: Vec<Fault>,
}

struct Anchored {
    node: Node,
    weight: usize,
    height: usize,
}

/// A collection that has not ended.
struct Open {
    at: Mark,
    anchor: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Node>),
    Mapping { fields: Vec<Field>, lines: HashMap<String, u32>, key: Option<Key>, merged: Vec<Node> },
}

struct Key {
    at: Mark,
    name: String,
    surprising: bool,
    is_merge: bool,
}

impl Composer {
    fn run(&mut self, text: &str) -> Result<(), Fault> {
        let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| self.fault(self.mark(*error.marker()), error.info()))?;
            let at = self.mark(span.start);
            self.nodes += 1;
            if self.nodes > MAX_NODES {
                return Err(self.fault(at, "the document is too large; cut it into several"));
            }
            self.on_event(event, at)?;
        }
        Ok(())
    }

    fn mark(&self, marker: Marker) -> Mark {
        let line = u32::try_from(marker.line()).unwrap_or(u32::MAX);
        let column = u32::try_from(marker.col()).unwrap_or(u32::MAX).saturating_add(1);
        Mark { line: line.saturating_add(self.lines_before), column }
    }

    fn fault(&self, at: Mark, message: impl Into<String>) -> Fault {
        Fault { at, path: self.path(), message: message.into() }
    }

    /// Where in the document the composer is.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match &open.items {
                Items::Sequence(items) => path.push_str(&format!("[{}]", items.len())),
                Items::Mapping { key: Some(key), .. } => super::positions::push_field(&mut path, &key.name),
                Items::Mapping { key: None, .. } => {}
            }
        }
        path
    }

    fn on_event(&mut self, event: Event<'_>, at: Mark) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref().map(|tag| self.tag(tag, at)).transpose()?.flatten();
                let plain = style == ScalarStyle::Plain;
                self.on_scalar(&text, plain, tag, anchor, at)
            }
            Event::Alias(anchor) => self.on_alias(anchor, at),
            Event::SequenceStart(anchor, tag) => {
                self.reject_tag(tag.as_deref(), "seq", at)?;
                self.start(Open { at, anchor, items: Items::Sequence(Vec::new()) })
            }
            Event::MappingStart(anchor, tag) => {
                self.reject_tag(tag.as_deref(), "map", at)?;
                let items = Items::Mapping {
                    fields: Vec::new(),
                    lines: HashMap::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.start(Open { at, anchor, items })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close();
                Ok(())
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn tag(&self, tag: &saphyr_parser::Tag, at: Mark) -> Result<Option<Tag>, Fault> {
        match Tag::named(&tag.suffix) {
            Some(known) if tag.is_yaml_core_schema() => Ok(Some(known)),
            // The non-specific tag: a string.
            _ if tag.handle.is_empty() && tag.suffix == "!" => Ok(Some(Tag::Str)),
            _ => Err(self.fault(at, format!("the tag {tag} means nothing in a manifest; remove it"))),
        }
    }

    fn reject_tag(&self, tag: Option<&saphyr_parser::Tag>, allowed: &str, at: Mark) -> Result<(), Fault> {
        match tag {
            Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == allowed) => {
                Err(self.fault(at, format!("the tag {tag} means nothing in a manifest; remove it")))
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, open: Open) -> Result<(), Fault> {
        if self.open.len() == MAX_DEPTH {
            return Err(self.fault(open.at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if self.awaits_key() {
            return Err(self.fault(
                open.at,
                "a key must be a single word or string; are braces of a template unquoted?",
            ));
        }
        self.open.push(open);
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { items: Items::Mapping { key: None, .. }, .. }))
    }

    fn on_scalar(
        &mut self,
        text: &str,
        plain: bool,
        tag: Option<Tag>,
        anchor: usize,
        at: Mark,
    ) -> Result<(), Fault> {
        let value = scalar::resolve(text, plain, tag).unwrap_or_else(|message| {
            self.faults.push(self.fault(at, message));
            Value::Null
        });
        let surprising = plain && tag.is_none() && scalar::is_surprising(text);
        let is_merge = plain && tag.is_none() && text == "<<";
        let node = Node { at, content: Content::Scalar { value, surprising } };
        self.remember(anchor, &node);
        self.place(node, is_merge)
    }

    fn on_alias(&mut self, anchor: usize, at: Mark) -> Result<(), Fault> {
        let Some(Anchored { node, weight, height }) = self.anchors.get(&anchor) else {
            return Err(
                self.fault(at, "this alias stands for something too large, or for what it is part of")
            );
        };
        if self.expanded + weight > MAX_EXPANSION || self.open.len() + height > MAX_DEPTH {
            return Err(self.fault(at, "the aliases of this document expand beyond all measure"));
        }
        self.expanded += weight;
        let node = Node { at, content: node.content.clone() };
        self.place(node, false)
    }

    /// Keeps a copy of a node with an anchor; copies count as expansion.
    fn remember(&mut self, anchor: usize, node: &Node) {
        let weight = if anchor == 0 { 0 } else { node.weight() };
        self.expanded = self.expanded.saturating_add(weight);
        if anchor != 0 && self.expanded <= MAX_EXPANSION {
            self.anchors.insert(anchor, Anchored { node: node.clone(), weight, height: node.height() });
        }
    }

    /// Puts a finished node where the document has it.
    fn place(&mut self, node: Node, is_merge: bool) -> Result<(), Fault> {
        if self.awaits_key() {
            return self.place_key(node, is_merge);
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::Sequence(items)) => items.push(node),
            Some(Items::Mapping { fields, lines, key, merged }) => match key.take() {
                Some(key) if key.is_merge => merged.push(node),
                Some(key) if !lines.contains_key(&key.name) => {
                    lines.insert(key.name.clone(), key.at.line);
                    let Key { at, name, surprising, .. } = key;
                    fields.push(Field { at, name, surprising, value: node });
                }
                // A key that came twice, noted when it was read.
                _ => {}
            },
        }
        Ok(())
    }

    fn place_key(&mut self, node: Node, is_merge: bool) -> Result<(), Fault> {
        let (name, surprising) = match node.content {
            Content::Scalar { value: Value::String(name), .. } => (name, false),
            Content::Scalar { value: value @ (Value::Bool(_) | Value::Number(_)), surprising } => {
                (value.to_string(), surprising)
            }
            _ => return Err(self.fault(node.at, "a key must be a single word or string")),
        };
        let Some(Open { items: Items::Mapping { lines, key, .. }, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        let first = lines.get(&name).copied();
        *key = Some(Key { at: node.at, name, surprising, is_merge });
        if let Some(first) = first {
            self.faults.push(self.fault(node.at, format!("this field is set twice, first on line {first}")));
        }
        Ok(())
    }

    fn close(&mut self) {
        let Some(Open { at, anchor, items }) = self.open.pop() else { return };
        let content = match items {
            Items::Sequence(items) => Content::Sequence(items),
            Items::Mapping { mut fields, lines, merged, .. } => {
                self.merge(&mut fields, lines, merged);
                Content::Mapping(fields)
            }
        };
        let node = Node { at, content };
        self.remember(anchor, &node);
        // A collection is never a key, so this cannot fail.
        let _ = self.place(node, false);
    }

    fn close_all(&mut self) {
        while !self.open.is_empty() {
            self.close();
        }
    }

    /// Merge keys (`<<`) give what the mapping does not say itself; the first of several wins.
    fn merge(&mut self, fields: &mut Vec<Field>, mut lines: HashMap<String, u32>, merged: Vec<Node>) {
        let sources = merged.into_iter().flat_map(|node| match node.content {
            Content::Sequence(nodes) => nodes,
            _ => vec![node],
        });
        for Node { at, content } in sources {
            let Content::Mapping(inherited) = content else {
                self.faults.push(self.fault(at, "only mappings can be merged by <<"));
                continue;
            };
            for field in inherited {
                if lines.insert(field.name.clone(), field.at.line).is_none() {
                    fields.push(field);
                }
            }
        }
    }
}
