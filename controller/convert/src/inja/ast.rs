//! What a template says.

use serde_json::Value;

/// A part of a template, and where it starts, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement<'s> {
    pub(crate) at: usize,
    pub(crate) what: What<'s>,
}

/// What a part of a template does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What<'s> {
    Text(&'s str),
    Comment(&'s str),
    Print(Expression<'s>),
    If {
        arms: Vec<(Expression<'s>, Vec<Statement<'s>>)>,
        otherwise: Option<Vec<Statement<'s>>>,
    },
    For {
        key: Option<&'s str>,
        value: &'s str,
        items: Expression<'s>,
        body: Vec<Statement<'s>>,
    },
    Set {
        name: &'s str,
        value: Expression<'s>,
    },
    /// `include`, `extends`, `block`, `endblock`.
    Unsupported(&'s str),
}

/// An expression, and where it starts, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expression<'s> {
    pub(crate) at: usize,
    pub(crate) depth: usize,
    pub(crate) form: Form<'s>,
}

/// What an expression is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form<'s> {
    Literal(Value),
    /// A variable with its path, as it is written.
    Variable(&'s str),
    Not(Box<Expression<'s>>),
    Binary(Binary, Box<(Expression<'s>, Expression<'s>)>),
    /// `expression.name`
    Member(Box<Expression<'s>>, &'s str),
    Call {
        name: &'s str,
        arguments: Vec<Expression<'s>>,
        piped: bool,
    },
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    And,
    Or,
    In,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Binary {
    pub(super) fn named(text: &str) -> Option<Self> {
        Some(match text {
            "and" => Self::And,
            "or" => Self::Or,
            "in" => Self::In,
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            "%" => Self::Remainder,
            "^" => Self::Power,
            _ => return None,
        })
    }

    /// How tightly Inja binds it. `and` and `or` are alike.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::And | Self::Or => 1,
            Self::Add | Self::Subtract => 3,
            Self::Multiply | Self::Divide | Self::Remainder => 4,
            Self::Power => 5,
            _ => 2,
        }
    }
}
