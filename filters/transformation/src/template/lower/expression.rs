//! Expressions.

use minijinja::machinery::{Span, ast};
use minijinja::value::{Value, ValueKind};

use super::super::functions::Section;
use super::super::program::{Applied, Argument, Arguments, Comparison, Expression, Operator, Slice};
use super::super::{filters, functions, predicates};
use super::{Lowering, Lowers, Refusal, place};

impl Lowering<'_> {
    pub(super) fn expression(&mut self, expression: &ast::Expr<'_>) -> Lowers<Expression> {
        Ok(match expression {
            ast::Expr::Var(variable) => self.variable(variable.id),
            ast::Expr::Const(constant) => literal(&constant.value, constant.span())?,
            ast::Expr::Slice(slice) => {
                let mut bound =
                    |bound: &Option<ast::Expr<'_>>| bound.as_ref().map(|it| self.expression(it)).transpose();
                let bounds = [bound(&slice.start)?, bound(&slice.stop)?, bound(&slice.step)?];
                Expression::Slice(Box::new(Slice { value: self.expression(&slice.expr)?, bounds }))
            }
            ast::Expr::UnaryOp(operation) => {
                let value = Box::new(self.expression(&operation.expr)?);
                match operation.op {
                    ast::UnaryOpKind::Not => Expression::Not(value),
                    ast::UnaryOpKind::Neg => Expression::Negate(value),
                }
            }
            ast::Expr::BinOp(operation) => self.binary(operation)?,
            ast::Expr::Compare(chain) => {
                let links: Lowers<_> = chain
                    .ops
                    .iter()
                    .map(|link| Ok((comparison(link.op), self.expression(&link.expr)?)))
                    .collect();
                Expression::Compare(Box::new(self.expression(&chain.expr)?), links?)
            }
            ast::Expr::IfExpr(choice) => Expression::If(Box::new((
                self.expression(&choice.test_expr)?,
                self.expression(&choice.true_expr)?,
                choice.false_expr.as_ref().map(|it| self.expression(it)).transpose()?,
            ))),
            ast::Expr::Filter(filter) => self.filter(filter)?,
            ast::Expr::Test(test) => self.test(test)?,
            ast::Expr::GetAttr(field) => {
                Expression::Field(Box::new(self.expression(&field.expr)?), field.name.into())
            }
            ast::Expr::GetItem(item) => Expression::Item(Box::new((
                self.expression(&item.expr)?,
                self.expression(&item.subscript_expr)?,
            ))),
            ast::Expr::Call(call) => self.call(call)?,
            ast::Expr::List(list) => Expression::List(self.expressions(&list.items)?),
            ast::Expr::Tuple(tuple) => Expression::List(self.expressions(&tuple.items)?),
            ast::Expr::Map(map) => {
                let keys = self.expressions(&map.keys)?;
                Expression::Map(keys.into_iter().zip(self.expressions(&map.values)?).collect())
            }
        })
    }

    fn expressions(&mut self, expressions: &[ast::Expr<'_>]) -> Lowers<Vec<Expression>> {
        expressions.iter().map(|expression| self.expression(expression)).collect()
    }

    /// A name that is not called: the template's own, a loop, or a member of the message's JSON, be it named as a
    /// function. What is called is never a member, so neither hides the other.
    fn variable(&mut self, name: &str) -> Expression {
        self.reads_variable(name);
        match self.symbols.get(name).copied() {
            Some(symbol) => Expression::Local(symbol, name.into()),
            None if name == "loop" => Expression::Loop,
            None => Expression::Variable(name.into()),
        }
    }

    fn binary(&mut self, operation: &ast::BinOp<'_>) -> Lowers<Expression> {
        let parts = Box::new((self.expression(&operation.left)?, self.expression(&operation.right)?));
        let operator = match operation.op {
            ast::BinOpKind::ScAnd => return Ok(Expression::And(parts)),
            ast::BinOpKind::ScOr => return Ok(Expression::Or(parts)),
            ast::BinOpKind::Eq => return Ok(compared(*parts, Comparison::Equal)),
            ast::BinOpKind::Ne => return Ok(compared(*parts, Comparison::NotEqual)),
            ast::BinOpKind::Lt => return Ok(compared(*parts, Comparison::Less)),
            ast::BinOpKind::Lte => return Ok(compared(*parts, Comparison::LessOrEqual)),
            ast::BinOpKind::Gt => return Ok(compared(*parts, Comparison::Greater)),
            ast::BinOpKind::Gte => return Ok(compared(*parts, Comparison::GreaterOrEqual)),
            ast::BinOpKind::In => return Ok(compared(*parts, Comparison::In)),
            ast::BinOpKind::Add => Operator::Add,
            ast::BinOpKind::Sub => Operator::Subtract,
            ast::BinOpKind::Mul => Operator::Multiply,
            ast::BinOpKind::Div => Operator::Divide,
            ast::BinOpKind::FloorDiv => Operator::FloorDivide,
            ast::BinOpKind::Rem => Operator::Remainder,
            ast::BinOpKind::Pow => Operator::Power,
            ast::BinOpKind::Concat => Operator::Concat,
        };
        Ok(Expression::Binary(operator, parts))
    }

    fn filter(&mut self, filter: &ast::Spanned<ast::Filter<'_>>) -> Lowers<Expression> {
        let unknown = || Refusal::new(filter.span(), format!("no filter is called `{}`", filter.name));
        let what = filters::find(filter.name).ok_or_else(unknown)?;
        let value = match &filter.expr {
            Some(value) => self.expression(value)?,
            None => Expression::Captured,
        };
        let arguments = self.arguments(&filter.args)?;
        Ok(Expression::Filter(Box::new(Applied {
            what,
            value: Some(value),
            arguments,
            place: place(filter.span()),
        })))
    }

    fn test(&mut self, test: &ast::Spanned<ast::Test<'_>>) -> Lowers<Expression> {
        let unknown = || Refusal::new(test.span(), format!("no test is called `{}`", test.name));
        let what = predicates::find(test.name).ok_or_else(unknown)?;
        let value = Some(self.expression(&test.expr)?);
        let arguments = self.arguments(&test.args)?;
        Ok(Expression::Test(Box::new(Applied { what, value, arguments, place: place(test.span()) })))
    }

    pub(super) fn call(&mut self, call: &ast::Spanned<ast::Call<'_>>) -> Lowers<Expression> {
        match call.identify_call() {
            ast::CallType::Function(name) => self.call_function(name, call),
            ast::CallType::Method(value, name) => {
                let value = self.expression(value)?;
                let arguments = self.arguments(&call.args)?;
                Ok(Expression::Method(Box::new((value, name.into())), arguments, place(call.span())))
            }
            ast::CallType::Block(_) | ast::CallType::Object(_) => {
                Err(Refusal::new(call.span(), "only functions and macros can be called, by their name"))
            }
        }
    }

    /// Section and name where `expression` is a call that reads one header field of a fixed name.
    pub(super) fn field_call<'e>(&self, expression: &'e ast::Expr<'_>) -> Option<(Section, &'e str)> {
        let ast::Expr::Call(call) = expression else { return None };
        let ast::CallType::Function(function) = call.identify_call() else { return None };
        let section = match function {
            "header" => Section::Message,
            "request_header" => Section::Request,
            _ => return None,
        };
        let [ast::CallArg::Pos(ast::Expr::Const(name))] = &call.args[..] else { return None };
        let name = name.value.as_str().filter(|_| !self.symbols.contains_key(function))?;
        Some((section, name))
    }

    /// An expression whose value is printed.
    pub(super) fn printed(&mut self, expression: &ast::Expr<'_>) -> Lowers<Expression> {
        let value = self.expression(expression)?;
        if !self.escapes || self.escapes_itself(expression) {
            return Ok(value);
        }
        Ok(Expression::Call(Box::new(Applied {
            what: functions::escaped,
            value: None,
            arguments: Arguments { items: vec![Argument::Positional(value)] },
            place: place(expression.span()),
        })))
    }

    /// Whether the expression is one whose text is escaped already, or is not to be.
    fn escapes_itself(&self, expression: &ast::Expr<'_>) -> bool {
        match expression {
            ast::Expr::Filter(filter) => matches!(filter.name, "tojson" | "safe"),
            ast::Expr::Call(call) => match call.identify_call() {
                ast::CallType::Function(name) => name == "raw_string" || self.symbols.contains_key(name),
                _ => false,
            },
            _ => false,
        }
    }

    fn call_function(&mut self, name: &str, call: &ast::Spanned<ast::Call<'_>>) -> Lowers<Expression> {
        let place = place(call.span());
        if let Some(symbol) = self.symbols.get(name).copied() {
            let arguments = self.arguments(&call.args)?;
            let applied = Applied { what: name.into(), value: None, arguments, place };
            return Ok(Expression::CallLocal(symbol, Box::new(applied)));
        }
        if let ("loop", [ast::CallArg::Pos(items)]) = (name, &call.args[..]) {
            return Ok(Expression::Recurse(Box::new(self.expression(items)?), place));
        }
        let Some((what, reads)) = functions::find(name) else {
            return Err(Refusal::new(call.span(), unknown_function(name)));
        };
        self.reads(reads, &call.args);
        let arguments = self.arguments(&call.args)?;
        Ok(Expression::Call(Box::new(Applied { what, value: None, arguments, place })))
    }

    pub(super) fn arguments(&mut self, arguments: &[ast::CallArg<'_>]) -> Lowers<Arguments> {
        let items: Lowers<_> = arguments
            .iter()
            .map(|argument| {
                Ok(match argument {
                    ast::CallArg::Pos(value) => Argument::Positional(self.expression(value)?),
                    ast::CallArg::Kwarg(name, value) => {
                        Argument::Named((*name).into(), self.expression(value)?)
                    }
                    ast::CallArg::PosSplat(list) => Argument::Spread(self.expression(list)?),
                    ast::CallArg::KwargSplat(map) => Argument::SpreadNamed(self.expression(map)?),
                })
            })
            .collect();
        Ok(Arguments { items: items? })
    }
}

fn unknown_function(name: &str) -> String {
    match name {
        "super" => "a template stands alone: there is no `super()`".to_owned(),
        _ => format!("no function is called `{name}`"),
    }
}

fn compared((left, right): (Expression, Expression), comparison: Comparison) -> Expression {
    Expression::Compare(Box::new(left), vec![(comparison, right)])
}

fn comparison(operator: ast::CompareOpKind) -> Comparison {
    match operator {
        ast::CompareOpKind::Eq => Comparison::Equal,
        ast::CompareOpKind::Ne => Comparison::NotEqual,
        ast::CompareOpKind::Lt => Comparison::Less,
        ast::CompareOpKind::Lte => Comparison::LessOrEqual,
        ast::CompareOpKind::Gt => Comparison::Greater,
        ast::CompareOpKind::Gte => Comparison::GreaterOrEqual,
        ast::CompareOpKind::In => Comparison::In,
        ast::CompareOpKind::NotIn => Comparison::NotIn,
    }
}

fn literal(value: &Value, span: Span) -> Lowers<Expression> {
    let number = || match i128::try_from(value.clone()) {
        Ok(number) if value.is_integer() => Some(Expression::Int(number)),
        _ => f64::try_from(value.clone()).ok().map(Expression::Float),
    };
    let literal = match value.kind() {
        ValueKind::Undefined | ValueKind::None => Some(Expression::Null),
        ValueKind::Bool => Some(Expression::Bool(value.is_true())),
        ValueKind::Number => number(),
        ValueKind::String => value.as_str().map(|text| Expression::Text(text.into())),
        _ => None,
    };
    literal.ok_or_else(|| Refusal::new(span, "a literal is too large"))
}
