//! The commonest transforms, without the template engine: header values that are made of texts and other headers.
//!
//! Invariant: what this does, the engine would do. Whatever is not plain (a value that is refused, too long, or depends on an
//! edit before it) is left to the engine, which also says what is wrong.

use std::ops::Range;

use ferrule_kit::{Fields, Host, Message};
use smallvec::SmallVec;

use super::{FieldPlan, Plan};
use crate::field::{self, canonical};
use crate::limits::MAX_VALUE;

use crate::template::{Section, Segment};

/// Edits of a header section that need no engine.
#[derive(Debug)]
pub(crate) struct Quick {
    edits: Vec<Edit>,
}

#[derive(Debug)]
struct Edit {
    name: String,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Set(Vec<Part>),
    Add(Vec<Part>),
    Remove,
}

/// A part of a value.
#[derive(Debug)]
enum Part {
    Text(Box<[u8]>),
    /// The first value of a field; its name as hosts take it.
    Field(Fields, String),
}

impl Quick {
    /// Of a plan that edits headers only; none where the engine is needed.
    pub(crate) fn of(plan: &Plan) -> Option<Self> {
        let edits_more = plan.body.is_some() || !plan.metadata.is_empty() || plan.span_name.is_some();
        // A status may forbid the body, which is the engine's to see to.
        if edits_more || plan.is_empty || plan.sets_status() {
            return None;
        }
        let mut edits: Vec<Edit> = Vec::new();
        for (fields, change) in [(&plan.set, Change::Set as fn(_) -> _), (&plan.add, Change::Add)] {
            for field in fields {
                if let Some(edit) = edit(plan.message, field, change, &edits)? {
                    edits.push(edit);
                }
            }
        }
        let removals = plan.remove.iter().map(|name| Edit { name: name.clone(), change: Change::Remove });
        edits.extend(removals);
        Some(Self { edits })
    }

    /// Makes all edits, or says that the engine is needed and makes none.
    pub(crate) fn run(&self, host: &mut dyn Host, message: Message) -> bool {
        let mut scratch = Scratch { bytes: [0; ROOM], len: 0 };
        let mut values: SmallVec<[Range<usize>; 8]> = SmallVec::new();
        for edit in &self.edits {
            let (Change::Set(parts) | Change::Add(parts)) = &edit.change else { continue };
            match scratch.render(parts, &edit.name, host) {
                Some(value) => values.push(value),
                None => return false,
            }
        }
        self.apply(host, message.headers(), &scratch.bytes, values.into_iter());
        true
    }

    fn apply(
        &self,
        host: &mut dyn Host,
        section: Fields,
        bytes: &[u8],
        mut values: impl Iterator<Item = Range<usize>>,
    ) {
        let mut value = || values.next().and_then(|range| bytes.get(range)).unwrap_or_default();
        for Edit { name, change } in &self.edits {
            match change {
                // An empty value removes.
                Change::Set(_) => host.set_field(section, name, value()),
                Change::Add(_) => match value() {
                    [] => {}
                    value => host.add_field(section, name, value),
                },
                Change::Remove => host.remove_field(section, name),
            }
        }
    }
}

/// An edit that the engine is not needed for; the inner none where there is nothing to do.
fn edit(
    message: Message,
    field: &FieldPlan,
    change: fn(Vec<Part>) -> Change,
    before: &[Edit],
) -> Option<Option<Edit>> {
    let change = match &field.value {
        Some(template) => {
            let parts = template.segments()?.into_iter().map(|segment| part(message, segment, before));
            change(parts.collect::<Option<_>>()?)
        }
        // Without a value `set` removes and `add` does nothing.
        None if matches!(change(Vec::new()), Change::Set(_)) => Change::Remove,
        None => return Some(None),
    };
    Some(Some(Edit { name: field.name.clone(), change }))
}

/// A part; none where it depends on an edit before it.
fn part(message: Message, segment: Segment<'_>, before: &[Edit]) -> Option<Part> {
    match segment {
        Segment::Text(text) => Some(Part::Text(text.as_bytes().into())),
        Segment::Field(section, name) => {
            let of = if section == Section::Message { message } else { Message::Request };
            let name = canonical(name, of).into_owned();
            let edited = of == message && before.iter().any(|edit| edit.name == name);
            (!edited).then(|| Part::Field(of.headers(), name))
        }
    }
}

/// Bytes of all values of a message; more are the engine's to render.
const ROOM: usize = 512;
const _: () = assert!(ROOM <= MAX_VALUE);

/// Values, one after another.
struct Scratch {
    bytes: [u8; ROOM],
    len: usize,
}

impl Scratch {
    /// Where the value stands, without the blanks around it; none where there is no room or it is no value for that field.
    fn render(&mut self, parts: &[Part], name: &str, host: &dyn Host) -> Option<Range<usize>> {
        let start = self.len;
        for part in parts {
            match part {
                Part::Text(text) => self.push(text)?,
                Part::Field(section, name) => self.push(&host.field(*section, name).unwrap_or_default())?,
            }
        }
        let rendered = self.bytes.get(start..self.len)?;
        let value = field::value(name, rendered).ok()?;
        let blanks = rendered.len() - rendered.trim_ascii_start().len();
        // All of it may be blank.
        let first = start + blanks.min(rendered.len() - value.len());
        Some(first..first + value.len())
    }

    fn push(&mut self, more: &[u8]) -> Option<()> {
        let end = self.len + more.len();
        self.bytes.get_mut(self.len..end)?.copy_from_slice(more);
        self.len = end;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use ferrule_kit::MemoryHost;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::Transform;
    use crate::plan::Choice;
    use crate::surroundings::Surroundings;
    use crate::transform::{self, Exchange};

    const VALUES: [&str; 9] = ["", " ", "a", " a\tb ", "a\nb", "\u{7f}", "/p", "é", "  x"];

    fn plan(json: serde_json::Value) -> Choice {
        let written: Transform = serde_json::from_value(json).unwrap();
        Choice::compile(Message::Request, written).unwrap()
    }

    fn host(value: &str) -> MemoryHost {
        let lines =
            [(":path", "/old"), ("x-in", value), ("x-out", "old"), ("x-out", "older"), ("x-gone", "1")];
        MemoryHost::with_request(lines)
    }

    fn by_engine(plan: &Plan, host: &mut MemoryHost) -> bool {
        let (surroundings, mut exchange) = (Surroundings::default(), Exchange::default());
        match transform::render(plan, &surroundings, &mut exchange, host, None) {
            Ok(edits) => edits.apply(host, plan.message),
            Err(_) => return false,
        }
        true
    }

    #[test]
    fn what_is_done_quickly_is_what_the_engine_does() {
        for template in [
            "{{ header('x-in') }}",
            " b{{ request_header('X-In') }}c ",
            "{{ header('x-in') }} ",
            "{{ header('none') }}",
        ] {
            let choice = plan(serde_json::json!({
                "set": [{"name": "x-out", "value": template}, {"name": "x-empty"}, {"name": ":path", "value": "/p"}],
                "add": [{"name": "x-in", "value": template}, {"name": "x-none"}],
                "remove": ["x-gone"],
            }));
            let plan = choice.plan(0);
            for value in VALUES {
                let (mut quick, mut engine) = (host(value), host(value));
                let done = plan.quick.as_ref().unwrap().run(&mut quick, Message::Request);
                assert_eq!(done, by_engine(plan, &mut engine), "{template} of {value:?}");
                assert_eq!(quick.sections, engine.sections, "{template} of {value:?}");
            }
        }
    }

    #[test]
    fn what_needs_the_engine_is_left_to_it() {
        let set = |value: &str| serde_json::json!({"set": [{"name": "x-a", "value": value}]});
        let after_an_edit = serde_json::json!({
            "set": [{"name": "host", "value": "h"}, {"name": "x-a", "value": "{{ header(':authority') }}"}],
        });
        for json in
            [set("{{ header('x') | upper }}"), set("{{ env('x') }}"), after_an_edit, serde_json::json!({})]
        {
            assert!(plan(json.clone()).plan(0).quick.is_none(), "{json}");
        }
        let choice = plan(set("{{ header('x-in') }}"));
        let is_set = |length: usize| {
            let mut edited = host(&"x".repeat(length));
            let done = choice.plan(0).quick.as_ref().unwrap().run(&mut edited, Message::Request);
            assert_eq!(done, edited.lines(Fields::RequestHeaders).iter().any(|(name, _)| name == "x-a"));
            done
        };
        assert_eq!([ROOM, ROOM + 1, MAX_VALUE + 1].map(is_set), [true, false, false]);
    }
}
