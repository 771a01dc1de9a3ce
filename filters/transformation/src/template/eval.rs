//! Expressions to values.

use super::access;
use super::arguments::Args;
use super::error::{Failure, Outcome};
use super::functions;
use super::interpreter::Interpreter;
use super::operators;
use super::program::{Argument, Arguments, Comparison, Expression, Slice};
use super::value::{Text, Value};

impl<'a> Interpreter<'a, '_> {
    /// What `expression` comes to.
    pub(super) fn eval(&mut self, expression: &'a Expression) -> Outcome<Value<'a>> {
        self.meter.charge(1)?;
        match expression {
            Expression::Null => Ok(Value::Null),
            Expression::Bool(value) => Ok(Value::Bool(*value)),
            Expression::Int(value) => Ok(Value::Int(*value)),
            Expression::Float(value) => Ok(Value::Float(*value)),
            Expression::Text(text) => Ok(Value::from(&**text)),
            Expression::Variable(name) => self.variable(name),
            Expression::Local(symbol, name) => match self.frames.get(*symbol) {
                Some(value) => Ok(value.clone()),
                None => Ok(self.scope.variable(self.meter, name)?.unwrap_or(Value::Undefined)),
            },
            Expression::Loop => match self.frames.running() {
                Some(running) => Ok(Value::Loop(running.state.clone())),
                None => self.variable("loop"),
            },
            Expression::Captured => Ok(self.captured.take().unwrap_or(Value::Undefined)),
            compound => self.nested(|it| it.eval_compound(compound)),
        }
    }

    fn variable(&self, name: &str) -> Outcome<Value<'a>> {
        let value = self.scope.variable(self.meter, name)?;
        value.ok_or_else(|| match functions::find(name) {
            Some(_) => Failure::new(format!("`{name}` is a function, to be called as `{name}(…)`")),
            None => Failure::new(format!(
                "`{name}` is a variable, but no JSON was parsed (body.parseAs is not AsJson)"
            )),
        })
    }

    fn eval_compound(&mut self, expression: &'a Expression) -> Outcome<Value<'a>> {
        match expression {
            Expression::Field(value, name) => {
                let value = self.eval(value)?;
                access::field(self.meter, &value, name)
            }
            Expression::Item(parts) => {
                let (value, key) = (self.eval(&parts.0)?, self.eval(&parts.1)?);
                access::item(self.meter, &value, &key)
            }
            Expression::Slice(slice) => self.eval_slice(slice),
            Expression::List(items) => {
                let items: Outcome<_> = items.iter().map(|item| self.eval(item)).collect();
                Value::list(self.meter, items?)
            }
            Expression::Map(pairs) => {
                let pairs: Outcome<_> =
                    pairs.iter().map(|(key, value)| Ok((self.eval_key(key)?, self.eval(value)?))).collect();
                Value::map(self.meter, pairs?)
            }
            Expression::Filter(_) | Expression::Test(_) | Expression::Call(_) => {
                self.eval_applied(expression)
            }
            Expression::CallLocal(symbol, call) => {
                let callee = self.frames.get(*symbol).cloned();
                let callee =
                    callee.ok_or_else(|| Failure::new(format!("`{}` is not defined here", call.what)))?;
                let args = self.eval_arguments(&call.arguments)?;
                self.call(&callee, args, None).map_err(|failure| failure.at(call.place))
            }
            Expression::Recurse(items, place) => {
                let items = self.eval(items)?;
                self.recurse(&items).map_err(|failure| failure.at(*place))
            }
            Expression::Method(method, arguments, place) => {
                let value = self.eval(&method.0)?;
                let args = self.eval_arguments(arguments)?;
                self.call_method(&value, &method.1, args).map_err(|failure| failure.at(*place))
            }
            operation => self.eval_operation(operation),
        }
    }

    fn eval_operation(&mut self, expression: &'a Expression) -> Outcome<Value<'a>> {
        match expression {
            Expression::Not(value) => Ok(Value::Bool(!self.eval(value)?.is_true())),
            Expression::Negate(value) => operators::negate(&self.eval(value)?),
            Expression::And(parts) => {
                let left = self.eval(&parts.0)?;
                if left.is_true() { self.eval(&parts.1) } else { Ok(left) }
            }
            Expression::Or(parts) => {
                let left = self.eval(&parts.0)?;
                if left.is_true() { Ok(left) } else { self.eval(&parts.1) }
            }
            Expression::Binary(operator, parts) => {
                let (left, right) = (self.eval(&parts.0)?, self.eval(&parts.1)?);
                operators::binary(self.meter, *operator, &left, &right)
            }
            Expression::Compare(first, chain) => self.eval_comparison(first, chain),
            Expression::If(parts) => {
                let (condition, then, otherwise) = &**parts;
                match (self.eval(condition)?.is_true(), otherwise) {
                    (true, _) => self.eval(then),
                    (false, Some(otherwise)) => self.eval(otherwise),
                    (false, None) => Ok(Value::Undefined),
                }
            }
            _ => Ok(Value::Undefined),
        }
    }

    fn eval_applied(&mut self, expression: &'a Expression) -> Outcome<Value<'a>> {
        let (outcome, place) = match expression {
            Expression::Filter(filter) => {
                let value = self.eval_operand(filter.value.as_ref())?;
                let mut args = self.eval_arguments(&filter.arguments)?;
                let outcome = (filter.what)(self.meter, value, &mut args);
                (outcome.and_then(|value| args.finish().map(|()| value)), filter.place)
            }
            Expression::Test(test) => {
                let value = self.eval_operand(test.value.as_ref())?;
                let mut args = self.eval_arguments(&test.arguments)?;
                let outcome = (test.what)(self.meter, &value, &mut args);
                (outcome.and_then(|holds| args.finish().map(|()| Value::Bool(holds))), test.place)
            }
            Expression::Call(call) => {
                let mut args = self.eval_arguments(&call.arguments)?;
                let outcome = (call.what)(self.scope, self.meter, &mut args);
                (outcome.and_then(|value| args.finish().map(|()| value)), call.place)
            }
            _ => return Ok(Value::Undefined),
        };
        outcome.map_err(|failure| failure.at(place))
    }

    fn eval_operand(&mut self, operand: Option<&'a Expression>) -> Outcome<Value<'a>> {
        operand.map_or(Ok(Value::Undefined), |operand| self.eval(operand))
    }

    /// Keys of maps are texts and integers.
    fn eval_key(&mut self, key: &'a Expression) -> Outcome<Value<'a>> {
        let key = self.eval(key)?;
        match key.as_int().map(Value::Int) {
            Some(number) => Ok(number),
            None => key.to_text(self.meter).map(Value::Text),
        }
    }

    fn eval_slice(&mut self, slice: &'a Slice) -> Outcome<Value<'a>> {
        let value = self.eval(&slice.value)?;
        let [start, stop, step] = &slice.bounds;
        let mut bound =
            |bound: &'a Option<Expression>| bound.as_ref().map_or(Ok(Value::Null), |it| self.eval(it));
        let bounds = [bound(start)?, bound(stop)?, bound(step)?];
        access::slice(self.meter, &value, bounds)
    }

    fn eval_comparison(
        &mut self,
        first: &'a Expression,
        chain: &'a [(Comparison, Expression)],
    ) -> Outcome<Value<'a>> {
        let mut left = self.eval(first)?;
        for (comparison, right) in chain {
            let right = self.eval(right)?;
            if !self.holds(*comparison, &left, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    fn holds(&self, comparison: Comparison, left: &Value<'a>, right: &Value<'a>) -> Outcome<bool> {
        let order = || operators::order(self.meter, left, right);
        match comparison {
            Comparison::Equal => operators::equal(self.meter, left, right),
            Comparison::NotEqual => operators::equal(self.meter, left, right).map(|equal| !equal),
            Comparison::Less => Ok(order()?.is_lt()),
            Comparison::LessOrEqual => Ok(order()?.is_le()),
            Comparison::Greater => Ok(order()?.is_gt()),
            Comparison::GreaterOrEqual => Ok(order()?.is_ge()),
            Comparison::In => operators::contains(self.meter, right, left),
            Comparison::NotIn => operators::contains(self.meter, right, left).map(|found| !found),
        }
    }

    pub(super) fn eval_arguments(&mut self, arguments: &'a Arguments) -> Outcome<Args<'a>> {
        let mut args = Args::default();
        for argument in &arguments.items {
            match argument {
                Argument::Positional(value) => args.positional.push(self.eval(value)?),
                Argument::Named(name, value) => args.named.push((Text::Borrowed(name), self.eval(value)?)),
                Argument::Spread(list) => {
                    let list = self.eval(list)?;
                    args.positional.extend(access::items(self.meter, &list)?);
                }
                Argument::SpreadNamed(map) => {
                    let map = self.eval(map)?;
                    for (key, value) in access::pairs(self.meter, &map)? {
                        args.named.push((key.to_text(self.meter)?, value));
                    }
                }
            }
        }
        Ok(args)
    }
}
