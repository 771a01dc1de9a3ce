//! Inja as Gloo's Envoy filter runs it: release 3.4, with JSON pointers and escaped strings.
//!
//! Invariants: no input panics; nesting is bounded; what the parser accepts, Inja accepts.

mod ast;
mod expression;
mod lexer;
mod statement;
mod token;

pub(crate) use ast::{Binary, Expression, Form, Statement, What};

/// Why a template cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// Offset in bytes.
    pub(crate) at: usize,
    pub(crate) reason: String,
}

impl SyntaxError {
    fn new(at: usize, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }
}

/// Reads a template.
///
/// # Errors
/// Inja would refuse it, too, or it nests too deep.
pub(crate) fn parse(source: &str) -> Result<Vec<Statement<'_>>, SyntaxError> {
    statement::Parser::new(source).template()
}
