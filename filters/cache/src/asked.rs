//! The request side: what is asked for, what is found, and who answers.

use std::sync::Arc;

use ferrule_kit::{FieldLines, Fields, Flow, Host, Message};

use crate::collapse::{Role, Ticket};
use crate::fill::Seat;
use crate::policy::answer::answer;
use crate::policy::cache_status::CacheStatus;
use crate::policy::field::Section;
use crate::policy::key;
use crate::policy::method::Method;
use crate::policy::request::Request;
use crate::policy::reuse::{Decision, Forward, Found, decide};
use crate::policy::time::Time;
use crate::policy::uri::Uri;
use crate::policy::validation::{Validators, conditions};
use crate::policy::vary::selecting_value;
use crate::recalling::Errand;
use crate::recast::owned_fields;
use crate::serving::{Serving, opening, prepare};
use crate::storage::{Fetch, FlightHead};
use crate::store::codec::Head;
use crate::store::{Chunk, Lookup, Object};
use crate::{Cache, Compiled, Course, Fetching, Stream, counters, method, now, section};

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) uri: Uri,
    pub(crate) key: Vec<u8>,
    /// The header section as it came; kept once the origin is asked, because it is edited then.
    pub(crate) fields: FieldLines,
    /// When the origin was asked.
    pub(crate) sent: Time,
    pub(crate) status: CacheStatus,
}

impl Asked {
    /// The same asked for by no client, with these fields.
    pub(crate) fn again(&self, fields: FieldLines, now: Time) -> Self {
        let request = Request { method: Method::Get, has_range: false, ..self.request };
        let status = CacheStatus::default();
        Self { request, uri: self.uri.clone(), key: self.key.clone(), fields, sent: now, status }
    }
}

/// A copy of the client's own conditions goes no further than here: what the origin is asked is for all.
const CLIENT_CONDITIONS: [&str; 2] = ["if-none-match", "if-modified-since"];

impl Cache {
    pub(crate) fn on_request(&self, stream: &mut Stream, host: &mut dyn Host, end: bool) -> Flow {
        let method = method(host);
        if method == b"PURGE"
            && let Some(allowed) = &self.purge
        {
            return self.on_purge(host, allowed);
        }
        let mut asked = self.read(host, &method);
        let path = host.field(Fields::RequestHeaders, ":path").unwrap_or_default();
        // A GET with content might be answered by it, though it has no meaning (RFC 9110 §9.3.1): it would poison the key.
        let has_content = asked.request.method.reads() && !end;
        if host.is_tunnel() || has_content || self.bypasses(&method, &path, &section::request(host)) {
            asked.status.fwd = Some(Forward::Bypass);
            host.count(counters::BYPASS, 1);
            return self.pass(stream, asked);
        }
        stream.asked = Some(Box::new(asked));
        self.look_up(stream, host, true)
    }

    fn read(&self, host: &dyn Host, method: &[u8]) -> Asked {
        let field = |name| host.field(Fields::RequestHeaders, name).unwrap_or_default();
        let scheme = String::from_utf8_lossy(&field(":scheme")).into_owned();
        let scheme = if scheme.is_empty() { "http" } else { &scheme };
        let uri = Uri::new(scheme, &field(":authority"), &field(":path"));
        let section = section::request(host);
        let request = Request::read(method, &section, &self.rules);
        let key = if request.method.reads() { key::key(&uri, &section, &self.key_rules) } else { Vec::new() };
        Asked { request, uri, key, fields: Vec::new(), sent: now(host), status: CacheStatus::default() }
    }

    fn pass(&self, stream: &mut Stream, asked: Asked) -> Flow {
        stream.asked = Some(Box::new(asked));
        self.set_course(stream, Course::Pass);
        Flow::Continue
    }

    /// Looks in the store, and acts on what is there. `waits` says that another's fetch may be waited for.
    pub(crate) fn look_up(&self, stream: &mut Stream, host: &mut dyn Host, waits: bool) -> Flow {
        let Some(mut asked) = stream.asked.take() else { return Flow::Continue };
        let flow = self.act(stream, host, &mut asked, waits);
        stream.asked = Some(asked);
        match stream.course {
            // What is waited for may have ended, or begun to stream, in between.
            Course::Waiting(..) => ferrule_kit::Filter::on_wake(self, stream, host),
            _ => flow,
        }
    }

    fn act(&self, stream: &mut Stream, host: &mut dyn Host, asked: &mut Asked, waits: bool) -> Flow {
        let lookup = match asked.request.method.reads() {
            true => self.find(host, &asked.key),
            false => Lookup::Nothing,
        };
        let (found, object) = match &lookup {
            Lookup::Nothing => (Found::Nothing, None),
            Lookup::Others => (Found::OtherVariants, None),
            Lookup::Found(object) => {
                (Found::Response { stored: object.stored(), purged: object.is_purged() }, Some(object))
            }
        };
        match (decide(&asked.request, found, now(host)), object) {
            (Decision::Serve { refresh: true, .. }, Some(object))
                if !self.is_being_refreshed(asked) && !self.refresh_apart(host, asked, object) =>
            {
                self.fetch(stream, host, asked, Forward::Stale, Some(object), waits)
            }
            (Decision::Serve { stale, .. }, Some(object)) => self.serve(stream, host, asked, object, stale),
            (Decision::Validate(why), object) => self.fetch(stream, host, asked, why, object, waits),
            (Decision::Forward(why), _) => self.fetch(stream, host, asked, why, None, waits),
            (Decision::GatewayTimeout, object) => self.recall_only(stream, host, asked, object, waits),
            (Decision::Serve { .. }, None) => self.gateway_timeout(asked),
        }
    }

    fn find(&self, host: &dyn Host, key: &[u8]) -> Lookup {
        let request = section::request(host);
        self.storage.store.find(key, |object| self.selects(&object.head(), &request))
    }

    /// While one request refreshes a stale response, others are served it (RFC 5861 §3).
    fn is_being_refreshed(&self, asked: &Asked) -> bool {
        self.storage.flights.is_under_way(&asked.key)
    }

    /// Answers from the store.
    pub(crate) fn serve(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        asked: &mut Asked,
        object: &Arc<Object>,
        stale: bool,
    ) -> Flow {
        let at = now(host);
        let (stored, head, length) = (object.stored(), object.head(), object.body().len());
        let (method, etag) = (asked.request.method, head.line("etag"));
        let form = if asked.fields.is_empty() {
            answer(method, &section::request(host), stored, etag, Some(length), at)
        } else {
            answer(method, &asked.fields[..], stored, etag, Some(length), at)
        };
        asked.status.hit = asked.status.fwd.is_none();
        asked.status.ttl = Some(stored.ttl(at));
        if asked.status.hit {
            host.count(counters::HIT, 1);
        }
        host.count(counters::STALE, u64::from(stale));
        let mut prepared = prepare(form, stored, &head, length, at);
        let mut fields = std::mem::take(&mut prepared.fields);
        fields.push(("cache-status".to_owned(), asked.status.member(&self.name).into_bytes()));
        let opening = opening(&prepared, fields, method == Method::Head, "cache_hit");
        let serving = Serving::stored(object.body().chunks(), prepared.bytes);
        self.set_course(stream, Course::Serving(serving));
        Flow::Open(opening)
    }

    /// Asks the origin, or waits for who does so already.
    fn fetch(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        asked: &mut Asked,
        why: Forward,
        selected: Option<&Arc<Object>>,
        waits: bool,
    ) -> Flow {
        asked.status.fwd = Some(why);
        asked.sent = now(host);
        let request = asked.request;
        if !request.method.reads() || request.is_for_origin || request.directives.no_store {
            self.set_course(stream, Course::Pass);
            return Flow::Continue;
        }
        let since = self.storage.since();
        // A part of what is not there is asked for as it came: what comes may be of use to no one else.
        let is_plain = !request.has_range || selected.is_some();
        let shares = waits && request.method == Method::Get && !request.has_range;
        let flight = match shares.then(|| self.join(&asked.key, host)) {
            Some(Role::Wait(fetch, ticket)) => {
                host.count(counters::COLLAPSED, 1);
                self.set_course(stream, Course::Waiting(fetch, ticket));
                host.wake_after(self.wait);
                return Flow::AwaitReply;
            }
            Some(Role::Fill(fetch)) => Some(fetch),
            Some(Role::Apart) | None => None,
        };
        let strips = is_plain && (flight.is_some() || selected.is_some());
        // Who went alone before does not wait once more; a key whose responses are not stored is not kept anywhere.
        let recalls = waits && (flight.is_some() || !shares);
        let seat = Seat { key: asked.key.clone(), flight, since };
        let mut errand = Errand { seat, selected: selected.cloned(), strips };
        if recalls {
            errand = match self.recall(stream, host, asked, errand) {
                Ok(flow) => return flow,
                Err(errand) => errand,
            };
        }
        host.count(counters::MISS, 1);
        self.ask(stream, host, asked, errand.seat, errand.selected, errand.strips)
    }

    fn join(&self, key: &[u8], host: &mut dyn Host) -> Role<FlightHead, ferrule_kit::Waker> {
        let at = now(host);
        self.storage.flights.expire(at).iter().for_each(ferrule_kit::Waker::wake);
        let waker =
            if !self.wait.is_zero() && self.storage.flights.is_under_way(key) { host.waker() } else { None };
        self.storage.flights.join(key, waker, at)
    }

    /// Lets the request go on to the origin, with the conditions that validate what is stored.
    pub(crate) fn ask(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        asked: &mut Asked,
        seat: Seat,
        selected: Option<Arc<Object>>,
        strips: bool,
    ) -> Flow {
        asked.fields = owned_fields(host);
        if strips {
            CLIENT_CONDITIONS.iter().for_each(|name| host.remove_field(Fields::RequestHeaders, name));
        }
        let asked_about = match &selected {
            Some(object) => self.ask_about(host, object),
            None => Vec::new(),
        };
        self.set_course(stream, Course::Fetching(Fetching { seat, selected, asked_about }));
        Flow::Continue
    }

    /// RFC 9111 §4.3.1
    pub(crate) fn ask_about(&self, host: &mut dyn Host, selected: &Arc<Object>) -> Vec<Arc<Object>> {
        let mut variants = self.storage.store.variants(selected.key());
        variants.retain(|object| !Arc::ptr_eq(object, selected));
        variants.insert(0, Arc::clone(selected));
        let lines = {
            let validators: Vec<_> = variants.iter().map(|object| validators(object)).collect();
            conditions(&validators[0], &validators[1..])
        };
        if lines.is_empty() {
            return Vec::new();
        }
        ["range", "if-range"].iter().for_each(|name| host.remove_field(Fields::RequestHeaders, name));
        let has_tags = lines.iter().any(|(name, _)| *name == "if-none-match");
        lines.iter().for_each(|(name, value)| host.set_field(Fields::RequestHeaders, name, value));
        // A date is asked about for the selected one alone.
        variants.truncate(if has_tags { usize::MAX } else { 1 });
        variants
    }

    /// The one who fetched has gone away.
    pub(crate) fn take_over(&self, stream: &mut Stream, host: &mut dyn Host, flight: Arc<Fetch>) -> Flow {
        stream.course = Course::Pass;
        let Some(mut asked) = stream.asked.take() else { return Flow::Continue };
        asked.sent = now(host);
        let seat = Seat { key: asked.key.clone(), flight: Some(flight), since: self.storage.since() };
        let selected = match self.find(host, &asked.key) {
            Lookup::Found(object) => Some(object),
            Lookup::Nothing | Lookup::Others => None,
        };
        let flow = self.ask(stream, host, &mut asked, seat, selected, true);
        stream.asked = Some(asked);
        flow
    }

    /// The fetch has landed: its response may be what this request needs.
    pub(crate) fn look_again(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        self.stop_waiting(stream);
        if let Some(asked) = stream.asked.as_deref_mut() {
            asked.status = CacheStatus { collapsed: true, ..CacheStatus::default() };
        }
        self.look_up(stream, host, false)
    }

    pub(crate) fn go_alone(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        self.stop_waiting(stream);
        self.look_up(stream, host, false)
    }

    /// Whether the time is over in which others may be waited for.
    pub(crate) fn is_late(&self, host: &dyn Host, fetch: &Fetch) -> bool {
        let late = fetch.expire(now(host));
        late.iter().for_each(ferrule_kit::Waker::wake);
        !late.is_empty()
    }

    fn stop_waiting(&self, stream: &mut Stream) {
        if let Course::Waiting(fetch, ticket) = std::mem::take(&mut stream.course) {
            crate::leave(&fetch, ticket);
        }
    }

    /// Answers with a response that is still on its way into the store.
    pub(crate) fn read_along(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        known: &FlightHead,
        chunks: &[Chunk],
        fetch: Arc<Fetch>,
        ticket: Ticket,
    ) -> Flow {
        let at = now(host);
        let head = Head::new(&known.head);
        let Some(asked) = stream.asked.as_deref_mut() else { return Flow::Continue };
        let found = Found::Response { stored: &known.stored, purged: false };
        let serves = matches!(decide(&asked.request, found, at), Decision::Serve { .. });
        if !serves || !self.selects(&head, &section::request(host)) {
            return self.go_alone(stream, host);
        }
        asked.status = CacheStatus {
            fwd: asked.status.fwd,
            collapsed: true,
            ttl: Some(known.stored.ttl(at)),
            ..CacheStatus::default()
        };
        // Ranges do not wait, so that there are no parts here.
        let etag = head.line("etag");
        let form = answer(asked.request.method, &section::request(host), &known.stored, etag, None, at);
        let mut prepared = prepare(form, &known.stored, &head, known.length, at);
        let mut fields = std::mem::take(&mut prepared.fields);
        fields.push(("cache-status".to_owned(), asked.status.member(&self.name).into_bytes()));
        let opening = opening(&prepared, fields, false, "cache_collapsed");
        let length = prepared.bytes.end;
        self.set_course(stream, Course::Serving(Serving::read_along(chunks, length, fetch, ticket)));
        Flow::Open(opening)
    }
}

impl Compiled {
    /// Whether the configuration has a request pass by.
    pub(crate) fn bypasses(&self, method: &[u8], path: &[u8], request: &(impl Section + ?Sized)) -> bool {
        self.bypass.iter().any(|matcher| matcher.holds(method, path, request))
    }

    /// What a request says in a field by which responses are selected, made coarser where the configuration says so.
    pub(crate) fn selecting(&self, request: &(impl Section + ?Sized), name: &str) -> Option<Vec<u8>> {
        match self.coarsening.get(name) {
            Some(coarsening) => request.combined(name).map(|value| coarsening.apply(&value)),
            None => selecting_value(request, name),
        }
    }

    /// RFC 9111 §4.1
    pub(crate) fn selects(&self, head: &Head<'_>, request: &(impl Section + ?Sized)) -> bool {
        head.selectors().all(|(name, value)| self.selecting(request, name).as_deref() == value)
    }
}

/// What validates a stored response.
pub(crate) fn validators(object: &Object) -> Validators<'_> {
    let head = object.head();
    let etag = head.line("etag").filter(|tag| crate::policy::entity_tag::EntityTag::parse(tag).is_some());
    Validators { etag: etag.map(Into::into), last_modified: head.line("last-modified").map(Into::into) }
}

/// Removes the fields that belong to the connection from the origin alone (RFC 9110 §7.6.1: MUST NOT be forwarded).
pub(crate) fn remove_connection_fields(host: &mut dyn Host, message: Message) {
    let fields = message.headers();
    let Some(connection) =
        section::HostSection(host, fields).combined("connection").map(|value| value.into_owned())
    else {
        return;
    };
    let listed =
        crate::policy::field::members(&connection).filter(|name| crate::policy::field::is_token(name));
    for name in listed.map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()) {
        host.remove_field(fields, &name);
    }
    host.remove_field(fields, "connection");
}
