//! Statements to output.

use super::access;
use super::arguments::Args;
use super::error::{Failure, Outcome};
use super::frame::{Frames, LoopState, Running};
use super::functions::Scope;
use super::meter::Meter;
use super::print::Sink;
use super::program::{Arguments, Block, Expression, For, Macro, Statement, Target};
use super::value::{Closure, Text, Value};

/// One render at work.
pub(super) struct Interpreter<'a, 's> {
    pub(super) meter: &'s Meter,
    pub(super) scope: &'s dyn Scope<'a>,
    pub(super) frames: Frames<'a>,
    /// The text that a filter block is about to apply to.
    pub(super) captured: Option<Value<'a>>,
}

/// What comes after a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Statement,
    Iteration,
    LoopEnd,
}

impl<'a, 's> Interpreter<'a, 's> {
    pub(super) fn new(meter: &'s Meter, scope: &'s dyn Scope<'a>) -> Self {
        Self { meter, scope, frames: Frames::new(), captured: None }
    }

    /// Runs `inner` one level deeper.
    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let meter = self.meter;
        meter.deeper(|| inner(self))
    }

    /// Runs `block`.
    pub(super) fn run(&mut self, block: &'a Block, out: &mut Sink<'a, '_>) -> Outcome<Next> {
        for statement in block {
            self.meter.charge(1)?;
            let next = match statement {
                Statement::Text(text) => out.lend(text.as_bytes()).map(|()| Next::Statement)?,
                Statement::Print(expression, place) => {
                    self.print(expression, out).map_err(|failure| failure.at(*place))?;
                    Next::Statement
                }
                Statement::PrintField(section, name) => {
                    self.scope.print_field(*section, name, out)?;
                    Next::Statement
                }
                Statement::Break => Next::LoopEnd,
                Statement::Continue => Next::Iteration,
                compound => self.nested(|it| it.run_compound(compound, out))?,
            };
            if next != Next::Statement {
                return Ok(next);
            }
        }
        Ok(Next::Statement)
    }

    fn print(&mut self, expression: &'a Expression, out: &mut Sink<'a, '_>) -> Outcome<()> {
        let value = self.eval(expression)?;
        out.print(&value)
    }

    fn run_compound(&mut self, statement: &'a Statement, out: &mut Sink<'a, '_>) -> Outcome<Next> {
        match statement {
            Statement::If { arms, otherwise } => {
                for arm in arms {
                    if self.eval(&arm.condition).map_err(|failure| failure.at(arm.place))?.is_true() {
                        return self.run(&arm.body, out);
                    }
                }
                return self.run(otherwise, out);
            }
            Statement::With { assignments, body, place } => {
                let around = self.frames.innermost();
                self.frames.open(around, None);
                let next = self.run_with(assignments, body, out).map_err(|failure| failure.at(*place))?;
                self.frames.close();
                return Ok(next);
            }
            Statement::For(code) => self.run_for(code, out).map_err(|failure| failure.at(code.place))?,
            Statement::Set { target, value, place } => {
                let assigned = self.eval(value).and_then(|value| self.assign(target, value));
                assigned.map_err(|failure| failure.at(*place))?;
            }
            Statement::Capture { target, body, filter, place } => {
                let captured = self.run_capture(target.as_ref(), body, filter.as_ref(), out);
                return captured.map_err(|failure| failure.at(*place));
            }
            Statement::Macro(code) => self.declare(code),
            Statement::CallBlock { callee, arguments, caller, place } => {
                let called = self.run_call_block(callee, arguments, caller, out);
                called.map_err(|failure| failure.at(*place))?;
            }
            Statement::Do(call, place) => {
                self.eval(call).map_err(|failure| failure.at(*place))?;
            }
            Statement::Text(_)
            | Statement::Print(..)
            | Statement::PrintField(..)
            | Statement::Break
            | Statement::Continue => {}
        }
        Ok(Next::Statement)
    }

    fn run_with(
        &mut self,
        assignments: &'a [(Target, Expression)],
        body: &'a Block,
        out: &mut Sink<'a, '_>,
    ) -> Outcome<Next> {
        for (target, value) in assignments {
            let value = self.eval(value)?;
            self.assign(target, value)?;
        }
        self.run(body, out)
    }

    fn run_for(&mut self, code: &'a For, out: &mut Sink<'a, '_>) -> Outcome<()> {
        let items = self.eval(&code.items)?;
        self.iterate(code, &items, 0, out)
    }

    fn iterate(
        &mut self,
        code: &'a For,
        over: &Value<'a>,
        depth: usize,
        out: &mut Sink<'a, '_>,
    ) -> Outcome<()> {
        let mut items = access::items(self.meter, over)?;
        let around = self.frames.innermost();
        if let Some(condition) = &code.condition {
            self.frames.open(around, None);
            items = self.filtered(code, condition, items)?;
            self.frames.close();
        }
        if items.is_empty() {
            return self.run(&code.otherwise, out).map(drop);
        }
        let state = LoopState::new(items, depth);
        self.frames.open(around, Some(Running { code, state: state.clone() }));
        for (index, item) in state.items.iter().enumerate() {
            state.index.set(index);
            self.frames.clear();
            self.assign(&code.target, item.clone())?;
            if self.run(&code.body, out)? == Next::LoopEnd {
                break;
            }
        }
        self.frames.close();
        Ok(())
    }

    fn filtered(
        &mut self,
        code: &'a For,
        condition: &'a Expression,
        items: Vec<Value<'a>>,
    ) -> Outcome<Vec<Value<'a>>> {
        let mut kept = Vec::new();
        for item in items {
            self.frames.clear();
            self.assign(&code.target, item.clone())?;
            if self.eval(condition)?.is_true() {
                kept.push(item);
            }
        }
        Ok(kept)
    }

    /// `loop(items)`: the innermost loop again, over something else.
    pub(super) fn recurse(&mut self, items: &Value<'a>) -> Outcome<Value<'a>> {
        let running = self.frames.running().cloned().filter(|running| running.code.recursive);
        let running = running.ok_or_else(|| Failure::new("`loop()` needs a loop that is `recursive`"))?;
        let depth = running.state.depth + 1;
        self.capture(|it, out| it.nested(|it| it.iterate(running.code, items, depth, out)))
    }

    fn run_capture(
        &mut self,
        target: Option<&'a Target>,
        body: &'a Block,
        filter: Option<&'a Expression>,
        out: &mut Sink<'a, '_>,
    ) -> Outcome<Next> {
        let mut next = Next::Statement;
        let mut value = self.capture(|it, out| {
            next = it.run(body, out)?;
            Ok(())
        })?;
        if let Some(filter) = filter {
            self.captured = Some(value);
            value = self.eval(filter)?;
        }
        match target {
            Some(target) => self.assign(target, value)?,
            None => out.print(&value)?,
        }
        Ok(next)
    }

    /// What `inner` writes, as a value.
    fn capture(
        &mut self,
        inner: impl FnOnce(&mut Self, &mut Sink<'a, '_>) -> Outcome<()>,
    ) -> Outcome<Value<'a>> {
        let mut out = Sink::new(self.meter, usize::MAX);
        inner(self, &mut out)?;
        Value::octets(self.meter, out.into_bytes())
    }

    fn assign(&mut self, target: &'a Target, value: Value<'a>) -> Outcome<()> {
        match target {
            Target::Name(symbol) => self.frames.assign(*symbol, value),
            Target::Many(targets) => {
                let values = unpacked(self.meter, &value)?;
                if values.len() != targets.len() {
                    return Err(Failure::new(format!("{} values for {} names", values.len(), targets.len())));
                }
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value)?;
                }
            }
            Target::Field(owner, name) => {
                let owner = self.eval(owner)?;
                self.assign_field(&owner, name, value)?;
            }
        }
        Ok(())
    }

    fn assign_field(&self, owner: &Value<'a>, name: &'a str, value: Value<'a>) -> Outcome<()> {
        let Value::Namespace(pairs) = owner else {
            return Err(Failure::new(format!(
                "{} takes no assignments, only a namespace does",
                owner.kind()
            )));
        };
        if !value.is_plain() {
            return Err(Failure::new(format!("a namespace cannot hold {}", value.kind())));
        }
        let mut pairs = pairs.borrow_mut();
        match pairs.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, known)) => *known = value,
            None => pairs.push((Text::Borrowed(name), value)),
        }
        Ok(())
    }

    fn declare(&mut self, code: &'a Macro) {
        let frame = self.frames.innermost();
        self.frames.assign(code.symbol, Value::Macro(Closure { code, frame }));
    }

    fn run_call_block(
        &mut self,
        callee: &'a Expression,
        arguments: &'a Arguments,
        caller: &'a Macro,
        out: &mut Sink<'a, '_>,
    ) -> Outcome<()> {
        let callee = self.eval(callee)?;
        let args = self.eval_arguments(arguments)?;
        let caller = Closure { code: caller, frame: self.frames.innermost() };
        let value = self.call(&callee, args, Some(caller))?;
        out.print(&value)
    }

    /// Calls a macro; what it writes is its value.
    pub(super) fn call(
        &mut self,
        callee: &Value<'a>,
        mut args: Args<'a>,
        caller: Option<Closure<'a>>,
    ) -> Outcome<Value<'a>> {
        let Value::Macro(Closure { code, frame }) = *callee else {
            return Err(Failure::new(format!("{} cannot be called", callee.kind())));
        };
        let mut given = Vec::with_capacity(code.parameters.len());
        for parameter in &code.parameters {
            given.push((parameter, args.next(&parameter.name).unwrap_or(Value::Undefined)));
        }
        args.finish()?;
        self.frames.open(frame, None);
        for (parameter, mut value) in given {
            if let (Value::Undefined, Some(default)) = (&value, &parameter.default) {
                value = self.eval(default)?;
            }
            self.frames.assign(parameter.symbol, value);
        }
        if let Some(caller) = caller {
            self.frames.assign(caller.code.symbol, Value::Macro(caller));
        }
        let value = self.capture(|it, out| it.nested(|it| it.run(&code.body, out).map(drop)))?;
        self.frames.close();
        Ok(value)
    }

    pub(super) fn call_method(
        &mut self,
        value: &Value<'a>,
        name: &str,
        mut args: Args<'a>,
    ) -> Outcome<Value<'a>> {
        let Value::Loop(state) = value else {
            return Err(Failure::new(format!("{} has no method `{name}`", value.kind())));
        };
        let given = args.rest();
        args.finish()?;
        match name {
            "cycle" => {
                let turn = state.index.get().checked_rem(given.len());
                Ok(turn.and_then(|turn| given.get(turn)).cloned().unwrap_or(Value::Undefined))
            }
            "changed" if given.iter().all(Value::is_plain) => {
                state.changed(self.meter, given).map(Value::Bool)
            }
            _ => Err(Failure::new(format!("a loop has no method `{name}` for these arguments"))),
        }
    }
}

/// Items of a list; a group of `groupby` unpacks to what its members have in common, and the members.
fn unpacked<'a>(meter: &Meter, value: &Value<'a>) -> Outcome<Vec<Value<'a>>> {
    if let Value::Map(map) = value
        && let [(first, key), (second, members)] = &**map
        && (first.as_text(), second.as_text()) == (Some("grouper"), Some("list"))
    {
        return Ok(vec![key.clone(), members.clone()]);
    }
    if !value.is_list() {
        return Err(Failure::new(format!("{} cannot be unpacked", value.kind())));
    }
    access::items(meter, value)
}
