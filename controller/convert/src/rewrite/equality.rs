//! Comparisons. To Inja, a truth value is no number; to Jinja it is 1 or 0.

use serde_json::Value;

use super::Rewriter;
use super::code::{Code, Kind, Level};

const UNLIKE: &str = "values of unlike kinds are ordered by kind: in Inja null, truth values, numbers, objects, lists, \
     texts; here true is 1 and false is 0, and texts come before lists, lists before objects";

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
        if !ordered_alike(left.kind, right.kind) {
            self.warn_once(at, UNLIKE);
        }
        Code::joined(left, operator, right, Level::Compare, Kind::Bool)
    }

    /// Says how the items of a list are ordered that may be of unlike kinds.
    pub(super) fn order_of_items(&mut self, at: usize, list: &Code) {
        let kinds = items(list).map(|items| items.iter().map(|item| item.kind).collect::<Vec<_>>());
        let alike = kinds
            .is_some_and(|kinds| kinds.iter().zip(kinds.iter().skip(1)).all(|(a, b)| ordered_alike(*a, *b)));
        if !alike && !list.text.starts_with("range(") {
            self.warn_once(at, UNLIKE);
        }
    }

    /// `left in right`. Of a text, Inja asks for equality, not for a part of it.
    pub(super) fn contained(&mut self, at: usize, left: &Code, right: &Code) -> Code {
        if right.kind == Kind::List {
            let sure = distinct(left) || items(right).is_some_and(|items| items.iter().all(distinct));
            if !sure {
                self.warn_once(
                    at,
                    "in a list, `true` is found where 1 is, and `false` where 0 is; not so in Inja",
                );
            }
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

/// The items of a literal.
fn items(list: &Code) -> Option<Vec<Code>> {
    list.fixed.as_ref()?.as_array().map(|items| items.iter().map(Code::literal).collect())
}

/// Whether Jinja's `==` can never meet a truth value and 1 or 0.
fn plain(left: &Code, right: &Code) -> bool {
    let known = left.kind != Kind::Any && right.kind != Kind::Any;
    let mixed = (left.kind == Kind::Bool) != (right.kind == Kind::Bool);
    distinct(left) || distinct(right) || (known && !mixed)
}

/// Whether a value is neither a truth value nor 1 or 0.
fn distinct(code: &Code) -> bool {
    match &code.fixed {
        Some(Value::Number(number)) => !matches!(number.as_f64(), Some(0.0 | 1.0)),
        _ => matches!(code.kind, Kind::Text | Kind::Null | Kind::List | Kind::Map),
    }
}

/// Whether Inja and Jinja put all values of these kinds in the same order.
fn ordered_alike(left: Kind, right: Kind) -> bool {
    let is_scalar = |kind: Kind| kind.is_number() || kind == Kind::Bool;
    let is_large = |kind| matches!(kind, Kind::Text | Kind::List | Kind::Map);
    let same = left == right || (left.is_number() && right.is_number());
    let apart = (is_scalar(left) && is_large(right)) || (is_large(left) && is_scalar(right));
    let with_null = left == Kind::Null || right == Kind::Null;
    left != Kind::Any && right != Kind::Any && (same || apart || with_null)
}
