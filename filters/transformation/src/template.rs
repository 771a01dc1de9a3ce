//! The template language: MiniJinja's syntax, run by an interpreter of our own that is bounded in time, memory and stack
//! whatever the template and the message.
//!
//! MiniJinja parses. Its virtual machine is not used, because its operators and filters are not metered (a loop that
//! doubles a text exhausts memory), some panic (`1 is divisibleby(0)`), and its values cannot borrow from a message.
//!
//! Invariants:
//! - What a template reads is known once it is compiled: see [`Needs`].
//! - A render has no effect but its output.
//! - No template and no message panics, stalls or exhausts a worker: see [`meter`].

mod access;
mod arguments;
mod error;
mod eval;
mod filters;
mod frame;
mod functions;
mod interpreter;
mod lower;
mod meter;
mod operators;
mod predicates;
mod print;
mod program;
mod value;

pub(crate) use error::{Failure, Fault, Outcome, SyntaxError};
pub(crate) use functions::{Metadata, Scope, Section, Source};
pub(crate) use lower::Needs;
pub(crate) use meter::Meter;
pub(crate) use print::Sink;
pub(crate) use value::Value;

use crate::rope::Rope;

/// A compiled template.
#[derive(Debug)]
pub(crate) struct Template {
    block: program::Block,
    needs: Needs,
}

impl Template {
    /// Compiles `source`.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub(crate) fn compile(source: &str) -> Result<Self, SyntaxError> {
        lower::lower(source, false).map(Self::from)
    }

    /// As [`Template::compile`], but texts print as they stand in a JSON string.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub(crate) fn compile_escaping(source: &str) -> Result<Self, SyntaxError> {
        lower::lower(source, true).map(Self::from)
    }

    /// Its parts, if it is made of texts and headers alone.
    pub(crate) fn segments(&self) -> Option<Vec<Segment<'_>>> {
        let segments = self.block.iter().map(|statement| match statement {
            program::Statement::Text(text) => Some(Segment::Text(text)),
            program::Statement::PrintField(section, name) => Some(Segment::Field(*section, name)),
            _ => None,
        });
        segments.collect()
    }

    /// What it reads.
    pub(crate) fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Renders to at most `limit` bytes.
    ///
    /// # Errors
    /// The message does not fit the template, or a bound was hit.
    pub(crate) fn render<'a>(
        &'a self,
        scope: &dyn Scope<'a>,
        meter: &Meter,
        limit: usize,
    ) -> Outcome<Rope<'a>> {
        let mut out = print::Sink::new(meter, limit);
        interpreter::Interpreter::new(meter, scope).run(&self.block, &mut out)?;
        Ok(out.into_rope())
    }
}

/// A part of a template that needs no engine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Segment<'t> {
    Text(&'t str),
    /// The first value of a header.
    Field(Section, &'t str),
}

impl From<lower::Lowered> for Template {
    fn from(lower::Lowered { block, needs }: lower::Lowered) -> Self {
        Self { block, needs }
    }
}

#[cfg(test)]
mod tests;
