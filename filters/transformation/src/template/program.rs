//! A compiled template: names resolved, filters and functions found, nothing left to look up or fail at run time that
//! can be known before.

use super::error::Place;
use super::filters::Filter;
use super::functions::{Function, Section};
use super::predicates::Predicate;

/// A name that the template itself assigns, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol(pub(crate) u32);

/// Statements in order.
pub(crate) type Block = Vec<Statement>;

/// What a template does.
#[derive(Debug)]
pub(crate) enum Statement {
    Text(Box<str>),
    Print(Expression, Place),
    /// `{{ header("name") }}` and `{{ request_header("name") }}`, the commonest of all: their bytes go straight to the
    /// output.
    PrintField(Section, Box<str>),
    /// `if` and its `elif`s, then `else`.
    If {
        arms: Vec<Arm>,
        otherwise: Block,
    },
    For(Box<For>),
    With {
        assignments: Vec<(Target, Expression)>,
        body: Block,
        place: Place,
    },
    Set {
        target: Target,
        value: Expression,
        place: Place,
    },
    /// `{% set x %}…{% endset %}` and `{% filter f %}…{% endfilter %}`; without a target the result is printed.
    Capture {
        target: Option<Target>,
        body: Block,
        filter: Option<Expression>,
        place: Place,
    },
    Macro(Macro),
    /// `{% call m() %}…{% endcall %}`: the block is `caller` to the macro.
    CallBlock {
        callee: Expression,
        arguments: Arguments,
        caller: Macro,
        place: Place,
    },
    Do(Expression, Place),
    Break,
    Continue,
}

/// A condition and what to do if it holds.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) condition: Expression,
    pub(crate) body: Block,
    pub(crate) place: Place,
}

/// A loop.
#[derive(Debug)]
pub(crate) struct For {
    pub(crate) target: Target,
    pub(crate) items: Expression,
    pub(crate) condition: Option<Expression>,
    pub(crate) recursive: bool,
    pub(crate) body: Block,
    pub(crate) otherwise: Block,
    pub(crate) place: Place,
}

/// What is assigned to.
#[derive(Debug)]
pub(crate) enum Target {
    Name(Symbol),
    Many(Vec<Target>),
    /// A field of a namespace.
    Field(Expression, Box<str>),
}

/// A macro, or the block of a `call`.
#[derive(Debug)]
pub(crate) struct Macro {
    pub(crate) symbol: Symbol,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Block,
}

/// A parameter and what it is when no argument is given.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: Box<str>,
    pub(crate) symbol: Symbol,
    pub(crate) default: Option<Expression>,
}

/// What comes to a value.
#[derive(Debug)]
pub(crate) enum Expression {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Box<str>),
    /// A name that the template assigns somewhere; where it has not yet, the message's variable.
    Local(Symbol, Box<str>),
    /// A member of the message's JSON object.
    Variable(Box<str>),
    /// The innermost loop, or else the variable.
    Loop,
    Field(Box<Expression>, Box<str>),
    Item(Box<(Expression, Expression)>),
    Slice(Box<Slice>),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    And(Box<(Expression, Expression)>),
    Or(Box<(Expression, Expression)>),
    Binary(Operator, Box<(Expression, Expression)>),
    Compare(Box<Expression>, Vec<(Comparison, Expression)>),
    If(Box<(Expression, Expression, Option<Expression>)>),
    List(Vec<Expression>),
    Map(Vec<(Expression, Expression)>),
    Filter(Box<Applied<Filter>>),
    Test(Box<Applied<Predicate>>),
    Call(Box<Applied<Function>>),
    /// A call of a macro by its name.
    CallLocal(Symbol, Box<Applied<Box<str>>>),
    /// `loop(children)` in a recursive loop.
    Recurse(Box<Expression>, Place),
    Method(Box<(Expression, Box<str>)>, Arguments, Place),
    /// The captured text that a filter block applies to.
    Captured,
}

/// Something named, applied to a value (which functions have none of) and arguments.
#[derive(Debug)]
pub(crate) struct Applied<T> {
    pub(crate) what: T,
    pub(crate) value: Option<Expression>,
    pub(crate) arguments: Arguments,
    pub(crate) place: Place,
}

/// `value[start:stop:step]`.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) value: Expression,
    pub(crate) bounds: [Option<Expression>; 3],
}

/// Arguments as written.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) items: Vec<Argument>,
}

#[derive(Debug)]
pub(crate) enum Argument {
    Positional(Expression),
    Named(Box<str>, Expression),
    /// `*list`
    Spread(Expression),
    /// `**map`
    SpreadNamed(Expression),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
    Concat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}
