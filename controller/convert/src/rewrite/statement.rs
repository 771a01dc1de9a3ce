//! Statements.

use std::collections::BTreeSet;

use super::Rewriter;
use super::code::{Kind, is_name};
use super::out::Out;
use super::scope::{Binding, loop_names};
use crate::inja::{Binary, Expression, Form, Statement, What};

impl Rewriter<'_> {
    /// The whole template.
    pub(super) fn template(&mut self, statements: &[Statement<'_>]) -> Out {
        let mut out = Out::default();
        if !self.names.set_in_loops.is_empty() {
            let namespace = self.names.fresh("vars");
            out.tag(&format!("{{% set {namespace} = namespace() %}}"));
            self.namespace = Some(namespace);
        }
        out.append(self.block(statements));
        out
    }

    fn block(&mut self, statements: &[Statement<'_>]) -> Out {
        let mut out = Out::default();
        for statement in statements {
            self.statement(statement, &mut out);
        }
        out
    }

    fn statement(&mut self, statement: &Statement<'_>, out: &mut Out) {
        match &statement.what {
            What::Text(text) => out.text(text),
            What::Comment(comment) => out.comment(comment),
            What::Print(expression) => {
                let code = self.value(expression);
                out.print(&code.text);
            }
            What::If { arms, otherwise } => self.condition_statement(arms, otherwise.as_deref(), out),
            What::For { key, value, items, body } => {
                self.for_loop(statement.at, (*key, value), items, body, out)
            }
            What::Set { name, value } => self.set(statement.at, name, value, out),
            What::Unsupported(keyword) => {
                let message = match *keyword {
                    "include" | "extends" => {
                        format!("`{keyword}` reads another template, but a template stands alone: put its text here")
                    }
                    _ => "`block` is for templates that extend another: drop `block` and `endblock`, and keep what \
                          is between"
                        .to_owned(),
                };
                self.error(statement.at, message);
            }
        }
    }

    fn condition_statement(
        &mut self,
        arms: &[(Expression<'_>, Vec<Statement<'_>>)],
        otherwise: Option<&[Statement<'_>]>,
        out: &mut Out,
    ) {
        let before = self.bindings.clone();
        let mut spent = BTreeSet::new();
        for (number, (asked, body)) in arms.iter().enumerate() {
            let keyword = if number == 0 { "if" } else { "elif" };
            let condition = self.condition(asked);
            out.tag(&format!("{{% {keyword} {} %}}", condition.text));
            let guards = self.guards.len();
            known_to_exist(asked, &mut self.guards);
            out.append(self.block(body));
            self.guards.truncate(guards);
            self.leave_branch(&before, &mut spent);
        }
        if let Some(body) = otherwise {
            out.tag("{% else %}");
            out.append(self.block(body));
            self.leave_branch(&before, &mut spent);
        }
        out.tag("{% endif %}");
        for name in spent {
            self.bindings.insert(name, Binding::Spent);
        }
        self.know_sets_of(arms.iter().map(|(_, body)| &body[..]).chain(otherwise));
    }

    /// Forgets what a branch, which may not run, has assigned; what its loops emptied stays in doubt.
    fn leave_branch(
        &mut self,
        before: &std::collections::BTreeMap<String, Binding>,
        spent: &mut BTreeSet<String>,
    ) {
        let now = std::mem::replace(&mut self.bindings, before.clone());
        spent.extend(
            now.into_iter().filter(|(_, binding)| matches!(binding, Binding::Spent)).map(|(name, _)| name),
        );
    }

    /// What branches set may be set from here on.
    fn know_sets_of<'b, 's: 'b>(&mut self, branches: impl Iterator<Item = &'b [Statement<'s>]>) {
        let mut names = BTreeSet::new();
        branches.for_each(|branch| set_names(branch, &mut names));
        for name in names {
            let code = self.variable_of_set(name);
            let sure = matches!(self.bindings.get(name), Some(Binding::Set { sure: true, .. }));
            self.bindings.insert(name.to_owned(), Binding::Set { code, kind: Kind::Any, sure });
        }
    }

    fn for_loop(
        &mut self,
        at: usize,
        (key, value): (Option<&str>, &str),
        items: &Expression<'_>,
        body: &[Statement<'_>],
        out: &mut Out,
    ) {
        let over = self.value(items);
        self.check_items(items.at, over.kind, key.is_some());
        for name in key.iter().chain([&value]) {
            self.check_assigned(at, name);
        }
        let before = self.bindings.clone();
        let mut inner = BTreeSet::new();
        loop_names(body, &mut inner);
        // In its second round, the loop meets what loops inside it have emptied.
        inner.iter().for_each(|name| drop(self.bindings.insert((*name).to_owned(), Binding::Spent)));
        self.know_sets_of([body].into_iter());
        let key_code = key.map(|name| self.bind_loop_variable(name, Kind::Text));
        let value_code = self.bind_loop_variable(value, Kind::Any);
        let (target, over) = match key_code {
            // Inja's objects are sorted by the names of their members.
            Some(key) => {
                (format!("{key}, {value_code}"), over.filtered("dictsort(case_sensitive=true)", Kind::List))
            }
            None => (value_code, over),
        };
        self.loops.push(None);
        let body_out = self.block(body);
        let alias = self.loops.pop().flatten();
        out.tag(&format!("{{% for {target} in {} %}}", over.text));
        if let Some(alias) = alias {
            out.tag(&format!("{{% set {alias} = loop %}}"));
        }
        out.append(body_out);
        out.tag("{% endfor %}");
        self.bindings = before;
        for name in key.into_iter().chain([value]).chain(inner) {
            self.bindings.insert(name.to_owned(), Binding::Spent);
        }
        self.know_sets_of([body].into_iter());
    }

    fn check_items(&mut self, at: usize, kind: Kind, has_key: bool) {
        let wanted = if has_key { Kind::Map } else { Kind::List };
        if kind != Kind::Any && kind != wanted {
            let message = "Inja goes over lists by one name, over objects by two, and over nothing else: this is neither";
            self.error(at, message);
        }
    }

    fn bind_loop_variable(&mut self, name: &str, kind: Kind) -> String {
        let code = self.names.local(name);
        self.bindings.insert(name.to_owned(), Binding::Loop { code: code.clone(), kind });
        code
    }

    fn set(&mut self, at: usize, name: &str, value: &Expression<'_>, out: &mut Out) {
        let value = self.value(value);
        self.check_assigned(at, name);
        let code = self.variable_of_set(name);
        out.tag(&format!("{{% set {code} = {} %}}", value.text));
        self.bindings.insert(name.to_owned(), Binding::Set { code, kind: value.kind, sure: true });
    }

    fn variable_of_set(&mut self, name: &str) -> String {
        let local = self.names.local(name);
        match &self.namespace {
            Some(namespace) if self.names.set_in_loops.contains(name) => format!("{namespace}.{local}"),
            _ => local,
        }
    }

    /// Whether a name can be assigned.
    fn check_assigned(&mut self, at: usize, name: &str) {
        if name == "loop" {
            self.error(
                at,
                "`loop` is assigned, which is what the loop itself is called: choose another name",
            );
        } else if !is_name(&name.replace(['-', '@', '$'], "_")) {
            self.error(
                at,
                format!("`{name}` is a path, and only plain names can be assigned: choose another name"),
            );
        } else if self.names.is_ambiguous(name) {
            self.error(at, format!("both a loop and `set` assign `{name}`: choose two names"));
        } else if self.surroundings.extractors.iter().any(|known| known.split('.').next() == Some(name)) {
            self.error(at, format!("`{name}` is assigned and is the name of an extractor: choose two names"));
        }
    }
}

fn set_names<'s>(statements: &[Statement<'s>], names: &mut BTreeSet<&'s str>) {
    for statement in statements {
        match &statement.what {
            What::Set { name, .. } => drop(names.insert(name)),
            What::If { arms, otherwise } => {
                arms.iter().for_each(|(_, body)| set_names(body, names));
                set_names(otherwise.as_deref().unwrap_or_default(), names);
            }
            What::For { body, .. } => set_names(body, names),
            _ => {}
        }
    }
}

/// The paths that exist where `condition` holds.
pub(super) fn known_to_exist(condition: &Expression<'_>, paths: &mut Vec<String>) {
    match &condition.form {
        Form::Binary(Binary::And, parts) => {
            known_to_exist(&parts.0, paths);
            known_to_exist(&parts.1, paths);
        }
        Form::Call { name: "exists", arguments, .. } => {
            if let [Expression { form: Form::Literal(serde_json::Value::String(path)), .. }] = &arguments[..]
            {
                paths.push(path.clone());
            }
        }
        _ => {}
    }
}
