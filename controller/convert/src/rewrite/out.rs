//! The text of a template that is being written.
//!
//! Invariant: what was text stays text; no brace of a text joins a tag's.

use super::code::quoted;

/// A template that is being written.
#[derive(Debug, Default)]
pub(super) struct Out {
    text: String,
}

impl Out {
    pub(super) fn text(&mut self, text: &str) {
        if self.text.ends_with('{') && text.starts_with(['{', '%', '#']) {
            self.part_brace();
        }
        self.text.push_str(text);
    }

    /// A tag with its delimiters.
    pub(super) fn tag(&mut self, tag: &str) {
        if self.text.ends_with('{') {
            self.part_brace();
        }
        self.text.push_str(tag);
    }

    pub(super) fn print(&mut self, expression: &str) {
        self.tag(&format!("{{{{ {expression} }}}}"));
    }

    pub(super) fn comment(&mut self, comment: &str) {
        let start = if comment.starts_with(['-', '+']) { " " } else { "" };
        let end = if comment.ends_with(['-', '+']) { " " } else { "" };
        self.tag(&format!("{{#{start}{comment}{end}#}}"));
    }

    /// What was written by another.
    pub(super) fn append(&mut self, other: Self) {
        match other.text.chars().next() {
            Some('{') => self.tag(&other.text),
            _ => self.text(&other.text),
        }
    }

    /// All of it. Jinja drops the line break that a template ends in, so that one is printed.
    pub(super) fn finish(mut self, ends_matter: bool) -> String {
        let end = ["\r\n", "\n", "\r"].into_iter().find(|end| self.text.ends_with(end));
        if let Some(end) = end.filter(|_| ends_matter) {
            self.text.truncate(self.text.len() - end.len());
            self.print(&quoted(end));
        }
        self.text
    }

    fn part_brace(&mut self) {
        self.text.pop();
        self.text.push_str("{{ \"{\" }}");
    }
}
