//! The names that a template assigns.

use std::collections::BTreeMap;

use minijinja::machinery::ast::{Expr, Macro, Stmt};

use super::super::program::Symbol;

/// Every name that some statement assigns, numbered.
pub(super) fn assigned<'s>(statements: &[Stmt<'s>]) -> BTreeMap<&'s str, Symbol> {
    let mut names = BTreeMap::new();
    collect(statements, &mut names);
    names
}

fn collect<'s>(statements: &[Stmt<'s>], names: &mut BTreeMap<&'s str, Symbol>) {
    for statement in statements {
        match statement {
            Stmt::ForLoop(code) => {
                target(&code.target, names);
                collect(&code.body, names);
                collect(&code.else_body, names);
            }
            Stmt::IfCond(code) => {
                collect(&code.true_body, names);
                collect(&code.false_body, names);
            }
            Stmt::WithBlock(code) => {
                code.assignments.iter().for_each(|(assigned, _)| target(assigned, names));
                collect(&code.body, names);
            }
            Stmt::Set(code) => target(&code.target, names),
            Stmt::SetBlock(code) => {
                target(&code.target, names);
                collect(&code.body, names);
            }
            Stmt::FilterBlock(code) => collect(&code.body, names),
            Stmt::Macro(code) => declared(code, names),
            Stmt::CallBlock(code) => declared(&code.macro_decl, names),
            _ => {}
        }
    }
}

fn declared<'s>(code: &Macro<'s>, names: &mut BTreeMap<&'s str, Symbol>) {
    name(code.name, names);
    name("caller", names);
    code.args.iter().for_each(|parameter| target(parameter, names));
    collect(&code.body, names);
}

fn target<'s>(expression: &Expr<'s>, names: &mut BTreeMap<&'s str, Symbol>) {
    match expression {
        Expr::Var(variable) => name(variable.id, names),
        Expr::List(list) => list.items.iter().for_each(|item| target(item, names)),
        _ => {}
    }
}

fn name<'s>(name: &'s str, names: &mut BTreeMap<&'s str, Symbol>) {
    let next = Symbol(u32::try_from(names.len()).unwrap_or(u32::MAX));
    names.entry(name).or_insert(next);
}
