//! One request and its response through the filter, in memory.

use std::sync::Arc;

use ferrule_kit::{Driver, Event, FieldLines, Filter, Hold, MemoryHost, Message, Response, Step};

use crate::message::Given;

/// What becomes of a message.
#[derive(Debug)]
pub(crate) enum Outcome {
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
    pub(crate) fn is_answer(&self) -> bool {
        !matches!(self, Self::Passed { .. })
    }
}

/// An exchange under way.
pub(crate) struct Exchange<F: Filter> {
    driver: Driver<F>,
    host: MemoryHost,
}

impl<F: Filter> Exchange<F> {
    /// One that begins, at a host with what the filter may read besides the messages.
    pub(crate) fn new(filter: Arc<F>, host: MemoryHost) -> Self {
        Self { driver: Driver::new(filter), host }
    }

    /// Lets a whole message come.
    pub(crate) fn pass(&mut self, message: Message, given: &Given) -> Outcome {
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

    /// Nobody answers the request, so that the proxy is about to.
    pub(crate) fn unanswered(&mut self, status: u16, details: &str) {
        self.driver.on(Event::LocalReply { status, details }, &mut self.host);
    }

    /// Ends the exchange; gives the host with what was done besides.
    pub(crate) fn end(mut self) -> MemoryHost {
        self.driver.on(Event::Done, &mut self.host);
        self.host
    }
}

/// A filter waits for bodies only here, so whatever else stops a message ends it.
fn ended(step: Step) -> Outcome {
    match step {
        Step::Respond(response) => Outcome::Answered(response),
        _ => Outcome::Reset,
    }
}
