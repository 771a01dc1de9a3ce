//! One request and its response through the filter, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferrule_kit::{Driver, Event, FieldLines, Hold, MemoryHost, Message, Response, Step};
use ferrule_transformation::Transformation;

/// A message as it arrives.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) lines: FieldLines,
    pub(super) body: Vec<u8>,
}

impl Given {
    /// With these pseudo-fields at its head, unless they are given, and a content-length if it has a body.
    pub(super) fn under(mut self, pseudo: &[(&str, &str)]) -> Self {
        let has = |lines: &FieldLines, name: &str| lines.iter().any(|(known, _)| known == name);
        let missing = pseudo.iter().filter(|(name, _)| !has(&self.lines, name));
        let mut lines: FieldLines =
            missing.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        lines.append(&mut self.lines);
        if !self.body.is_empty() && !has(&lines, "content-length") {
            lines.push(("content-length".to_owned(), self.body.len().to_string().into_bytes()));
        }
        Self { lines, body: self.body }
    }
}

/// What becomes of a message.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It goes on like this.
    Passed {
        lines: FieldLines,
        body: Vec<u8>,
        /// Whether it waited for its body.
        held: bool,
    },
    /// The filter answers in its place.
    Answered(Response),
    /// The stream is reset.
    Reset,
}

impl Outcome {
    /// Whether the exchange is over with it.
    pub(super) fn is_answer(&self) -> bool {
        !matches!(self, Self::Passed { .. })
    }
}

/// An exchange under way.
pub(super) struct Exchange {
    driver: Driver<Transformation>,
    host: MemoryHost,
}

impl Exchange {
    pub(super) fn new(filter: Arc<Transformation>, secrets: BTreeMap<String, Vec<u8>>) -> Self {
        Self { driver: Driver::new(filter), host: MemoryHost { secrets, ..MemoryHost::default() } }
    }

    /// Lets a whole message come.
    pub(super) fn pass(&mut self, message: Message, given: &Given) -> Outcome {
        let end = given.body.is_empty();
        self.host.arrive(message.headers(), given.lines.clone());
        self.host.set_whole(message, end);
        let step = self.driver.on(Event::Headers { message, end }, &mut self.host);
        let held = match step {
            Step::Pass if end => return self.passed(message, false),
            Step::Stop(Hold::Body) => true,
            Step::Pass => false,
            other => return ended(other),
        };
        self.host.push_body(message, given.body.clone());
        self.host.set_whole(message, held);
        match self.driver.on(Event::Data { message, end: true }, &mut self.host) {
            Step::Pass => self.passed(message, held),
            other => ended(other),
        }
    }

    fn passed(&mut self, message: Message, held: bool) -> Outcome {
        let body = self.host.pass_body(message);
        self.host.set_whole(message, false);
        Outcome::Passed { lines: self.host.lines(message.headers()).to_vec(), body, held }
    }

    /// Ends the exchange; gives the host with what was done besides.
    pub(super) fn end(mut self) -> MemoryHost {
        self.driver.on(Event::Done, &mut self.host);
        self.host
    }
}

/// A transformation waits for bodies only, so whatever else stops a message ends it.
fn ended(step: Step) -> Outcome {
    match step {
        Step::Respond(response) => Outcome::Answered(response),
        _ => Outcome::Reset,
    }
}
