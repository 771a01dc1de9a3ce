//! Notes on one object.

use crate::note::{Note, Remark, Severity};

/// Notes on one object.
#[derive(Debug)]
pub(super) struct Notes {
    object: String,
    notes: Vec<Note>,
}

impl Notes {
    /// On the object that is called `object`.
    pub(super) fn on(object: String) -> Self {
        Self { object, notes: Vec::new() }
    }

    pub(super) fn error(&mut self, field: &str, message: impl Into<String>) {
        self.push(Severity::Error, field, message.into());
    }

    pub(super) fn warn(&mut self, field: &str, message: impl Into<String>) {
        self.push(Severity::Warning, field, message.into());
    }

    /// On the template that `field` holds.
    pub(super) fn remark(&mut self, field: &str, remark: Remark) {
        let Remark { severity, place, message } = remark;
        let (object, field) = (self.object.clone(), field.to_owned());
        self.notes.push(Note { severity, object, field, place: Some(place), message });
    }

    /// How many errors there are so far.
    pub(super) fn errors(&self) -> usize {
        self.notes.iter().filter(|note| note.severity == Severity::Error).count()
    }

    pub(super) fn into_notes(self) -> Vec<Note> {
        self.notes
    }

    fn push(&mut self, severity: Severity, field: &str, message: String) {
        let (object, field) = (self.object.clone(), field.to_owned());
        self.notes.push(Note { severity, object, field, place: None, message });
    }
}
