//! One filter on one stream: a callback becomes an [`Event`], the [`Step`] that comes back becomes an action.
//!
//! Envoy puts off what it is asked to do until the callback has returned, so nothing re-enters a stream.

use std::rc::Rc;

use ferrule_kit::{CalloutId, Driver, Event, Filter, Message, Step};
use proxy_wasm::hostcalls as sdk;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

use crate::host::WasmHost;
use crate::root::Configured;
use crate::view::View;
use crate::{bodiless, callout, hostcalls};

/// A stream as the SDK holds it.
pub(crate) struct Stream<F: Filter> {
    configured: Rc<Configured<F>>,
    /// None where no configuration is the route's, and until the route is known.
    driver: Option<Driver<F>>,
    /// See [`Filter::looks_back`].
    looks_back: bool,
    view: View,
}

impl<F: Filter> Stream<F> {
    pub(crate) fn new(configured: Rc<Configured<F>>) -> Self {
        Self { configured, driver: None, looks_back: false, view: View::default() }
    }

    fn tell(&mut self, event: Event<'_>) -> Step {
        let Some(driver) = &mut self.driver else { return Step::Pass };
        let mut host = WasmHost {
            view: &mut self.view,
            counters: &self.configured.counters,
            buffer_limit: self.configured.plugin.buffer_limit(),
        };
        let step = driver.on(event, &mut host);
        bodiless::settle::<F>(&mut host, step)
    }

    fn on_message(&mut self, message: Message, event: Event<'_>) -> Action {
        let step = self.tell(event);
        if step == Step::Pass || step == Step::Resume(message) {
            self.view.of_mut(message).body_len = 0;
            return Action::Continue;
        }
        self.act(step);
        Action::Pause
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Pass | Step::Stop(_) => {}
            Step::Resume(message) => {
                self.keep_request();
                self.view.of_mut(message).body_len = 0;
                let _ = match message {
                    Message::Request => sdk::resume_http_request(),
                    Message::Response => sdk::resume_http_response(),
                };
            }
            Step::Respond(response) => hostcalls::respond(&response),
            Step::Reset => {
                let _ = sdk::reset_http_request();
            }
        }
    }

    /// Keeps what Envoy does not show any more once the request goes on or either message is resumed.
    fn keep_request(&mut self) {
        if self.looks_back && self.view.gone_on.is_empty() {
            self.view.gone_on = hostcalls::field_lines(MapType::HttpRequestHeaders);
        }
    }

    fn on_headers(&mut self, message: Message, end: bool) -> Action {
        self.on_message(message, Event::Headers { message, end })
    }

    fn on_data(&mut self, message: Message, body_len: usize, end: bool) -> Action {
        self.view.of_mut(message).body_len = body_len;
        self.on_message(message, Event::Data { message, end })
    }

    fn on_trailers(&mut self, message: Message) -> Action {
        self.view.of_mut(message).trailers = true;
        self.on_message(message, Event::Trailers { message })
    }
}

impl<F: Filter> HttpContext for Stream<F> {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        let route = || sdk::get_property(vec!["xds", "route_name"]).ok().flatten().unwrap_or_default();
        let filter = self.configured.plugin.filter_for(route);
        self.looks_back = filter.as_ref().is_some_and(|filter| filter.looks_back());
        self.driver = filter.map(Driver::new);
        let action = self.on_headers(Message::Request, end);
        if action == Action::Continue {
            self.keep_request();
        }
        action
    }

    fn on_http_request_body(&mut self, body_len: usize, end: bool) -> Action {
        self.on_data(Message::Request, body_len, end)
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.on_trailers(Message::Request)
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        self.on_headers(Message::Response, end)
    }

    fn on_http_response_body(&mut self, body_len: usize, end: bool) -> Action {
        self.on_data(Message::Response, body_len, end)
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.on_trailers(Message::Response)
    }
}

impl<F: Filter> Context for Stream<F> {
    fn on_http_call_response(&mut self, token: u32, fields: usize, body_len: usize, _: usize) {
        let reply = callout::reply(fields, body_len);
        let step = self.tell(Event::Reply { id: CalloutId(token.into()), reply });
        self.act(step);
    }

    fn on_done(&mut self) -> bool {
        self.tell(Event::Done);
        true
    }
}
