//! Comparisons. To Inja, a truth value is no number; to Jinja it is 1 or 0.

use serde_json::Value;

use super::Rewriter;
use super::code::{Code, Kind, Level};

impl Rewriter<'_> {
    pub(super) fn equality(&mut self, left: &Code, right: &Code, negated: bool) -> Code {
        for (known, other) in [(left, right), (right, left)] {
            if let (Some(Value::Bool(truth)), false) = (&known.fixed, other.kind == Kind::Bool) {
                return other.tested(&format!("{}{truth}", if negated { "not " } else { "" }));
            }
        }
        if plain(left, right) {
            let operator = if negated { "!=" } else { "==" };
            return Code::joined(left, operator, right, Level::Compare, Kind::Bool);
        }
        left.tested(&format!("{}sameas({})", if negated { "not " } else { "" }, right.text))
    }

    pub(super) fn order(&mut self, at: usize, left: &Code, operator: &str, right: &Code) -> Code {
        let alike = left.kind != Kind::Any && right.kind != Kind::Any;
        let with_text = left.kind == Kind::Text || right.kind == Kind::Text;
        if !alike && !with_text {
            self.warn_once(
                at,
                "where one operand is a truth value and the other a number, Inja puts the truth value first, whatever the \
                 number; here true is 1 and false is 0",
            );
        }
        Code::joined(left, operator, right, Level::Compare, Kind::Bool)
    }

    /// `left in right`. Of a text, Inja asks for equality, not for a part of it.
    pub(super) fn contained(&mut self, at: usize, left: &Code, right: &Code) -> Code {
        if right.kind == Kind::List {
            return Code::joined(left, "in", right, Level::Compare, Kind::Bool);
        }
        if right.kind == Kind::Text {
            return self.equality(left, right, false);
        }
        self.warn_once(
            at,
            "where what follows `in` is an object, Inja looks among the values of its members; here nothing is found",
        );
        let items = format!(
            "({right} if {} else [{}])",
            right.tested("sequence").text,
            right.text,
            right = right.at(Level::Or)
        );
        Code::joined(left, "in", &Code::atom(items, Kind::List), Level::Compare, Kind::Bool)
    }
}

/// Whether Jinja's `==` can never meet a truth value and 1 or 0.
fn plain(left: &Code, right: &Code) -> bool {
    let distinct = |code: &Code| match &code.fixed {
        Some(Value::Number(number)) => !matches!(number.as_f64(), Some(0.0 | 1.0)),
        _ => matches!(code.kind, Kind::Text | Kind::Null | Kind::List | Kind::Map),
    };
    let known = left.kind != Kind::Any && right.kind != Kind::Any;
    let mixed = (left.kind == Kind::Bool) != (right.kind == Kind::Bool);
    distinct(left) || distinct(right) || (known && !mixed)
}
