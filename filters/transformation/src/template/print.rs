//! Values as text and as JSON.
//!
//! Invariant: nothing is escaped but what JSON demands, and no output outgrows its limit.

use super::error::{Failure, Outcome};
use super::meter::Meter;
use super::value::{Text, Value};
use crate::rope::Rope;
use ferrule_json::{Key, Kind, Node, string_length, write_string};

/// Where a render writes to.
#[derive(Debug)]
pub(crate) struct Sink<'a, 'm> {
    rope: Rope<'a>,
    limit: usize,
    meter: &'m Meter,
}

impl<'a, 'm> Sink<'a, 'm> {
    /// A sink for at most `limit` bytes.
    pub(crate) fn new(meter: &'m Meter, limit: usize) -> Self {
        Self { rope: Rope::default(), limit, meter }
    }

    pub(crate) fn into_rope(self) -> Rope<'a> {
        self.rope
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.rope.into_bytes().into_vec()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.admit(bytes.len())?;
        self.rope.push(bytes);
        Ok(())
    }

    /// As [`Sink::write`], for bytes that outlive the render.
    pub(crate) fn lend(&mut self, bytes: &'a [u8]) -> Outcome<()> {
        self.admit(bytes.len())?;
        self.rope.lend(bytes);
        Ok(())
    }

    fn admit(&self, more: usize) -> Outcome<()> {
        if more > self.limit.saturating_sub(self.rope.len()) {
            return Err(Failure::bound("the output is too large"));
        }
        self.meter.charge_bytes(more)
    }

    /// Prints a value as templates do: texts raw, lists and maps as JSON, null and what is missing not at all.
    pub(crate) fn print(&mut self, value: &Value<'a>) -> Outcome<()> {
        match value {
            Value::Undefined | Value::Null => Ok(()),
            Value::Text(Text::Borrowed(text)) => self.lend(text.as_bytes()),
            Value::Text(text) => self.write(text.as_bytes()),
            Value::Bytes(bytes) => self.write(bytes),
            value => self.print_json(value, &mut Layout::COMPACT.clone()),
        }
    }

    /// Prints a value as JSON.
    pub(crate) fn print_json(&mut self, value: &Value<'a>, layout: &mut Layout) -> Outcome<()> {
        match value {
            Value::Undefined | Value::Null => self.write(b"null"),
            Value::Bool(value) => self.write(if *value { b"true" } else { b"false" }),
            Value::Int(value) => self.write(value.to_string().as_bytes()),
            Value::Float(value) => self.write(print_float(*value).as_bytes()),
            Value::Decimal(text) => self.write(text.as_bytes()),
            Value::Text(text) => self.print_string(text),
            Value::Bytes(_) => Err(Failure::new("bytes that are no UTF-8 have no JSON form")),
            Value::List(list) => self
                .print_all(layout, *b"[]", list.iter(), |sink, layout, item| sink.print_json(item, layout)),
            Value::Map(map) => self.print_all(layout, *b"{}", map.iter(), |sink, layout, (key, value)| {
                sink.print_key(key)?;
                sink.write(layout.colon())?;
                sink.print_json(value, layout)
            }),
            Value::Namespace(pairs) => {
                self.print_all(layout, *b"{}", pairs.borrow().iter(), |sink, layout, (key, value)| {
                    sink.print_string(key)?;
                    sink.write(layout.colon())?;
                    sink.print_json(value, layout)
                })
            }
            Value::Json(node) => self.print_node(*node, layout),
            Value::Loop(_) | Value::Macro(_) => Err(Failure::new(format!("{} has no text", value.kind()))),
        }
    }

    fn print_node(&mut self, node: Node<'a>, layout: &mut Layout) -> Outcome<()> {
        if layout.indent.is_none() {
            return self.print_compact(node.text());
        }
        match node.kind() {
            Kind::Array => self.print_all(layout, *b"[]", node.elements(), |sink, layout, item| {
                sink.print_node(item, layout)
            }),
            Kind::Object => self.print_all(layout, *b"{}", node.members(), |sink, layout, (key, value)| {
                sink.print_raw_key(key)?;
                sink.write(layout.colon())?;
                sink.print_node(value, layout)
            }),
            _ => self.write(node.text().as_bytes()),
        }
    }

    /// Copies a JSON text without the blanks between its tokens.
    fn print_compact(&mut self, json: &'a str) -> Outcome<()> {
        let bytes = json.as_bytes();
        let (mut start, mut at) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => at += string_length(bytes.get(at..).unwrap_or_default()),
                b' ' | b'\t' | b'\n' | b'\r' => {
                    self.lend(bytes.get(start..at).unwrap_or_default())?;
                    at += 1;
                    start = at;
                }
                _ => at += 1,
            }
        }
        self.lend(bytes.get(start..).unwrap_or_default())
    }

    fn print_all<T>(
        &mut self,
        layout: &mut Layout,
        [open, close]: [u8; 2],
        items: impl Iterator<Item = T>,
        mut print: impl FnMut(&mut Self, &mut Layout, T) -> Outcome<()>,
    ) -> Outcome<()> {
        self.write(&[open])?;
        layout.level += 1;
        let mut empty = true;
        for item in items {
            if !std::mem::take(&mut empty) {
                self.write(b",")?;
            }
            self.write(layout.line().as_bytes())?;
            print(self, layout, item)?;
        }
        layout.level -= 1;
        if !empty {
            self.write(layout.line().as_bytes())?;
        }
        self.write(&[close])
    }

    /// JSON's keys are strings.
    fn print_key(&mut self, key: &Value<'a>) -> Outcome<()> {
        match key {
            Value::Text(text) => self.print_string(text),
            key => {
                let mut text = Sink::new(self.meter, self.limit);
                text.print(key)?;
                self.print_string(&String::from_utf8_lossy(&text.into_bytes()))
            }
        }
    }

    fn print_raw_key(&mut self, key: Key<'_>) -> Outcome<()> {
        self.write(b"\"")?;
        self.write(key.raw().as_bytes())?;
        self.write(b"\"")
    }

    fn print_string(&mut self, text: &str) -> Outcome<()> {
        self.meter.charge_bytes(text.len())?;
        let mut quoted = Vec::with_capacity(text.len() + 2);
        quoted.push(b'"');
        write_string(text, &mut quoted);
        quoted.push(b'"');
        self.write(&quoted)
    }
}

/// Compact JSON, or one item a line.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    indent: Option<u8>,
    level: usize,
}

impl Layout {
    const COMPACT: Self = Self { indent: None, level: 0 };

    /// `indent` spaces a level, or compact.
    pub(crate) fn new(indent: Option<u8>) -> Self {
        Self { indent, level: 0 }
    }

    fn line(&self) -> String {
        self.indent
            .map(|width| format!("\n{}", " ".repeat(usize::from(width) * self.level)))
            .unwrap_or_default()
    }

    fn colon(&self) -> &'static [u8] {
        if self.indent.is_some() { b": " } else { b":" }
    }
}

/// Shortest text that reads back as the same float; JSON has no infinities.
fn print_float(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { "null".to_owned() }
}

impl<'a> Value<'a> {
    /// The text that printing gives.
    ///
    /// # Errors
    /// It has none, is no UTF-8, or is too large.
    pub(crate) fn to_text(&self, meter: &Meter) -> Outcome<Text<'a>> {
        if let Self::Text(text) = self {
            return Ok(text.clone());
        }
        let mut sink = Sink::new(meter, usize::MAX);
        sink.print(self)?;
        match String::from_utf8(sink.into_bytes()) {
            Ok(text) => Ok(Text::Shared(text.into())),
            Err(_) => Err(Failure::new("bytes that are no UTF-8 are no text")),
        }
    }
}
