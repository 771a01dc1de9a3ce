//! One exchange through a filter, as Envoy would conduct it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use super::reset::Reset;
use super::side::{self, Piece, Side};
use super::view::{apart, host, metadata, reply, seen_request};
use crate::case::{Abort, Answer, Case, Exchange, Lines, ResetPoint, Route};
use crate::seen::{ClientSaw, Seen, SeenRequest, SeenResponse};
use ferrule_kit::{
    CalloutError, CalloutMade, Counter, Driver, Event, Filter, Hold, Host as _, MemoryHost, Message,
    Response, Step, counter_names,
};

/// One exchange under way.
pub(super) struct Stream<'a, F: Filter> {
    case: &'a Case,
    pub(super) exchange: &'a Exchange,
    route: Option<&'a Route>,
    /// None where the filter is off.
    driver: Option<Driver<F>>,
    pub(super) host: MemoryHost,
    request: Side,
    response: Side,
    answering: bool,
    callouts_answered: usize,
    callout_script: BTreeMap<&'a str, VecDeque<&'a Answer>>,
    /// The filter's own answer or reset, which ends everything.
    pub(super) verdict: Option<ClientSaw>,
    pub(super) details: Option<String>,
    remarks: Vec<String>,
}

impl<'a, F: Filter> Stream<'a, F> {
    /// Plays the exchange to its end and says what was seen.
    pub(super) fn play(
        case: &'a Case,
        exchange: &'a Exchange,
        filters: &[Option<Arc<F>>],
        clock: SystemTime,
    ) -> Seen {
        let mut stream = Self::new(case, exchange, filters);
        stream.host.clock = clock;
        while stream.verdict.is_none() && stream.advance() {}
        stream.tell(Event::Done);
        stream.seen()
    }

    fn new(case: &'a Case, exchange: &'a Exchange, filters: &[Option<Arc<F>>]) -> Self {
        let place = case.routes.iter().position(|route| route.takes(&exchange.request.path));
        let filter = place.and_then(|place| filters.get(place)?.clone());
        let route = place.and_then(|place| case.routes.get(place));
        let mut callout_script: BTreeMap<_, VecDeque<_>> = BTreeMap::new();
        for callout in &exchange.callouts {
            callout_script.entry(callout.cluster.as_str()).or_default().push_back(&callout.answer);
        }
        let ends = exchange.request.abort != Some(Abort::BeforeEnd);
        Self {
            case,
            exchange,
            route,
            driver: filter.map(Driver::new),
            host: host(case, exchange, route),
            request: Side { coming: side::request(&exchange.request, ends), ..Side::default() },
            response: Side::default(),
            answering: false,
            callouts_answered: 0,
            callout_script,
            verdict: None,
            details: None,
            remarks: Vec::new(),
        }
    }

    /// Lets one thing happen; `false` when nothing is left that could.
    fn advance(&mut self) -> bool {
        self.next_reply()
            || self.next_piece(Message::Request)
            || self.answer()
            || self.next_piece(Message::Response)
            || self.wake()
            || self.break_off()
    }

    fn side(&mut self, message: Message) -> &mut Side {
        match message {
            Message::Request => &mut self.request,
            Message::Response => &mut self.response,
        }
    }

    pub(super) fn tell(&mut self, event: Event<'_>) -> Step {
        match &mut self.driver {
            Some(driver) => driver.on(event, &mut self.host),
            None => Step::Pass,
        }
    }

    fn next_piece(&mut self, message: Message) -> bool {
        if self.side(message).hold == Some(Hold::Stream) {
            return false;
        }
        let Some(piece) = self.side(message).coming.pop_front() else { return false };
        let event = match piece {
            Piece::Headers { lines, end } => {
                self.came(message, end);
                self.host.arrive(message.headers(), lines);
                Event::Headers { message, end }
            }
            Piece::Data { bytes, end } => {
                self.came(message, end);
                if !bytes.is_empty() {
                    self.host.push_body(message, bytes);
                }
                Event::Data { message, end }
            }
            Piece::Trailers(lines) => {
                self.came(message, true);
                self.host.arrive(message.trailers(), lines);
                Event::Trailers { message }
            }
        };
        let step = self.tell(event);
        self.act(message, step);
        true
    }

    fn came(&mut self, message: Message, end: bool) {
        let side = self.side(message);
        side.ended = end;
        let whole = end && side.headers.is_none();
        self.host.set_whole(message, whole);
    }

    /// Does what the driver asks for after an event of `message`.
    pub(super) fn act(&mut self, message: Message, step: Step) {
        match step {
            Step::Pass => self.let_go(message),
            Step::Stop(hold) => self.keep(message, hold),
            Step::Resume(message) => self.let_go(message),
            Step::Respond(response) => self.respond(response),
            Step::Open(opening) => self.open(opening),
            Step::Send { .. } => {}
            Step::Reset => self.verdict = Some(ClientSaw::Reset(self.part_of_response())),
        }
    }

    fn let_go(&mut self, message: Message) {
        let headers = self.host.lines(message.headers()).to_vec();
        let trailers = self.host.lines(message.trailers()).to_vec();
        let body = self.host.pass_body(message);
        self.host.set_whole(message, false);
        let side = self.side(message);
        side.hold = None;
        side.headers.get_or_insert(headers);
        side.body.extend(body);
        side.trailers = trailers;
        side.complete = side.ended;
    }

    fn keep(&mut self, message: Message, hold: Hold) {
        self.side(message).hold = Some(hold);
        if hold == Hold::Stream || self.host.body_len(message) <= self.host.limit {
            return;
        }
        match message {
            Message::Request => {
                self.request.coming.clear();
                self.local_reply(413, "request_payload_too_large", b"Payload Too Large");
            }
            // Envoy gives up on the response that it was to transform.
            Message::Response => {
                self.respond(Response::text(500, "response_payload_too_large", "Internal Server Error"));
            }
        }
    }

    fn respond(&mut self, response: Response) {
        let mut headers = Lines(response.fields);
        if headers.values("content-length").is_empty() {
            headers.push("content-length", response.body.len().to_string());
        }
        let body = if self.exchange.request.method() == "HEAD" { Vec::new() } else { response.body };
        let trailers = Lines::default();
        self.details = Some(response.details.into_owned());
        self.verdict =
            Some(ClientSaw::Response(SeenResponse { status: response.status, headers, body, trailers }));
    }

    /// Envoy answers by itself; what it says passes the filter like any response.
    fn local_reply(&mut self, status: u16, details: &str, body: &[u8]) {
        self.answering = true;
        self.details = Some(details.to_owned());
        self.tell(Event::LocalReply { status, details });
        self.response = Side { coming: side::local_reply(status, body), ..Side::default() };
    }

    /// The upstream, or Envoy in its place, begins to answer once it may.
    fn answer(&mut self) -> bool {
        let (exchange, route) = (self.exchange, self.route);
        let direct = route.and_then(|route| route.direct_response.as_ref());
        let tunnel = exchange.request.is_upgrade();
        let at_headers = exchange.upstream.early || tunnel || direct.is_some() || route.is_none();
        let heard = if at_headers { self.request.headers.is_some() } else { self.request.complete };
        if self.answering || !heard || exchange.request.abort.is_some() {
            return false;
        }
        self.answering = true;
        let answer = &exchange.upstream;
        match direct {
            _ if route.is_none() => self.local_reply(404, "route_not_found", b""),
            Some(direct) => {
                let body = direct.body.as_ref().map(|body| body.bytes()).unwrap_or_default();
                self.local_reply(direct.status, "direct_response", &body);
            }
            None if answer.silent => self.local_reply(504, "response_timeout", b"upstream request timeout"),
            None if answer.reset == Some(ResetPoint::BeforeHeaders) => {
                let reset = Reset::before_headers(self.case.upstream_protocol);
                self.local_reply(reset.status, &reset.details, reset.body.as_bytes());
            }
            None => {
                self.details = Some("via_upstream".to_owned());
                // The filter may have made it another one.
                let lines = self.request.headers.clone().unwrap_or_default();
                let (method, _) = apart(lines, ":method");
                self.response.coming = side::response(answer, self.case.upstream_protocol, &method);
            }
        }
        true
    }

    /// The upstream resets its response: Envoy answers by itself, past the filter, and resets the stream where some of the
    /// response has left already.
    fn break_off(&mut self) -> bool {
        let breaks = self.exchange.upstream.reset == Some(ResetPoint::AfterBody) && self.answering;
        if !breaks || !self.response.coming.is_empty() {
            return false;
        }
        let reset = Reset::after_headers(self.case.upstream_protocol);
        self.tell(Event::LocalReply { status: reset.status, details: &reset.details });
        match self.part_of_response() {
            None => self.respond(Response::text(reset.status, reset.details, reset.body)),
            part => self.verdict = Some(ClientSaw::Reset(part)),
        }
        true
    }

    /// Answers the next callout that waits for its answer.
    fn next_reply(&mut self) -> bool {
        if self.exchange.request.abort.is_some() {
            return false;
        }
        let Some(CalloutMade { id, callout }) = self.host.callouts.get(self.callouts_answered).cloned()
        else {
            return false;
        };
        self.callouts_answered += 1;
        let answer = self.callout_script.get_mut(callout.cluster.as_str()).and_then(VecDeque::pop_front);
        if answer.is_none() {
            self.remarks.push(format!("the case has no answer left for a callout to {}", callout.cluster));
        }
        let answer = answer.filter(|answer| answer.reset.is_none() && !answer.silent);
        let step = self.tell(Event::Reply { id, reply: answer.map(reply).ok_or(CalloutError::Reset) });
        // A reply lets a message go by name; otherwise what is held stays held.
        if !matches!(step, Step::Pass | Step::Stop(_)) {
            self.act(Message::Request, step);
        }
        true
    }

    fn part_of_response(&self) -> Option<SeenResponse> {
        let lines = self.response.headers.clone()?;
        let (status, headers) = apart(lines, ":status");
        let status = status.parse().unwrap_or_default();
        let (body, trailers) = (self.response.body.clone(), Lines(self.response.trailers.clone()));
        Some(SeenResponse { status, headers, body, trailers })
    }

    fn client(&self) -> ClientSaw {
        match (&self.verdict, self.part_of_response()) {
            (Some(verdict), _) => verdict.clone(),
            (None, _) if self.exchange.request.abort.is_some() => ClientSaw::Nothing,
            (None, Some(response)) if self.response.complete => ClientSaw::Response(response),
            (None, _) => ClientSaw::Hang,
        }
    }

    fn upstream(&self) -> Option<SeenRequest> {
        let reaches = self.route.is_some_and(|route| route.direct_response.is_none());
        let lines = self.request.headers.clone().filter(|_| reaches)?;
        Some(seen_request(lines, &self.request.body, &self.request.trailers, self.request.complete))
    }

    fn seen(self) -> Seen {
        let counts = counter_names::<F>().enumerate();
        let metrics = counts.map(|(at, name)| (name.to_owned(), self.host.counted(Counter(at)))).collect();
        let made = self.host.callouts.iter().map(|made| {
            let request = seen_request(made.callout.fields.clone(), &made.callout.body, &[], true);
            (made.callout.cluster.clone(), request)
        });
        let logged = self.host.logged.borrow().iter().map(|line| line.line.clone()).collect::<Vec<_>>();
        Seen {
            upstream: self.upstream(),
            client: self.client(),
            callouts: made.collect(),
            metrics,
            metadata: metadata(&self.host),
            details: self.details.clone(),
            log: logged.into_iter().chain(self.remarks.clone()).collect(),
        }
    }
}
