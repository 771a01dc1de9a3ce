//! Functions: Inja's own. Gloo's are in [`super::gloo`].

use super::Rewriter;
use super::code::{Code, Kind, Level};
use super::expression::fixed_text;
use super::variable::{Guard, nothing};
use crate::inja::{Expression, Form};

const BEYOND_ASCII: &str = "letters beyond ASCII keep their case in Inja; here they change it, too";
const LIST_ONLY: &str = "where the argument is no list (an object, a text, a number), the function differs: of an object \
     Inja takes the values, of anything else the whole";
const PREFIX: &str = "a text that only starts with a number is that number in Inja; here it is refused, as are blanks around an integer";

/// Whether something in Jinja has this name, so that a variable of a template must not.
pub(super) fn is_function(name: &str) -> bool {
    matches!(name, "range" | "dict" | "namespace" | "extraction" | "header" | "headers" | "body" | "context")
        || matches!(name, "get_cookie" | "get_cookie_i" | "secret" | "attribute")
        || super::gloo::find(name).is_some()
}

impl Rewriter<'_> {
    /// A call of the function `name`.
    pub(super) fn call(&mut self, at: usize, name: &str, arguments: &[Expression<'_>]) -> Code {
        match (name, arguments) {
            ("default", [value, other]) => self.default(value, other),
            ("exists", [name]) => self.call_exists(at, name),
            _ => {
                let values: Vec<Code> = arguments.iter().map(|argument| self.value(argument)).collect();
                self.call_with(at, name, &values)
            }
        }
    }

    fn call_with(&mut self, at: usize, name: &str, values: &[Code]) -> Code {
        let known = match values {
            [value] => self.call_one(at, name, value),
            [value, other] => self.call_two(at, name, value, other),
            _ => None,
        };
        let known = known.or_else(|| self.call_gloo(at, name, values));
        known.unwrap_or_else(|| {
            let message = match name {
                "super" => {
                    "`super` is for templates that extend another: put the other's text here".to_owned()
                }
                _ => format!("Gloo's Inja has no function `{name}` with {} arguments", values.len()),
            };
            self.error(at, message);
            nothing()
        })
    }

    fn default(&mut self, value: &Expression<'_>, other: &Expression<'_>) -> Code {
        let guarded = self.guarded(value, Guard::Default);
        let value_of = self.value(other);
        if !self.surroundings.json && matches!(value.form, Form::Variable(_)) && guarded.text == "none" {
            return value_of;
        }
        let kind = if guarded.kind == value_of.kind { guarded.kind } else { Kind::Any };
        if cannot_fail(other) {
            return guarded.filtered(&format!("default({})", value_of.text), kind);
        }
        // Inja looks at the other value only if it needs it.
        let test = guarded.tested("defined").text;
        Code::atom(format!("({} if {test} else {})", guarded.text, value_of.text), kind)
    }

    fn call_exists(&mut self, at: usize, name: &Expression<'_>) -> Code {
        if let Form::Literal(serde_json::Value::String(name)) = &name.form {
            return self.exists(at, name);
        }
        self.error(
            at,
            "`exists` of a name that is computed: write `existsIn(object, name)`, or the name itself",
        );
        nothing()
    }

    fn call_one(&mut self, at: usize, name: &str, value: &Code) -> Option<Code> {
        Some(match name {
            "upper" | "lower" => {
                self.warn_once(at, BEYOND_ASCII);
                value.filtered(name, Kind::Text)
            }
            "length" => {
                if !matches!(value.kind, Kind::List | Kind::Map) {
                    self.warn_once(at, "of a text, `length` counts bytes in Inja and characters here");
                }
                value.filtered("length", Kind::Count)
            }
            "first" | "last" => {
                self.needs_list(at, value);
                value.filtered(name, Kind::Any)
            }
            "max" | "min" => {
                self.needs_list(at, value);
                self.order_of_items(at, value);
                value.filtered(&format!("{name}(case_sensitive=true)"), Kind::Any)
            }
            "sort" => {
                self.order_of_items(at, value);
                value.filtered("sort(case_sensitive=true)", Kind::List)
            }
            "range" => Code::atom(format!("range({})", value.text), Kind::List),
            "int" | "float" => {
                self.warn_once(at, PREFIX);
                value.filtered(name, if name == "int" { Kind::Int } else { Kind::Float })
            }
            "odd" | "even" => whole(value).tested(name),
            _ => return is_of_kind(name, value),
        })
    }

    fn call_two(&mut self, at: usize, name: &str, value: &Code, other: &Code) -> Option<Code> {
        Some(match name {
            "at" => self.at(at, value, other),
            "divisibleBy" => whole(value).tested(&format!("divisibleby({})", whole(other).text)),
            "existsIn" => {
                let item = format!("{}[{}]", value.at(Level::Postfix), other.text);
                Code::atom(item, Kind::Any).tested("defined")
            }
            "join" => {
                self.needs_list(at, value);
                self.warn_once(at, "`join` writes a null as `null` in Inja; here it writes nothing");
                value.filtered(&format!("join({})", other.text), Kind::Text)
            }
            "round" => self.round(at, value, other),
            _ => return None,
        })
    }

    fn needs_list(&mut self, at: usize, value: &Code) {
        if value.kind != Kind::List {
            self.warn_once(at, LIST_ONLY);
        }
    }

    fn at(&mut self, at: usize, value: &Code, key: &Code) -> Code {
        let counts = key.kind == Kind::Count || key.kind == Kind::Text;
        if !counts {
            self.warn_once(
                at,
                "where the place is negative Inja refuses the message; here it counts from the end",
            );
        }
        self.unguarded.push((format!("at({}, {})", value.text, key.text), at));
        let item = match fixed_text(key).filter(|name| super::code::is_name(name)) {
            Some(name) => format!("{}.{name}", value.at(Level::Postfix)),
            None => format!("{}[{}]", value.at(Level::Postfix), key.text),
        };
        Code::atom(item, Kind::Any)
    }

    /// With no digits Inja gives an integer, else a float.
    fn round(&mut self, at: usize, value: &Code, digits: &Code) -> Code {
        self.warn_once(
            at,
            "a number just between two is rounded away from zero by Inja, and here to the even one",
        );
        let digits_fixed = digits.fixed.as_ref().and_then(serde_json::Value::as_u64);
        if digits_fixed == Some(0) {
            return value.filtered("round | int", Kind::Int);
        }
        if digits_fixed.is_none() {
            self.warn_once(at, "where the digits come to 0, Inja gives an integer; here it prints with `.0`");
        }
        let float =
            if value.kind == Kind::Float { value.clone() } else { value.filtered("float", Kind::Float) };
        float.filtered(&format!("round({})", digits.text), Kind::Float)
    }
}

/// `isArray(value)` and its like.
fn is_of_kind(name: &str, value: &Code) -> Option<Code> {
    let test = match name {
        "isArray" => "sequence",
        "isBoolean" => "boolean",
        "isFloat" => "float",
        "isInteger" => "integer",
        "isObject" => "mapping",
        "isString" => "string",
        "isNumber" => {
            let test = format!("{} and {}", value.tested("number").text, value.tested("not boolean").text);
            return Some(Code::new(test, Level::And, Kind::Bool));
        }
        _ => return None,
    };
    Some(value.tested(test))
}

/// Inja cuts fractions off where it wants an integer.
fn whole(value: &Code) -> Code {
    if value.kind.is_integer() { value.clone() } else { value.filtered("int", Kind::Int) }
}

/// Whether evaluating `expression` never makes a render fail.
fn cannot_fail(expression: &Expression<'_>) -> bool {
    match &expression.form {
        Form::Literal(_) | Form::Variable(_) => true,
        Form::Call {
            name: "default" | "header" | "request_header" | "extraction" | "env",
            arguments,
            ..
        } => arguments.iter().all(cannot_fail),
        _ => false,
    }
}
