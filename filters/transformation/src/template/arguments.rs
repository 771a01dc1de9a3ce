//! Arguments as a filter, test or function takes them.

use super::error::{Failure, Outcome};
use super::meter::Meter;
use super::value::{Text, Value};

/// Arguments that were given, each taken once.
#[derive(Debug, Default)]
pub(crate) struct Args<'a> {
    pub(crate) positional: Vec<Value<'a>>,
    pub(crate) named: Vec<(Text<'a>, Value<'a>)>,
    taken: usize,
}

impl<'a> Args<'a> {
    pub(crate) fn positional(positional: Vec<Value<'a>>) -> Self {
        Self { positional, ..Self::default() }
    }

    /// The next one in order, else the one of that name.
    pub(crate) fn next(&mut self, name: &str) -> Option<Value<'a>> {
        if let Some(value) = self.positional.get(self.taken) {
            self.taken += 1;
            return Some(value.clone());
        }
        self.named(name)
    }

    /// The one of that name.
    pub(crate) fn named(&mut self, name: &str) -> Option<Value<'a>> {
        let place = self.named.iter().position(|(known, _)| **known == *name)?;
        Some(self.named.swap_remove(place).1)
    }

    /// All that are left in order.
    pub(crate) fn rest(&mut self) -> Vec<Value<'a>> {
        let taken = std::mem::replace(&mut self.taken, self.positional.len());
        self.positional.get(taken..).unwrap_or_default().to_vec()
    }

    /// One that must be given.
    pub(crate) fn required(&mut self, name: &str) -> Outcome<Value<'a>> {
        self.next(name).ok_or_else(|| Failure::new(format!("the argument `{name}` is missing")))
    }

    /// The text of one that must be given.
    pub(crate) fn text(&mut self, meter: &Meter, name: &str) -> Outcome<Text<'a>> {
        self.required(name)?.to_text(meter)
    }

    /// The text of one that may be given.
    pub(crate) fn optional_text(&mut self, meter: &Meter, name: &str) -> Outcome<Option<Text<'a>>> {
        match self.next(name) {
            None | Some(Value::Null | Value::Undefined) => Ok(None),
            Some(value) => value.to_text(meter).map(Some),
        }
    }

    /// An integer that may be given.
    pub(crate) fn optional_int(&mut self, name: &str) -> Outcome<Option<i128>> {
        match self.next(name) {
            None | Some(Value::Null | Value::Undefined) => Ok(None),
            Some(value) => match value.as_int() {
                Some(value) => Ok(Some(value)),
                None => {
                    Err(Failure::new(format!("the argument `{name}` is {}, not an integer", value.kind())))
                }
            },
        }
    }

    /// A count between one and `limit` that may be given.
    pub(crate) fn optional_count(&mut self, name: &str, limit: usize) -> Outcome<Option<usize>> {
        let Some(value) = self.optional_int(name)? else { return Ok(None) };
        match usize::try_from(value) {
            Ok(value) if value <= limit => Ok(Some(value)),
            _ => Err(Failure::new(format!("the argument `{name}` is not between 0 and {limit}"))),
        }
    }

    /// A switch, off unless given.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        self.next(name).is_some_and(|value| value.is_true())
    }

    /// A switch that is given by name only.
    pub(crate) fn named_flag(&mut self, name: &str) -> bool {
        self.named(name).is_some_and(|value| value.is_true())
    }

    /// Fails if more was given than was taken.
    pub(crate) fn finish(self) -> Outcome<()> {
        if self.taken < self.positional.len() {
            return Err(Failure::new("too many arguments"));
        }
        // Names may come from the message (`**map`), so the error repeats none.
        if self.named.is_empty() {
            Ok(())
        } else {
            Err(Failure::new("an argument has a name that is not known"))
        }
    }
}
