//! Expressions.

use serde_json::Value;

use super::Rewriter;
use super::code::{Code, Kind, Level, is_name, quoted};
use super::variable::Guard;
use crate::inja::{Binary, Expression, Form};

impl Rewriter<'_> {
    /// What gives the same value.
    pub(super) fn value(&mut self, expression: &Expression<'_>) -> Code {
        self.guarded(expression, Guard::None)
    }

    pub(super) fn guarded(&mut self, expression: &Expression<'_>, guard: Guard) -> Code {
        match &expression.form {
            Form::Literal(value) => Code::literal(value),
            Form::Variable(path) => self.variable(expression.at, path, guard),
            Form::Member(container, name) => self.member_of(expression.at, container, name, guard),
            Form::Call { name, arguments, piped } => {
                if *piped {
                    self.warn_once(
                        expression.at,
                        "Gloo's Inja (3.4) has no `|` and refuses this template; it is read as later releases read it",
                    );
                }
                self.call(expression.at, name, arguments)
            }
            Form::Not(_) | Form::Binary(Binary::And | Binary::Or, _) => {
                let condition = self.condition(expression);
                match condition.kind {
                    Kind::Bool => condition,
                    _ => condition.filtered("bool", Kind::Bool),
                }
            }
            Form::Binary(operator, parts) => self.binary(expression.at, *operator, &parts.0, &parts.1),
        }
    }

    /// What is true where Inja takes `expression` for true. There, a text is true even if it is empty.
    pub(super) fn condition(&mut self, expression: &Expression<'_>) -> Code {
        let (operator, level, parts) = match &expression.form {
            Form::Not(inner) => {
                let inner = self.condition(inner);
                return Code::new(format!("not {}", inner.at(Level::Not)), Level::Not, Kind::Bool);
            }
            Form::Binary(Binary::And, parts) => ("and", Level::And, parts),
            Form::Binary(Binary::Or, parts) => ("or", Level::Or, parts),
            _ => {
                let value = self.value(expression);
                return self.truth(expression.at, &value);
            }
        };
        let left = self.condition(&parts.0);
        let guards = self.guards.len();
        if operator == "and" {
            super::statement::known_to_exist(&parts.0, &mut self.guards);
        }
        let right = self.condition(&parts.1);
        self.guards.truncate(guards);
        let kind = if (left.kind, right.kind) == (Kind::Bool, Kind::Bool) { Kind::Bool } else { Kind::Any };
        Code::joined(&left, operator, &right, level, kind)
    }

    fn truth(&mut self, at: usize, value: &Code) -> Code {
        match value.kind {
            Kind::Any => {
                let test = format!("{} or {}", value.at(Level::And), value.tested("string").text);
                Code::new(test, Level::Or, Kind::Any)
            }
            Kind::Text => {
                let message = format!(
                    "as a condition, a text is always true in Inja, even an empty one, and so it is here; to ask whether it \
                     is empty, write `{} != \"\"`",
                    value.at(Level::Sum)
                );
                self.warn(at, message);
                Code::literal(&true.into())
            }
            _ => value.clone(),
        }
    }

    fn binary(&mut self, at: usize, operator: Binary, left: &Expression<'_>, right: &Expression<'_>) -> Code {
        let (left, right) = (self.value(left), self.value(right));
        match operator {
            Binary::Equal => self.equality(&left, &right, false),
            Binary::NotEqual => self.equality(&left, &right, true),
            Binary::Less => self.order(at, &left, "<", &right),
            Binary::LessOrEqual => self.order(at, &left, "<=", &right),
            Binary::Greater => self.order(at, &left, ">", &right),
            Binary::GreaterOrEqual => self.order(at, &left, ">=", &right),
            Binary::In => self.contained(at, &left, &right),
            Binary::Power => power(&left, &right),
            Binary::Remainder => self.remainder(at, &left, &right),
            Binary::Divide => Code::joined(&left, "/", &right, Level::Product, Kind::Float),
            Binary::Add => Code::joined(&left, "+", &right, Level::Sum, sum_kind(&left, &right)),
            Binary::Subtract => Code::joined(&left, "-", &right, Level::Sum, difference_kind(&left, &right)),
            Binary::Multiply => Code::joined(&left, "*", &right, Level::Product, product_kind(&left, &right)),
            // These are conditions.
            Binary::And | Binary::Or => left,
        }
    }

    fn remainder(&mut self, at: usize, left: &Code, right: &Code) -> Code {
        let sure = left.kind == Kind::Count && right.kind == Kind::Count;
        if !sure {
            self.warn_once(
                at,
                "where an operand of `%` is negative or has a fraction: Inja cuts fractions off and takes the sign of the \
                 left operand, here the fraction counts and the sign is the right one's",
            );
        }
        Code::joined(left, "%", right, Level::Product, if sure { Kind::Count } else { Kind::Any })
    }

    /// `f(x).name`
    fn member_of(&mut self, at: usize, container: &Expression<'_>, name: &str, guard: Guard) -> Code {
        let container = self.value(container);
        self.warn_once(
            at,
            "where the body has a variable of the same name as the member after `)`, Inja refuses the message; here it \
             reads the member",
        );
        if guard == Guard::None {
            self.unguarded.push((name.to_owned(), at));
        }
        let access = if is_name(name) { format!(".{name}") } else { format!("[{}]", quoted(name)) };
        Code::atom(container.at(Level::Postfix) + &access, Kind::Any)
    }
}

/// Inja cuts the exponent to an integer.
fn power(left: &Code, right: &Code) -> Code {
    let exponent = if right.kind.is_integer() { right.clone() } else { right.filtered("int", Kind::Int) };
    let natural = right.kind == Kind::Count;
    let kind = match left.kind {
        Kind::Count | Kind::Int if natural => left.kind,
        Kind::Float => Kind::Float,
        _ => Kind::Any,
    };
    // Jinja's `**` binds to the left and looser than a sign.
    let text = format!("({} ** {})", left.at(Level::Postfix), exponent.at(Level::Postfix));
    Code::atom(text, kind)
}

fn sum_kind(left: &Code, right: &Code) -> Kind {
    match (left.kind, right.kind) {
        (Kind::Text, Kind::Text) => Kind::Text,
        _ => product_kind(left, right),
    }
}

fn difference_kind(left: &Code, right: &Code) -> Kind {
    if left.kind.is_integer() && right.kind.is_integer() { Kind::Int } else { product_kind(left, right) }
}

fn product_kind(left: &Code, right: &Code) -> Kind {
    match (left.kind, right.kind) {
        (Kind::Count, Kind::Count) => Kind::Count,
        (left, right) if left.is_integer() && right.is_integer() => Kind::Int,
        (left, right) if left.is_number() && right.is_number() => Kind::Float,
        _ => Kind::Any,
    }
}

/// The text of a literal.
pub(super) fn fixed_text(code: &Code) -> Option<&str> {
    code.fixed.as_ref().and_then(Value::as_str)
}
