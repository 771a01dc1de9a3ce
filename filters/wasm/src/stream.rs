//! One filter on one stream: a callback becomes an [`Event`], the [`Step`] that comes back becomes an action.
//!
//! Envoy puts off what it is asked to do until the callback has returned.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ferrule_kit::{CalloutId, Driver, Event, Filter, Message, Step};

use crate::host::WasmHost;
use crate::hostcalls;
use crate::metrics::Metrics;
use crate::registry::{Callback, StreamContext};
use crate::root::Configured;
use crate::view::View;
use crate::wire::{Action, Section};
use crate::{bodiless, callout};

/// A stream as the registry holds it.
pub(crate) struct Stream<F: Filter> {
    configured: Rc<Configured<F>>,
    inner: RefCell<Inner<F>>,
    /// The stream has ended while its filter ran.
    gone: Cell<bool>,
}

struct Inner<F: Filter> {
    id: u32,
    /// None where no configuration is the route's, and until the route is known.
    driver: Option<Driver<F>>,
    /// See [`Filter::looks_back`].
    looks_back: bool,
    /// Those of the configuration's `stat_prefix`.
    routed: Option<Rc<Metrics>>,
    view: View,
    /// The filter was told that the stream is over.
    done: bool,
}

impl<F: Filter> Stream<F> {
    pub(crate) fn new(id: u32, configured: Rc<Configured<F>>) -> Self {
        let view = View::default();
        let inner = Inner { id, driver: None, looks_back: false, routed: None, view, done: false };
        Self { configured, inner: RefCell::new(inner), gone: Cell::new(false) }
    }
}

impl<F: Filter> StreamContext for Stream<F> {
    fn on(&self, callback: Callback) -> Action {
        // The filter runs, and has made Envoy end the stream or answer it: that is not for it to see.
        let Ok(mut inner) = self.inner.try_borrow_mut() else {
            self.gone.set(self.gone.get() || callback == Callback::Gone);
            return Action::Continue;
        };
        let action = inner.on(&self.configured, callback);
        if self.gone.take() {
            inner.on(&self.configured, Callback::Gone);
        }
        action
    }
}

impl<F: Filter> Inner<F> {
    fn on(&mut self, configured: &Configured<F>, callback: Callback) -> Action {
        match callback {
            Callback::Headers { message, end } => {
                if message == Message::Request {
                    self.begin(configured);
                }
                self.view.of_mut(message).came(end);
                self.pass(configured, message, Event::Headers { message, end })
            }
            Callback::Data { message, length, end } => {
                self.view.of_mut(message).body_len = length;
                self.view.of_mut(message).came(end);
                self.pass(configured, message, Event::Data { message, end })
            }
            Callback::Trailers { message } => {
                self.view.of_mut(message).trailers = true;
                self.view.of_mut(message).came(true);
                self.pass(configured, message, Event::Trailers { message })
            }
            Callback::Reply { token, fields, length } => {
                let reply = callout::reply(fields, length);
                let step = self.tell(configured, Event::Reply { id: CalloutId(token.into()), reply });
                self.act(step);
                Action::Continue
            }
            Callback::Over | Callback::Gone => {
                if !std::mem::replace(&mut self.done, true) {
                    self.tell(configured, Event::Done);
                }
                Action::Continue
            }
        }
    }

    /// Finds the configuration of the stream's route.
    fn begin(&mut self, configured: &Configured<F>) {
        let route = || hostcalls::property("xds\0route_name").unwrap_or_default();
        let filter = configured.plugin.filter_for(route);
        self.looks_back = filter.as_ref().is_some_and(|filter| filter.looks_back());
        self.routed = filter.as_ref().and_then(|filter| configured.routed(filter.as_ref()));
        self.driver = filter.map(Driver::new);
    }

    fn tell(&mut self, configured: &Configured<F>, event: Event<'_>) -> Step {
        let Some(driver) = &mut self.driver else { return Step::Pass };
        let mut host = WasmHost {
            id: self.id,
            view: &mut self.view,
            metrics: &configured.metrics,
            routed: self.routed.as_deref(),
            buffer_limit: configured.plugin.buffer_limit(),
        };
        let step = driver.on(event, &mut host);
        let step = driver.at_once(step, &mut host);
        bodiless::settle::<F>(&mut host, step)
    }

    fn pass(&mut self, configured: &Configured<F>, message: Message, event: Event<'_>) -> Action {
        let step = self.tell(configured, event);
        if step != Step::Pass && step != Step::Resume(message) {
            self.act(step);
            return Action::Pause;
        }
        self.view.of_mut(message).went();
        if message == Message::Request {
            self.keep_request();
        }
        Action::Continue
    }

    fn act(&mut self, step: Step) {
        match step {
            // Answers are sent in one piece.
            Step::Pass | Step::Stop(_) | Step::Open(_) | Step::Send { .. } => {}
            Step::Resume(message) => {
                self.keep_request();
                self.view.of_mut(message).went();
                hostcalls::resume(message);
            }
            Step::Respond(response) => hostcalls::respond(&response),
            Step::Reset => hostcalls::reset(),
        }
    }

    /// Keeps what Envoy does not show any more once the request has gone on or either message was resumed.
    fn keep_request(&mut self) {
        if self.looks_back && self.view.gone_on.is_empty() {
            self.view.gone_on = hostcalls::field_lines(Section::RequestHeaders);
        }
    }
}
