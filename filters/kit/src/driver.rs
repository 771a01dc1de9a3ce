//! Runs one filter over one stream: owns the stream's memory and every rule about holding, resuming and giving up.
//!
//! Invariants:
//! - A held message resumes exactly once, and only after the filter has seen all that arrived meanwhile.
//! - After an answer or a reset the filter sees no more of the messages, only `on_done`.
//! - A panic in a filter ends its stream, never the worker: 500 while an answer is possible, else a reset.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::{
    CalloutError, CalloutId, Counter, Event, Filter, Flow, Hold, Host, Level, Message, Reply, Response, Step,
    Supply, wire,
};

/// Counters that every filter has besides its own.
pub(crate) const COUNTERS: [&str; 1] = ["panicked"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Flowing,
    AwaitingBody,
    AwaitingData,
    AwaitingReply,
}

/// Where one message stands.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    phase: Phase,
    headers_passed: bool,
    pub(crate) ended: bool,
    unseen_data: bool,
    unseen_trailers: bool,
}

/// What the filter was last told about a message: decides what its [`Flow`] means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Headers,
    Rest,
    Reply,
}

/// One filter on one stream. `P` points to the filter, which its streams share.
pub struct Driver<F: Filter, P = Arc<F>> {
    pub(crate) filter: P,
    pub(crate) stream: F::Stream,
    request: Progress,
    pub(crate) response: Progress,
    pub(crate) over: bool,
    left: bool,
    /// An answer was begun that is not all sent.
    pub(crate) sending: bool,
}

impl<F: Filter, P: Deref<Target = F>> Driver<F, P> {
    /// A stream that has seen nothing yet.
    pub fn new(filter: P) -> Self {
        Self {
            filter,
            stream: F::Stream::default(),
            request: Progress::default(),
            response: Progress::default(),
            over: false,
            left: false,
            sending: false,
        }
    }

    /// The filter, one and the same while the stream lasts.
    pub fn filter(&self) -> &F {
        &self.filter
    }

    /// Whether the filter has left: a host need tell of no more events.
    #[inline]
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// Tells the filter of an event and says what its host has to do.
    pub fn on(&mut self, event: Event<'_>, host: &mut dyn Host) -> Step {
        let is_sending = self.sending && matches!(event, Event::Woken | Event::Room);
        if self.left || (self.over && !is_sending && !matches!(event, Event::Done)) {
            return Step::Pass;
        }
        let message = self.message_of(&event);
        match catch_unwind(AssertUnwindSafe(|| self.dispatch(event, host))) {
            Ok(step) => self.settle(step),
            Err(_) => self.panicked(message, host),
        }
    }

    fn dispatch(&mut self, event: Event<'_>, host: &mut dyn Host) -> Step {
        match event {
            Event::Headers { message, end } => self.on_headers(message, end, host),
            Event::Data { message, end } => self.on_data(message, end, host),
            Event::Trailers { message } => self.on_trailers(message, host),
            Event::Reply { id, reply } => self.on_reply(id, reply, host),
            Event::Woken | Event::Room if self.sending => self.supply(host),
            Event::Woken => self.on_wake(host),
            Event::Room => Step::Pass,
            Event::LocalReply { status, details } => {
                self.filter.on_local_reply(&mut self.stream, host, status, details);
                Step::Pass
            }
            Event::Done => {
                self.filter.on_done(&mut self.stream, host);
                Step::Pass
            }
        }
    }

    fn on_headers(&mut self, message: Message, end: bool, host: &mut dyn Host) -> Step {
        self.progress(message).ended = end;
        let flow = self.filter.on_headers(&mut self.stream, host, message, end);
        self.after(message, flow, Told::Headers, host)
    }

    fn on_data(&mut self, message: Message, end: bool, host: &mut dyn Host) -> Step {
        let progress = self.progress(message);
        progress.ended |= end;
        match progress.phase {
            Phase::Flowing => {
                let flow = self.filter.on_data(&mut self.stream, host, message, end);
                self.after(message, flow, Told::Rest, host)
            }
            Phase::AwaitingBody => self.collect(message, end, host),
            Phase::AwaitingData => self.show_held(message, end, host),
            Phase::AwaitingReply => {
                progress.unseen_data = true;
                Step::Stop(Hold::Stream)
            }
        }
    }

    fn collect(&mut self, message: Message, end: bool, host: &mut dyn Host) -> Step {
        let flow = if host.body_len(message) > host.buffer_limit() {
            self.filter.on_overflow(&mut self.stream, host, message)
        // A filter nearer to the sender may add trailers to the last of a body, as Envoy's decompressor does. Where that chunk
        // is held, Envoy shows such trailers of a response to nobody (envoyproxy/envoy#29879): they must not be waited for.
        } else if end || host.has_trailers(message) {
            self.filter.on_body(&mut self.stream, host, message)
        } else {
            return Step::Stop(Hold::Body);
        };
        self.after(message, flow, Told::Rest, host)
    }

    fn show_held(&mut self, message: Message, end: bool, host: &mut dyn Host) -> Step {
        let flow = if host.body_len(message) > host.buffer_limit() {
            self.filter.on_overflow(&mut self.stream, host, message)
        } else {
            self.filter.on_data(&mut self.stream, host, message, end)
        };
        self.after(message, flow, Told::Rest, host)
    }

    fn on_trailers(&mut self, message: Message, host: &mut dyn Host) -> Step {
        let progress = self.progress(message);
        progress.ended = true;
        progress.unseen_trailers = true;
        match progress.phase {
            Phase::AwaitingReply => Step::Stop(Hold::Stream),
            Phase::AwaitingBody => {
                let flow = self.filter.on_body(&mut self.stream, host, message);
                self.after(message, flow, Told::Rest, host)
            }
            Phase::Flowing => self.catch_up(message, host),
            Phase::AwaitingData => self.go_on(message, Told::Rest, host),
        }
    }

    fn on_reply(
        &mut self,
        id: CalloutId,
        reply: Result<Reply<'_>, CalloutError>,
        host: &mut dyn Host,
    ) -> Step {
        let waiting = self.waiting();
        let flow = self.filter.on_reply(&mut self.stream, host, id, reply);
        match (waiting, flow) {
            (Some(message), flow) => self.after(message, flow, Told::Reply, host),
            (None, Flow::Respond(response)) => Step::Respond(response),
            (None, Flow::Open(opening)) => Step::Open(opening),
            (None, Flow::Reset) => Step::Reset,
            (None, flow) => {
                self.left |= flow == Flow::Leave;
                Step::Pass
            }
        }
    }

    /// A wake changes nothing for messages that wait for nothing: it may be late.
    fn on_wake(&mut self, host: &mut dyn Host) -> Step {
        let Some(message) = self.waiting() else {
            self.filter.on_alarm(&mut self.stream, host);
            return Step::Pass;
        };
        let flow = self.filter.on_wake(&mut self.stream, host);
        self.after(message, flow, Told::Reply, host)
    }

    fn supply(&mut self, host: &mut dyn Host) -> Step {
        match self.filter.on_room(&mut self.stream, host) {
            Supply::Data { pieces, end } => {
                self.sending = !end;
                Step::Send { pieces, end }
            }
            Supply::Wait => Step::Stop(Hold::Stream),
            Supply::Reset => Step::Reset,
        }
    }

    fn after(&mut self, message: Message, flow: Flow, told: Told, host: &mut dyn Host) -> Step {
        match flow {
            Flow::Continue => self.go_on(message, told, host),
            Flow::Leave => {
                self.left = true;
                self.go_on(message, told, host)
            }
            Flow::AwaitReply => self.hold(message, Phase::AwaitingReply, Hold::Stream),
            Flow::AwaitBody if told != Told::Headers => self.misused(message, host),
            Flow::AwaitBody if self.progress(message).ended => {
                let flow = self.filter.on_body(&mut self.stream, host, message);
                self.after(message, flow, Told::Rest, host)
            }
            Flow::AwaitBody => self.hold(message, Phase::AwaitingBody, Hold::Body),
            Flow::AwaitData if self.may_await_data(message, told) => {
                self.hold(message, Phase::AwaitingData, Hold::Body)
            }
            Flow::AwaitData => self.misused(message, host),
            Flow::Respond(response) => Step::Respond(response),
            Flow::Open(opening) if message == Message::Response => self.open_in_place(opening, told, host),
            Flow::Open(opening) => Step::Open(opening),
            Flow::Reset => Step::Reset,
        }
    }

    /// Only while its headers are here, and more of it can come.
    fn may_await_data(&mut self, message: Message, told: Told) -> bool {
        let progress = self.progress(message);
        !progress.ended && (told == Told::Headers || progress.phase == Phase::AwaitingData)
    }

    fn hold(&mut self, message: Message, phase: Phase, hold: Hold) -> Step {
        self.progress(message).phase = phase;
        Step::Stop(hold)
    }

    fn go_on(&mut self, message: Message, told: Told, host: &mut dyn Host) -> Step {
        let progress = self.progress(message);
        progress.phase = Phase::Flowing;
        let step = self.catch_up(message, host);
        if step != Step::Pass {
            return step;
        }
        self.progress(message).headers_passed = true;
        if told == Told::Reply { Step::Resume(message) } else { Step::Pass }
    }

    /// Shows the filter what came while the message was held.
    fn catch_up(&mut self, message: Message, host: &mut dyn Host) -> Step {
        if self.left {
            return Step::Pass;
        }
        let progress = self.progress(message);
        if std::mem::take(&mut progress.unseen_data) {
            let end = progress.ended && !progress.unseen_trailers;
            let flow = self.filter.on_data(&mut self.stream, host, message, end);
            if flow != Flow::Continue {
                return self.after(message, flow, Told::Reply, host);
            }
        }
        if std::mem::take(&mut self.progress(message).unseen_trailers) {
            let flow = self.filter.on_trailers(&mut self.stream, host, message);
            if flow != Flow::Continue {
                return self.after(message, flow, Told::Reply, host);
            }
        }
        Step::Pass
    }

    /// An answer is possible only until response headers have left.
    fn settle(&mut self, step: Step) -> Step {
        self.over |= matches!(step, Step::Respond(_) | Step::Open(_) | Step::Reset);
        self.sending &= step != Step::Reset;
        match step {
            Step::Respond(_) | Step::Open(_) if self.response.headers_passed => Step::Reset,
            Step::Open(opening) => {
                let opening = wire::opening(opening);
                self.sending = !opening.end;
                Step::Open(opening)
            }
            Step::Respond(response) => Step::Respond(wire::answer(response)),
            step => step,
        }
    }

    fn misused(&mut self, message: Message, host: &mut dyn Host) -> Step {
        host.log(
            Level::Error,
            &format!("{}: AwaitBody or AwaitData where nothing is left to await", F::NAME),
        );
        self.give_up(message, "misused")
    }

    fn panicked(&mut self, message: Option<Message>, host: &mut dyn Host) -> Step {
        host.count(Counter(F::COUNTERS.len()), 1);
        host.log(Level::Error, &format!("{}: the filter panicked", F::NAME));
        let Some(message) = message else { return Step::Pass };
        let step = self.give_up(message, "panicked");
        self.settle(step)
    }

    fn give_up(&self, message: Message, why: &str) -> Step {
        match message {
            Message::Request => Step::Respond(Response::text(500, format!("{}_filter_{why}", F::NAME), "")),
            Message::Response => Step::Reset,
        }
    }

    fn message_of(&self, event: &Event<'_>) -> Option<Message> {
        match event {
            Event::Headers { message, .. } | Event::Data { message, .. } | Event::Trailers { message } => {
                Some(*message)
            }
            Event::Reply { .. } => self.waiting().or(Some(Message::Request)),
            // Once an answer was begun, a reset is all that is left.
            Event::Woken | Event::Room if self.sending => Some(Message::Response),
            Event::Woken | Event::Room => self.waiting(),
            Event::LocalReply { .. } | Event::Done => None,
        }
    }

    /// The message held for a reply; the response where both are, because Envoy then has answered the request.
    fn waiting(&self) -> Option<Message> {
        let waits = |progress: &Progress| progress.phase == Phase::AwaitingReply;
        match () {
            () if waits(&self.response) => Some(Message::Response),
            () if waits(&self.request) => Some(Message::Request),
            () => None,
        }
    }

    fn progress(&mut self, message: Message) -> &mut Progress {
        match message {
            Message::Request => &mut self.request,
            Message::Response => &mut self.response,
        }
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
