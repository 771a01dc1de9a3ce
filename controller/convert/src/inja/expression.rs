//! Expressions, by operator precedence as Inja has it.

use serde_json::Value;

use super::SyntaxError;
use super::ast::{Binary, Expression, Form};
use super::statement::{Parser, Parses};
use super::token::{Kind, Token};

/// How deep an expression may nest; a link of a chain counts as a level.
const MAX_DEPTH: usize = 80;
/// `not` binds as tightly as `*`.
const NOT: u8 = 4;

/// An operator that waits for its right operand.
#[derive(Clone, Copy, Debug)]
enum Pending {
    Not,
    Binary(Binary),
    Member,
}

impl Pending {
    fn precedence(self) -> u8 {
        match self {
            Self::Not => NOT,
            Self::Binary(operator) => operator.precedence(),
            Self::Member => 8,
        }
    }

    fn binds_to_the_right(self) -> bool {
        matches!(self, Self::Binary(Binary::Power))
    }
}

/// An expression that is being read.
#[derive(Debug, Default)]
struct Reading<'s> {
    operands: Vec<Expression<'s>>,
    operators: Vec<(Pending, usize)>,
    /// Whether an operand has just ended.
    complete: bool,
}

impl<'s> Parser<'s> {
    /// An expression; none where the next token starts none.
    pub(super) fn optional_expression(&mut self) -> Parses<Option<Expression<'s>>> {
        self.nesting += 1;
        if self.nesting > MAX_DEPTH {
            return Err(self.error("the expression nests too deep"));
        }
        let mut reading = Reading::default();
        while self.step(&mut reading)? {}
        self.nesting -= 1;
        if reading.operands.is_empty() && reading.operators.is_empty() {
            return Ok(None);
        }
        if !reading.complete {
            return Err(self.error("an operand is missing"));
        }
        reading.reduce_all()?;
        Ok(reading.operands.pop())
    }

    /// An expression.
    pub(super) fn expression(&mut self) -> Parses<Expression<'s>> {
        let found = self.optional_expression()?;
        found.ok_or_else(|| self.error(format!("an expression is missing before {}", self.token.described())))
    }

    /// Takes the next token into `reading`; false where the expression ends before it.
    fn step(&mut self, reading: &mut Reading<'s>) -> Parses<bool> {
        let token = self.token;
        match token.kind {
            Kind::Name if token.text == "not" => self.pending(reading, Pending::Not)?,
            Kind::Name | Kind::Operator if Binary::named(token.text).is_some() => {
                let operator = Binary::named(token.text).unwrap_or(Binary::And);
                self.pending(reading, Pending::Binary(operator))?;
            }
            Kind::Dot => self.pending(reading, Pending::Member)?,
            Kind::Pipe => self.pipe(reading)?,
            Kind::Name
            | Kind::Number
            | Kind::String
            | Kind::BracketOpen
            | Kind::BraceOpen
            | Kind::ParenOpen => {
                let operand = self.operand()?;
                reading.operand(operand)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn pending(&mut self, reading: &mut Reading<'s>, operator: Pending) -> Parses<()> {
        let at = self.token.at;
        self.advance();
        reading.operator(operator, at)
    }

    fn operand(&mut self) -> Parses<Expression<'s>> {
        let token = self.token;
        match token.kind {
            Kind::ParenOpen => {
                self.advance();
                let inner = self.expression()?;
                self.expect(Kind::ParenClose, "`)`")?;
                Ok(inner)
            }
            Kind::Name if matches!(token.text, "true" | "false" | "null") => self.literal(token, token),
            Kind::Name => {
                self.advance();
                if self.token.kind == Kind::ParenOpen {
                    return self.call(token, None);
                }
                Ok(Expression { at: token.at, depth: 1, form: Form::Variable(token.text) })
            }
            Kind::BracketOpen | Kind::BraceOpen => {
                let last = self.end_of_json()?;
                self.literal(token, last)
            }
            _ => self.literal(token, token),
        }
    }

    /// Goes to the bracket that closes the one at hand.
    fn end_of_json(&mut self) -> Parses<Token<'s>> {
        let mut open = 0usize;
        loop {
            match self.token.kind {
                Kind::BracketOpen | Kind::BraceOpen => open += 1,
                Kind::BracketClose | Kind::BraceClose => open -= 1,
                Kind::String | Kind::Number | Kind::Name | Kind::Comma | Kind::Colon => {}
                _ => return Err(self.error(format!("{} inside a JSON literal", self.token.described()))),
            }
            if open == 0 {
                return Ok(self.token);
            }
            self.advance();
        }
    }

    /// The JSON from one token to another, the latter being at hand.
    fn literal(&mut self, first: Token<'s>, last: Token<'s>) -> Parses<Expression<'s>> {
        let json = self.source.get(first.at..last.at + last.text.len()).unwrap_or_default();
        let value: Value = serde_json::from_str(json)
            .map_err(|error| SyntaxError::new(first.at, format!("`{json}` is no JSON: {error}")))?;
        self.advance();
        Ok(Expression { at: first.at, depth: 1, form: Form::Literal(value) })
    }

    /// The arguments of the function `name`, from their parenthesis on.
    fn call(&mut self, name: Token<'s>, first: Option<Expression<'s>>) -> Parses<Expression<'s>> {
        let piped = first.is_some();
        let mut arguments: Vec<_> = first.into_iter().collect();
        if self.token.kind == Kind::ParenOpen {
            self.advance();
            while let Some(argument) = self.optional_expression()? {
                arguments.push(argument);
                if self.token.kind != Kind::Comma {
                    break;
                }
                self.advance();
            }
            self.expect(Kind::ParenClose, "`)`")?;
        }
        let depth = arguments.iter().map(|argument| argument.depth).max().unwrap_or(0) + 1;
        bounded(Expression { at: name.at, depth, form: Form::Call { name: name.text, arguments, piped } })
    }

    /// `operand | function(arguments)`, which takes the operand before it alone.
    fn pipe(&mut self, reading: &mut Reading<'s>) -> Parses<()> {
        self.advance();
        let (true, Some(operand)) = (reading.complete, reading.operands.pop()) else {
            return Err(self.error("nothing stands before `|`"));
        };
        let name = self.token;
        self.expect(Kind::Name, "the name of a function")?;
        let call = self.call(name, Some(operand))?;
        reading.operands.push(call);
        Ok(())
    }
}

impl<'s> Reading<'s> {
    fn operand(&mut self, operand: Expression<'s>) -> Parses<()> {
        if self.complete {
            return Err(SyntaxError::new(operand.at, "an operator is missing before this"));
        }
        self.complete = true;
        self.operands.push(operand);
        Ok(())
    }

    fn operator(&mut self, next: Pending, at: usize) -> Parses<()> {
        let is_not = matches!(next, Pending::Not);
        if self.complete == is_not {
            return Err(SyntaxError::new(at, "an operand is missing, or an operator is one too many"));
        }
        while let Some((top, _)) = self.operators.last() {
            let alike = top.precedence() == next.precedence() && !next.binds_to_the_right();
            if top.precedence() < next.precedence() || (top.precedence() == next.precedence() && !alike) {
                break;
            }
            if is_not {
                return Err(SyntaxError::new(at, "Inja cannot read `not` here; put it in parentheses"));
            }
            self.reduce()?;
        }
        self.operators.push((next, at));
        self.complete = false;
        Ok(())
    }

    fn reduce_all(&mut self) -> Parses<()> {
        while !self.operators.is_empty() {
            self.reduce()?;
        }
        Ok(())
    }

    /// Joins the last operator and its operands.
    fn reduce(&mut self) -> Parses<()> {
        let (Some((operator, at)), Some(right)) = (self.operators.pop(), self.operands.pop()) else {
            return Err(SyntaxError::new(0, "an operand is missing"));
        };
        if let Pending::Not = operator {
            let depth = right.depth + 1;
            self.operands.push(bounded(Expression { at, depth, form: Form::Not(Box::new(right)) })?);
            return Ok(());
        }
        let Some(left) = self.operands.pop() else {
            return Err(SyntaxError::new(at, "an operand is missing"));
        };
        let (start, depth) = (left.at, left.depth.max(right.depth) + 1);
        let form = match (operator, &right.form) {
            (Pending::Binary(operator), _) => Form::Binary(operator, Box::new((left, right))),
            (_, Form::Variable(name)) => Form::Member(Box::new(left), name),
            _ => return Err(SyntaxError::new(right.at, "Inja takes nothing but a name after this `.`")),
        };
        self.operands.push(bounded(Expression { at: start, depth, form })?);
        Ok(())
    }
}

fn bounded(expression: Expression<'_>) -> Parses<Expression<'_>> {
    if expression.depth > MAX_DEPTH {
        return Err(SyntaxError::new(
            expression.at,
            "the expression nests too deep, or chains too many operators",
        ));
    }
    Ok(expression)
}
