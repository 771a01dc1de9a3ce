//! Gloo's objects.

mod extractor;
mod fields;
mod matcher;
mod notes;
mod object;
mod stages;
mod template;

use serde_json::Value;

use crate::note::Note;
use fields::Field;
use notes::Notes;

/// What came of an object.
#[derive(Clone, Debug, Default)]
pub struct Conversion {
    /// TrafficPolicies.
    pub policies: Vec<Value>,
    /// What there is to know about them.
    pub notes: Vec<Note>,
}

/// How much of an object is emitted if some of it cannot be converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    #[default]
    Nothing,
    /// All but what cannot be converted.
    Emitted,
}

/// Converts one object of Gloo.
pub fn convert(object: &Value, rest: Rest) -> Conversion {
    let mut notes = Notes::on(object::called(object));
    let policies = object::policies(&Field { value: object, path: String::new() }, &mut notes);
    let policies: Vec<Value> =
        policies.into_iter().filter(|policy| is_accepted(policy, &mut notes)).collect();
    let kept = rest == Rest::Emitted || notes.errors() == 0;
    Conversion { policies: policies.into_iter().filter(|_| kept).collect(), notes: notes.into_notes() }
}

/// Whether the filter takes what it would be given.
fn is_accepted(policy: &Value, notes: &mut Notes) -> bool {
    let transformation = policy.pointer("/spec/transformation").unwrap_or(&Value::Null);
    let refusal = crate::engine::compile(transformation).err();
    if let Some(refusal) = &refusal {
        notes.error("", format!("the filter refuses what this comes to; change it by hand: {refusal}"));
    }
    refusal.is_none()
}
