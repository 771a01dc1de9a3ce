//! Parsed templates to programs: every name is resolved here, and what cannot work is refused.

mod expression;
mod limits;
mod names;
mod statement;

use std::collections::BTreeMap;

use minijinja::machinery::{Span, ast, parse};
use minijinja::syntax::SyntaxConfig;

use super::error::{Place, SyntaxError};
use super::functions::{Reads, Source};
use super::program::{Block, Symbol};

/// The largest template, in bytes.
const MAX_SOURCE: usize = 1024 * 1024;

/// What a program reads of its message and of what is around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The body's text, by `body()`.
    pub(crate) body: bool,
    /// All of its JSON, by `context()`.
    pub(crate) context: bool,
    /// These members of its JSON object.
    pub(crate) variables: Vec<String>,
    /// The header section of the request, besides that of the message.
    pub(crate) request: bool,
    /// What functions name; without a name where only a render will tell.
    pub(crate) named: Vec<(Source, Option<String>)>,
}

/// A compiled template and what it needs.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) block: Block,
    pub(crate) needs: Needs,
}

/// Compiles `source`; `escapes` has texts print as they stand in a JSON string.
///
/// # Errors
/// Says what is wrong and where.
pub(crate) fn lower(source: &str, escapes: bool) -> Result<Lowered, SyntaxError> {
    if source.len() > MAX_SOURCE {
        return Err(SyntaxError::new(source, "the template is larger than 1 MiB", None));
    }
    let refused = |refusal: Refusal| SyntaxError::new(source, refusal.reason, Some(refusal.place));
    limits::check(source).map_err(refused)?;
    let parsed =
        parse(source, "template", SyntaxConfig::default()).map_err(|error| parser_error(source, &error))?;
    let ast::Stmt::Template(template) = &parsed else {
        return Err(SyntaxError::new(source, "no template", None));
    };
    let symbols = names::assigned(&template.children);
    let mut lowering = Lowering { symbols, escapes, needs: Needs::default() };
    let block = lowering.block(&template.children).map_err(refused)?;
    Ok(Lowered { block, needs: lowering.needs })
}

fn parser_error(source: &str, error: &minijinja::Error) -> SyntaxError {
    let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let place = error.range().and_then(|range| source.get(..range.start)).map(|before| {
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Place { line: count(before.matches('\n').count() + 1), column: count(column) }
    });
    let place = place.or(error.line().map(|line| Place { line: count(line), column: 1 }));
    SyntaxError::new(source, reason, place)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What cannot work, and where.
#[derive(Debug)]
struct Refusal {
    reason: String,
    place: Place,
}

impl Refusal {
    fn new(span: Span, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), place: place(span) }
    }
}

type Lowers<T> = Result<T, Refusal>;

fn place(span: Span) -> Place {
    Place { line: u32::from(span.start_line).max(1), column: u32::from(span.start_col) + 1 }
}

#[derive(Debug)]
struct Lowering<'s> {
    symbols: BTreeMap<&'s str, Symbol>,
    escapes: bool,
    needs: Needs,
}

impl Lowering<'_> {
    fn reads(&mut self, reads: Reads, arguments: &[ast::CallArg<'_>]) {
        match reads {
            Reads::Nothing => {}
            Reads::Body => self.needs.body = true,
            Reads::Json => self.needs.context = true,
            Reads::Request => self.needs.request = true,
            Reads::Named(source) => {
                let name = match arguments {
                    [ast::CallArg::Pos(ast::Expr::Const(name))] => name.value.as_str().map(str::to_owned),
                    _ => None,
                };
                self.needs.named.push((source, name));
            }
        }
    }

    fn reads_variable(&mut self, name: &str) {
        if !self.needs.variables.iter().any(|known| known == name) {
            self.needs.variables.push(name.to_owned());
        }
    }

    /// The symbol of a name that is assigned; all of those are known.
    fn symbol(&self, name: &str, span: Span) -> Lowers<Symbol> {
        self.symbols
            .get(name)
            .copied()
            .ok_or_else(|| Refusal::new(span, format!("`{name}` is never assigned")))
    }
}
