//! Names that a template assigns.
//!
//! Inja has one set of variables for a whole render: what a `set` inside a loop assigns is seen after it, and a loop
//! leaves its variable empty. Jinja's loops have a scope of their own. So what is set inside a loop lives in a namespace,
//! and what a loop has emptied is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::code::{Kind, is_name, is_reserved};
use crate::inja::{Expression, Form, Statement, What};

/// What a name stands for at this point of the template.
#[derive(Clone, Debug)]
pub(super) enum Binding {
    /// A loop's variable, inside it.
    Loop { code: String, kind: Kind },
    /// Assigned by `set`. `sure`: on every way here.
    Set { code: String, kind: Kind, sure: bool },
    /// Emptied by the loop that it belonged to.
    Spent,
}

/// What a template assigns, found before it is rewritten.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Assigned by `set` anywhere inside a loop.
    pub(super) set_in_loops: BTreeSet<String>,
    loops: BTreeSet<String>,
    sets: BTreeSet<String>,
    /// Every word that is used for anything.
    used: BTreeSet<String>,
    chosen: BTreeMap<String, String>,
}

impl Names {
    pub(super) fn of(statements: &[Statement<'_>]) -> Self {
        let mut names = Self::default();
        names.collect(statements, false);
        names
    }

    /// Names that both a loop and `set` assign.
    pub(super) fn is_ambiguous(&self, name: &str) -> bool {
        self.loops.contains(name) && self.sets.contains(name)
    }

    /// What `name` is called in Jinja.
    pub(super) fn local(&mut self, name: &str) -> String {
        if let Some(known) = self.chosen.get(name) {
            return known.clone();
        }
        let plain = is_name(name) && !is_reserved(name) && !super::functions::is_function(name);
        let code = if plain { name.to_owned() } else { self.fresh(name) };
        self.chosen.insert(name.to_owned(), code.clone());
        code
    }

    /// A name like `like` that nothing else has.
    pub(super) fn fresh(&mut self, like: &str) -> String {
        let word: String =
            like.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        let word =
            if word.starts_with(|first: char| first.is_ascii_digit()) { format!("_{word}") } else { word };
        let numbered = (1usize..).map(|number| match number {
            1 => word.clone(),
            number => format!("{word}_{number}"),
        });
        let free = |name: &String| {
            !self.used.contains(name) && !is_reserved(name) && !super::functions::is_function(name)
        };
        let name = numbered.into_iter().find(free).unwrap_or_default();
        self.used.insert(name.clone());
        name
    }

    fn collect(&mut self, statements: &[Statement<'_>], in_loop: bool) {
        for statement in statements {
            match &statement.what {
                What::Print(expression) => self.expression(expression),
                What::If { arms, otherwise } => {
                    for (condition, body) in arms {
                        self.expression(condition);
                        self.collect(body, in_loop);
                    }
                    self.collect(otherwise.as_deref().unwrap_or_default(), in_loop);
                }
                What::For { key, value, items, body } => {
                    self.expression(items);
                    for name in key.iter().chain([value]) {
                        self.loops.insert((*name).to_owned());
                        self.used.insert((*name).to_owned());
                    }
                    self.collect(body, true);
                }
                What::Set { name, value } => {
                    self.expression(value);
                    self.used.insert((*name).to_owned());
                    self.sets.insert((*name).to_owned());
                    if in_loop {
                        self.set_in_loops.insert((*name).to_owned());
                    }
                }
                What::Text(_) | What::Comment(_) | What::Unsupported(_) => {}
            }
        }
    }

    fn use_root(&mut self, path: &str) {
        self.used.extend(path.split(['.', '/']).next().map(str::to_owned));
    }

    fn expression(&mut self, expression: &Expression<'_>) {
        match &expression.form {
            Form::Literal(_) => {}
            Form::Variable(path) => self.use_root(path),
            Form::Not(inner) | Form::Member(inner, _) => self.expression(inner),
            Form::Binary(_, parts) => {
                self.expression(&parts.0);
                self.expression(&parts.1);
            }
            Form::Call { name, arguments, .. } => {
                self.used.insert((*name).to_owned());
                for argument in arguments {
                    self.expression(argument);
                    if let ("exists", Form::Literal(path)) = (*name, &argument.form) {
                        self.use_root(path.as_str().unwrap_or_default());
                    }
                }
            }
        }
    }
}

/// The variables of the loops in `statements`.
pub(super) fn loop_names<'s>(statements: &[Statement<'s>], names: &mut BTreeSet<&'s str>) {
    for statement in statements {
        match &statement.what {
            What::For { key, value, body, .. } => {
                names.extend(key.iter().chain([value]));
                loop_names(body, names);
            }
            What::If { arms, otherwise } => {
                arms.iter().for_each(|(_, body)| loop_names(body, names));
                loop_names(otherwise.as_deref().unwrap_or_default(), names);
            }
            _ => {}
        }
    }
}
