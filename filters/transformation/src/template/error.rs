//! What can go wrong with a template: when it is compiled, and when it is rendered.

use std::borrow::Cow;
use std::fmt;

/// A place in a template's text, both counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}{}", .place.map(|place| format!(" at {place}")).unwrap_or_default(), .excerpt)]
pub(crate) struct SyntaxError {
    pub(crate) reason: String,
    pub(crate) place: Option<Place>,
    /// The line concerned with a caret below, each on a line of its own; or nothing.
    pub(crate) excerpt: String,
}

impl SyntaxError {
    pub(crate) fn new(source: &str, reason: impl Into<String>, place: Option<Place>) -> Self {
        let excerpt = place.map(|place| excerpt(source, place)).unwrap_or_default();
        Self { reason: reason.into(), place, excerpt }
    }
}

fn excerpt(source: &str, place: Place) -> String {
    let line = source.lines().nth(place.line as usize - 1).unwrap_or_default();
    let start = (place.column as usize).saturating_sub(40);
    let shown: String = line.chars().skip(start).take(80).collect();
    let indent = " ".repeat(place.column as usize - 1 - start.min(place.column as usize - 1));
    format!("\n  {shown}\n  {indent}^")
}

/// Which kind of render error, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The template and the message do not fit together.
    Render,
    /// A bound was hit.
    Bound,
}

/// Why a template could not be rendered. The reason speaks of the template only, never of the message's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", .place.map(|place| format!(" at {place}")).unwrap_or_default())]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) place: Option<Place>,
}

/// What a step of a render comes to.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { fault: Fault::Render, reason: reason.into(), place: None }
    }

    pub(crate) fn bound(reason: &'static str) -> Self {
        Self { fault: Fault::Bound, reason: reason.into(), place: None }
    }

    /// The same at `place`, unless a closer one is known.
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place.get_or_insert(place);
        self
    }
}
