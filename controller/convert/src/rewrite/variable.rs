//! Variables: the template's own, extractors, members of the body.

use super::Rewriter;
use super::code::{Code, Kind, Level, is_name, is_reserved, quoted};
use super::path::{below, steps};
use super::scope::Binding;

/// Whether anything takes the place of a variable that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    None,
    /// By `default(variable, …)`.
    Default,
}

impl Rewriter<'_> {
    /// The variable of that path.
    pub(super) fn variable(&mut self, at: usize, path: &str, guard: Guard) -> Code {
        let steps = match steps(path, self.surroundings.notation) {
            Ok(steps) => steps,
            Err(reason) => {
                self.error(at, format!("{reason}, so Inja refuses `{path}`"));
                return nothing();
            }
        };
        let Some((root, rest)) = steps.split_first() else { return nothing() };
        if root == "loop" {
            return self.loop_field(at, path, rest);
        }
        match self.bindings.get(root).cloned() {
            Some(Binding::Spent) => {
                let message = format!(
                    "`{root}` belonged to a loop, which leaves it empty in Inja: use a name here that no loop before has"
                );
                self.error(at, message);
                nothing()
            }
            Some(Binding::Loop { code, kind }) => self.part(at, path, code, kind, rest, guard),
            Some(Binding::Set { code, kind, sure: true }) => self.part(at, path, code, kind, rest, guard),
            Some(Binding::Set { code, sure: false, .. }) => self.unsure(at, path, &code, &steps, guard),
            None => self.given(at, path, &steps, guard),
        }
    }

    /// A part of a variable of the template's own.
    fn part(
        &mut self,
        at: usize,
        path: &str,
        code: String,
        kind: Kind,
        rest: &[String],
        guard: Guard,
    ) -> Code {
        if rest.is_empty() {
            return Code::atom(code, kind);
        }
        self.unguard(at, path, guard);
        Code::atom(code + &below(rest), Kind::Any)
    }

    /// A variable that may be set, and else is a member of the body. Jinja's variables fall back by themselves.
    fn unsure(&mut self, at: usize, path: &str, code: &str, steps: &[String], guard: Guard) -> Code {
        let own = format!("{code}{}", below(steps.get(1..).unwrap_or_default()));
        self.unguard(at, path, guard);
        if steps.first().is_some_and(|name| name == code) {
            self.reads_json |= self.surroundings.json;
            return Code::atom(own, Kind::Any);
        }
        if !code.contains('.') {
            let message = format!(
                "`{path}` may be assigned or not, and Jinja knows no such name: assign it on every way here, or choose another"
            );
            self.error(at, message);
        }
        match self.member(steps) {
            Some(member) => Code::atom(own, Kind::Any).filtered(&format!("default({member})"), Kind::Any),
            None => Code::atom(own, Kind::Any),
        }
    }

    /// A variable that the template does not assign.
    fn given(&mut self, at: usize, path: &str, steps: &[String], guard: Guard) -> Code {
        if let Some(code) = self.extractor(at, path, steps) {
            return code;
        }
        if let "body" | "context" = path {
            return self.function_without_parentheses(path, steps);
        }
        match self.member(steps) {
            Some(member) => {
                self.unguard(at, path, guard);
                Code::atom(member, Kind::Any)
            }
            None if guard == Guard::Default => Code::atom("none", Kind::Any),
            None => {
                let message = format!(
                    "`{path}` is never there, because the body is not read as JSON (parseBodyBehavior, passthrough), so \
                     Gloo refuses each message that gets here"
                );
                self.error(at, message);
                nothing()
            }
        }
    }

    /// A member of the body; none if the body is not read as JSON.
    pub(super) fn member(&mut self, steps: &[String]) -> Option<String> {
        if !self.surroundings.json {
            return None;
        }
        self.reads_json = true;
        let (root, rest) = steps.split_first()?;
        let shadowed = match self.bindings.get(root) {
            Some(Binding::Loop { .. }) => true,
            Some(Binding::Set { code, .. }) => !code.contains('.'),
            Some(Binding::Spent) | None => false,
        };
        if is_name(root) && !is_reserved(root) && !shadowed {
            return Some(format!("{root}{}", below(rest)));
        }
        Some(format!("context()[{}]{}", quoted(root), below(rest)))
    }

    fn unguard(&mut self, at: usize, path: &str, guard: Guard) {
        let dotted = |path: &str| path.replace('/', ".");
        let exists = self.guards.iter().any(|known| dotted(known) == dotted(path));
        if guard == Guard::None && !exists {
            self.unguarded.push((path.to_owned(), at));
        }
    }

    /// Where templates are not advanced, Gloo puts what extractors find among the members of the body.
    fn extractor(&mut self, at: usize, path: &str, steps: &[String]) -> Option<Code> {
        let joined = steps.join(".");
        let below = |longer: &str, shorter: &str| {
            longer.strip_prefix(shorter).is_some_and(|rest| rest.starts_with('.'))
        };
        let extractors = &self.surroundings.extractors;
        if extractors.contains(&joined) {
            return Some(Code::atom(format!("extraction({})", quoted(&joined)), Kind::Text));
        }
        if let Some(name) = extractors.iter().find(|name| below(&joined, name)) {
            let message =
                format!("`{path}` is never there: the extractor `{name}` gives a text, which has no members");
            self.error(at, message);
            return Some(nothing());
        }
        let name = extractors.iter().find(|name| below(name, &joined))?;
        let message = format!(
            "`{path}` would be an object with what the extractor `{name}` found: read `extraction({})` instead",
            quoted(name)
        );
        self.error(at, message);
        Some(nothing())
    }

    /// Inja calls a function without arguments also where no parentheses follow, unless there is such a variable.
    fn function_without_parentheses(&mut self, name: &str, steps: &[String]) -> Code {
        let kind = if name == "body" { Kind::Text } else { Kind::Any };
        self.reads_json |= name == "context";
        match self.member(steps) {
            Some(member) => Code::atom(member, Kind::Any).filtered(&format!("default({name}())"), Kind::Any),
            None => Code::atom(format!("{name}()"), kind),
        }
    }

    /// `exists("a.b")`: whether the body, or an extractor, has it. What a template assigns does not count.
    pub(super) fn exists(&mut self, at: usize, name: &str) -> Code {
        let steps = match steps(name, super::Notation::Dot) {
            Ok(steps) => steps,
            Err(reason) => {
                self.error(at, reason);
                return nothing();
            }
        };
        let joined = steps.join(".");
        let extractors = &self.surroundings.extractors;
        if extractors.iter().any(|known| *known == joined || known.starts_with(&format!("{joined}."))) {
            return Code::literal(&true.into());
        }
        match self.member(&steps) {
            Some(member) => Code::atom(member, Kind::Any).tested("defined"),
            None => Code::literal(&false.into()),
        }
    }

    fn loop_field(&mut self, at: usize, path: &str, steps: &[String]) -> Code {
        let up = steps.iter().take_while(|step| *step == "parent").count();
        let Some(depth) = self.loops.len().checked_sub(up + 1) else {
            self.error(at, format!("there is no loop around this for `{path}` to tell of"));
            return nothing();
        };
        let (field, kind) = match steps.get(up..).unwrap_or_default() {
            [field] if field == "index" => ("index0", Kind::Count),
            [field] if field == "index1" => ("index", Kind::Count),
            [field] if field == "is_first" => ("first", Kind::Bool),
            [field] if field == "is_last" => ("last", Kind::Bool),
            _ => {
                let message = format!(
                    "`{path}`: a loop of Inja tells `index`, `index1`, `is_first`, `is_last` and `parent`, and only those can \
                     be converted"
                );
                self.error(at, message);
                return nothing();
            }
        };
        let owner = if up == 0 { "loop".to_owned() } else { self.loop_alias(depth) };
        Code::atom(format!("{owner}.{field}"), kind)
    }

    fn loop_alias(&mut self, depth: usize) -> String {
        if let Some(Some(known)) = self.loops.get(depth) {
            return known.clone();
        }
        let alias = self.names.fresh("outer");
        if let Some(slot) = self.loops.get_mut(depth) {
            *slot = Some(alias.clone());
        }
        alias
    }
}

/// What stands where an error was.
pub(super) fn nothing() -> Code {
    Code::new("none", Level::Postfix, Kind::Any)
}
