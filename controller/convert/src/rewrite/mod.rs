//! Inja to Jinja, as `filters/transformation` reads it.
//!
//! Invariants:
//! - What is written does what was read, but in the cases that a remark names.
//! - What no Jinja can say is an error, and then there is no template.

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod agreement;
mod code;
mod equality;
mod expression;
mod functions;
mod gloo;
mod out;
mod path;
mod scope;
mod statement;
mod variable;

use std::collections::{BTreeMap, BTreeSet};

use crate::inja;
use crate::note::{Place, Remark, Severity};
use scope::{Binding, Names};

pub use path::Notation;

/// What a template sees besides its own text.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// How it writes paths.
    pub notation: Notation,
    /// Whether the body is read as JSON.
    pub json: bool,
    /// Names of the extractors that the template sees as variables.
    pub extractors: BTreeSet<String>,
    /// Whether a line break at the end matters; it does not in header fields.
    pub end_matters: bool,
}

/// What came of a template.
#[derive(Clone, Debug, Default)]
pub struct Rewritten {
    /// The template in Jinja; none if there is an error.
    pub text: Option<String>,
    /// Whether it reads variables of the body.
    pub reads_json: bool,
    /// What there is to know about it, in the order of the template.
    pub remarks: Vec<Remark>,
}

/// Rewrites the Inja template `source`.
pub fn rewrite(source: &str, surroundings: &Surroundings) -> Rewritten {
    let statements = match inja::parse(source) {
        Ok(statements) => statements,
        Err(error) => {
            let remark = Remark {
                severity: Severity::Error,
                place: Place::of(source, error.at),
                message: format!("{}: no Inja", error.reason),
            };
            return Rewritten { remarks: vec![remark], ..Rewritten::default() };
        }
    };
    let mut rewriter = Rewriter::new(source, surroundings, Names::of(&statements));
    let text = rewriter.template(&statements).finish(surroundings.end_matters);
    rewriter.finish(text)
}

/// A template that is being rewritten.
#[derive(Debug)]
struct Rewriter<'s> {
    source: &'s str,
    surroundings: &'s Surroundings,
    names: Names,
    bindings: BTreeMap<String, Binding>,
    /// For each open loop what it is called, if a loop inside it asks.
    loops: Vec<Option<String>>,
    /// Where what is set inside of loops lives.
    namespace: Option<String>,
    reads_json: bool,
    /// Variables that nothing guards, and where the first one stands.
    unguarded: Vec<(String, usize)>,
    /// Paths of which a condition around this says that they exist.
    guards: Vec<String>,
    /// Offset, severity, message.
    remarks: Vec<(usize, Severity, String)>,
    /// What was said once and needs no saying again.
    said: BTreeSet<&'static str>,
}

impl<'s> Rewriter<'s> {
    fn new(source: &'s str, surroundings: &'s Surroundings, names: Names) -> Self {
        Self {
            source,
            surroundings,
            names,
            bindings: BTreeMap::new(),
            loops: Vec::new(),
            namespace: None,
            reads_json: false,
            unguarded: Vec::new(),
            guards: Vec::new(),
            remarks: Vec::new(),
            said: BTreeSet::new(),
        }
    }

    fn error(&mut self, at: usize, message: impl Into<String>) {
        self.remarks.push((at, Severity::Error, message.into()));
    }

    fn warn(&mut self, at: usize, message: impl Into<String>) {
        self.remarks.push((at, Severity::Warning, message.into()));
    }

    /// Says what is true of each place of its kind at the first one.
    fn warn_once(&mut self, at: usize, message: &'static str) {
        if self.said.insert(message) {
            self.warn(at, message);
        }
    }

    fn finish(mut self, text: String) -> Rewritten {
        self.tell_of_unguarded();
        if self.remarks.iter().all(|(_, severity, _)| *severity != Severity::Error)
            && let Err(refusal) = crate::engine::check(&text)
        {
            self.error(0, format!("what this was rewritten to is refused; write it by hand: {refusal}"));
        }
        self.remarks.sort();
        let failed = self.remarks.iter().any(|(_, severity, _)| *severity == Severity::Error);
        let source = self.source;
        let remarks = self.remarks.into_iter().map(|(at, severity, message)| Remark {
            severity,
            place: Place::of(source, at),
            message,
        });
        Rewritten { text: (!failed).then_some(text), reads_json: self.reads_json, remarks: remarks.collect() }
    }

    fn tell_of_unguarded(&mut self) {
        let Some(at) = self.unguarded.iter().map(|(_, at)| *at).min() else { return };
        let mut names: Vec<String> = Vec::new();
        for (name, _) in &self.unguarded {
            let name = format!("`{name}`");
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let listed = names.join(", ");
        self.warn(
            at,
            format!(
                "where {listed} is missing, or not of the kind that is used here, Gloo refuses the message; here it is \
                 taken for nothing"
            ),
        );
    }
}
