//! Variables of a render: frames that know the frame around them.
//!
//! Invariant: a frame number stays valid as long as a value that holds it can be reached, because macros cannot outlive
//! the frame they were declared in.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::error::Outcome;
use super::meter::Meter;
use super::operators::equal;
use super::program::{For, Symbol};
use super::value::Value;

/// Frames, the innermost last.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    frames: Vec<Frame<'a>>,
}

#[derive(Debug, Default)]
struct Frame<'a> {
    variables: Vec<(Symbol, Value<'a>)>,
    around: Option<usize>,
    running: Option<Running<'a>>,
}

/// A loop that a frame belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Running<'a> {
    pub(crate) code: &'a For,
    pub(crate) state: Rc<LoopState<'a>>,
}

impl<'a> Frames<'a> {
    /// The outermost frame alone.
    pub(crate) fn new() -> Self {
        Self { frames: Vec::new() }
    }

    /// Number of the innermost frame.
    pub(crate) fn innermost(&mut self) -> usize {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        self.frames.len() - 1
    }

    /// Opens a frame within `around`.
    pub(crate) fn open(&mut self, around: usize, running: Option<Running<'a>>) {
        self.frames.push(Frame { variables: Vec::new(), around: Some(around), running });
    }

    /// Closes the innermost frame.
    pub(crate) fn close(&mut self) {
        self.frames.pop();
    }

    /// Forgets the variables of the innermost frame.
    pub(crate) fn clear(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.variables.clear();
        }
    }

    /// Assigns in the innermost frame.
    pub(crate) fn assign(&mut self, symbol: Symbol, value: Value<'a>) {
        let innermost = self.innermost();
        let Some(frame) = self.frames.get_mut(innermost) else { return };
        match frame.variables.iter_mut().find(|(known, _)| *known == symbol) {
            Some((_, known)) => *known = value,
            None => frame.variables.push((symbol, value)),
        }
    }

    /// The variable as the innermost frame sees it.
    pub(crate) fn get(&self, symbol: Symbol) -> Option<&Value<'a>> {
        self.outwards().find_map(|frame| {
            frame.variables.iter().find(|(known, _)| *known == symbol).map(|(_, value)| value)
        })
    }

    /// The innermost loop.
    pub(crate) fn running(&self) -> Option<&Running<'a>> {
        self.outwards().find_map(|frame| frame.running.as_ref())
    }

    fn outwards(&self) -> impl Iterator<Item = &Frame<'a>> {
        let mut next = self.frames.len().checked_sub(1);
        std::iter::from_fn(move || {
            let frame = self.frames.get(next?)?;
            next = frame.around;
            Some(frame)
        })
    }
}

/// What `loop` tells.
#[derive(Debug)]
pub(crate) struct LoopState<'a> {
    pub(crate) items: Rc<[Value<'a>]>,
    pub(crate) index: Cell<usize>,
    pub(crate) depth: usize,
    changed: RefCell<Option<Vec<Value<'a>>>>,
}

impl<'a> LoopState<'a> {
    pub(crate) fn new(items: Vec<Value<'a>>, depth: usize) -> Rc<Self> {
        Rc::new(Self { items: items.into(), index: Cell::new(0), depth, changed: RefCell::new(None) })
    }

    /// `loop.index` and its like.
    pub(crate) fn field(&self, name: &str) -> Value<'a> {
        let (index, length) = (self.index.get(), self.items.len());
        let count = |number: usize| Value::Int(number as i128);
        let item = |place: Option<usize>| {
            place.and_then(|place| self.items.get(place)).cloned().unwrap_or(Value::Undefined)
        };
        match name {
            "index" => count(index + 1),
            "index0" => count(index),
            "revindex" => count(length.saturating_sub(index)),
            "revindex0" => count(length.saturating_sub(index + 1)),
            "length" => count(length),
            "first" => Value::Bool(index == 0),
            "last" => Value::Bool(index + 1 == length),
            "depth" => count(self.depth + 1),
            "depth0" => count(self.depth),
            "previtem" => item(index.checked_sub(1)),
            "nextitem" => item(Some(index + 1)),
            _ => Value::Undefined,
        }
    }

    /// `loop.changed(…)`: whether the arguments differ from those of the last call.
    pub(crate) fn changed(&self, meter: &Meter, arguments: Vec<Value<'a>>) -> Outcome<bool> {
        let mut last = self.changed.borrow_mut();
        let mut same = last.as_ref().is_some_and(|last| last.len() == arguments.len());
        for (a, b) in last.iter().flatten().zip(&arguments) {
            same = same && equal(meter, a, b)?;
        }
        *last = Some(arguments);
        Ok(!same)
    }
}
