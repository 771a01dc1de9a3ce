//! The request side: what is asked for, what is found, and who answers.

use std::sync::Arc;

use ferrule_kit::{FieldLines, Fields, Flow, Host, Message};

use crate::account::Account;
use crate::collapse::{Role, Ticket};
use crate::fill::Seat;
use crate::policy::answer::answer;
use crate::policy::cache_control::RequestDirectives;
use crate::policy::cache_status::CacheStatus;
use crate::policy::field::Section;
use crate::policy::key;
use crate::policy::method::Method;
use crate::policy::request::Request;
use crate::policy::reuse::{Decision, Forward, Found, decide};
use crate::policy::time::Time;
use crate::policy::uri::Uri;
use crate::policy::validation::conditions;
use crate::reason::{count_bypass, is_for_others};
use crate::recalling::Errand;
use crate::recast::owned_fields;
use crate::selecting::{has_for, validators};
use crate::serving::{Serving, UNKNOWN, opening, prepare};
use crate::storage::{Fetch, FlightHead};
use crate::store::codec::Head;
use crate::store::{Chunk, Lookup, Object};
use crate::{Cache, Course, Fetching, Stream, counters, method, now, section};

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
    pub(crate) account: Account,
}

impl Asked {
    /// The key of the fetch that others may wait for. What comes for credentials is mostly for one client alone (RFC 9111 §3.5): those who
    /// have none neither wait for it nor take its fate for theirs.
    pub(crate) fn flight_key(&self) -> Vec<u8> {
        let mut key = self.key.clone();
        if self.request.has_authorization {
            key.extend_from_slice(b"\0a");
        }
        key
    }

    /// The same asked for by no client, with these fields.
    pub(crate) fn again(&self, fields: FieldLines, now: Time) -> Self {
        // What a client wants of its answer is nothing to those who come after it.
        let directives = RequestDirectives::default();
        let request = Request { method: Method::Get, has_range: false, directives, ..self.request };
        let (uri, key) = (self.uri.clone(), self.key.clone());
        Self {
            request,
            uri,
            key,
            fields,
            sent: now,
            status: CacheStatus::default(),
            account: Account::default(),
        }
    }
}

/// A request waits for others' fetches so often at most: each may show that it wants another variant.
const MOST_WAITS: u8 = 4;

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
        let asked = self.read(host, &method);
        if let Some(why) = self.passes_by(host, &method, &asked, end) {
            return self.pass_by(stream, host, asked, why);
        }
        if asked.request.method == Method::Post && self.post.is_some() {
            return self.on_post(stream, host, asked, end);
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
        let (status, account) = (CacheStatus::default(), Account::default());
        Asked { request, uri, key, fields: Vec::new(), sent: now(host), status, account }
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
        // Who has waited and is not answered by what came waits again for another variant alone.
        let waits = waits && (stream.waits == 0 || !matches!(lookup, Lookup::Found(_)));
        let (found, object) = match &lookup {
            Lookup::Nothing => (Found::Nothing, None),
            Lookup::Others => (Found::OtherVariants, None),
            Lookup::Found(object) => {
                let lacks = !has_for(object, asked.request.method, &section::request(host));
                (Found::Response { stored: object.stored(), purged: object.is_purged(), lacks }, Some(object))
            }
        };
        match (decide(&asked.request, found, now(host)), object) {
            (Decision::Serve { refresh: true, .. }, Some(object))
                if !self.is_being_refreshed(host, asked) && !self.refresh_apart(host, asked, object) =>
            {
                self.fetch(stream, host, asked, Forward::Stale, Some(object), waits)
            }
            (Decision::Serve { stale, .. }, Some(object)) => self.serve(stream, host, asked, object, stale),
            (Decision::Validate(why), object) => self.fetch(stream, host, asked, why, object, waits),
            (Decision::Forward(why), object) => self.fetch(stream, host, asked, why, object, waits),
            (Decision::GatewayTimeout, object) => self.recall_only(stream, host, asked, object, waits),
            (Decision::Serve { .. }, None) => self.gateway_timeout(asked),
        }
    }

    pub(crate) fn find(&self, host: &dyn Host, key: &[u8]) -> Lookup {
        let request = section::request(host);
        self.storage.store.find(key, |object| self.selects(&object.head(), &request))
    }

    /// While one request refreshes a stale response, others are served it (RFC 5861 §3).
    fn is_being_refreshed(&self, host: &dyn Host, asked: &Asked) -> bool {
        self.storage.flights.is_under_way(&self.lane(host, asked), now(host))
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
        let (stored, head, length) = (object.stored(), object.head(), object.body().complete());
        let (method, etag) = (asked.request.method, head.line("etag"));
        let form = if asked.fields.is_empty() {
            answer(method, &section::request(host), stored, etag, Some(length), at)
        } else {
            answer(method, &asked.fields[..], stored, etag, Some(length), at)
        };
        asked.account = Account { age: Some(stored.age(at)), stale, ..asked.account };
        asked.status.hit = asked.status.fwd.is_none();
        asked.status.ttl = Some(stored.ttl(at));
        if asked.status.hit || asked.status.collapsed {
            host.count(counters::HIT, 1);
        }
        host.count(counters::STALE, u64::from(stale));
        let mut prepared = prepare(form, stored, &head, length, at);
        let mut fields = std::mem::take(&mut prepared.fields);
        fields.push(("cache-status".to_owned(), asked.status.member(&self.name).into_bytes()));
        let opening = opening(&prepared, fields, method == Method::Head, "cache_hit");
        let serving = Serving::stored(object.body(), object.body().place(prepared.bytes));
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
        if let Some(why) = is_for_others(&request) {
            count_bypass(host, asked, why);
            self.set_course(stream, Course::Pass);
            return Flow::Continue;
        }
        let since = self.storage.since();
        // A part of what is not there is asked for as it came: what comes may be of use to no one else.
        let usable = selected.filter(|_| why != Forward::Partial);
        let is_plain = !request.has_range || usable.is_some();
        let waits = waits && stream.waits < MOST_WAITS;
        let shares = waits && request.method.is_stored() && !request.has_range;
        let lane = stream.lane.take().unwrap_or_else(|| self.lane(host, asked));
        let flight = match shares.then(|| self.join(&lane, host)) {
            Some(Role::Wait(fetch, ticket)) => {
                host.count(counters::COLLAPSED, u64::from(stream.waits == 0));
                stream.waits += 1;
                self.set_course(stream, Course::Waiting(fetch, ticket));
                return Flow::AwaitReply;
            }
            Some(Role::Fill(fetch)) => match self.came_meanwhile(host, asked, selected) {
                Some(object) => {
                    Seat { key: lane, flight: Some(fetch), since }.land(&self.storage, &object);
                    return self.act(stream, host, asked, false);
                }
                None => Some(fetch),
            },
            Some(Role::Busy | Role::Apart) | None => None,
        };
        let strips = is_plain && (flight.is_some() || usable.is_some());
        // Who went alone before does not wait once more; a key whose responses are not stored is not kept anywhere.
        let recalls = waits && (flight.is_some() || !shares);
        let seat = Seat { key: lane, flight, since };
        let errand = Errand { seat, selected: selected.cloned(), strips };
        let looked = if recalls { self.recall(stream, host, asked, errand) } else { Err(errand) };
        looked.unwrap_or_else(|errand| {
            host.count(counters::MISS, 1);
            self.ask(stream, host, asked, errand.seat, errand.selected, errand.strips)
        })
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
        self.coarsen(host);
        if strips {
            CLIENT_CONDITIONS.iter().for_each(|name| host.remove_field(Fields::RequestHeaders, name));
        }
        let lacks = asked.status.fwd == Some(Forward::Partial);
        let mut fetching = Fetching { seat, selected, lacks, asked_about: Vec::new() };
        // RFC 9110 §13.1.2: to others than GET and HEAD, these conditions mean something else.
        if let Some(object) = fetching.usable().filter(|_| asked.request.method != Method::PostByContent) {
            fetching.asked_about = self.ask_about(host, object);
        }
        self.set_course(stream, Course::Fetching(fetching));
        Flow::Continue
    }

    /// RFC 9111 §4.3.1
    pub(crate) fn ask_about(&self, host: &mut dyn Host, selected: &Arc<Object>) -> Vec<Arc<Object>> {
        let mut variants = self.storage.store.variants(selected.key());
        // What a part of another variant could not answer need not be confirmed.
        variants.retain(|object| !Arc::ptr_eq(object, selected) && object.body().runs().is_none());
        variants.insert(0, Arc::clone(selected));
        let lines = {
            let validators: Vec<_> = variants.iter().map(|object| validators(object)).collect();
            conditions(&validators[0], &validators[1..])
        };
        if lines.is_empty() {
            return Vec::new();
        }
        // Of what is incomplete, no more than the range is asked for where it is not confirmed.
        if selected.body().runs().is_none() {
            ["range", "if-range"].iter().for_each(|name| host.remove_field(Fields::RequestHeaders, name));
        }
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
        host.count(counters::MISS, 1);
        let seat = Seat { key: flight.key().to_vec(), flight: Some(flight), since: self.storage.since() };
        let selected = match self.find(host, &asked.key) {
            Lookup::Found(object) => Some(object),
            Lookup::Nothing | Lookup::Others => None,
        };
        let whole = |object: &Arc<Object>| object.body().runs().is_none();
        asked.status.fwd = match &selected {
            Some(object) if !whole(object) => Some(Forward::Partial),
            _ => asked.status.fwd.filter(|why| *why != Forward::Partial).or(Some(Forward::UriMiss)),
        };
        let flow = self.ask(stream, host, &mut asked, seat, selected, true);
        stream.asked = Some(asked);
        flow
    }

    /// The fetch has landed: its response may be what this request needs.
    pub(crate) fn look_again(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        self.stop_waiting(stream);
        if let Some(asked) = stream.asked.as_deref_mut() {
            // RFC 9211 §2.6: of a request that went on, by way of another's.
            asked.status = CacheStatus { fwd: asked.status.fwd, collapsed: true, ..CacheStatus::default() };
        }
        self.look_up(stream, host, true)
    }

    pub(crate) fn go_alone(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        self.stop_waiting(stream);
        self.look_up(stream, host, false)
    }

    fn stop_waiting(&self, stream: &mut Stream) {
        if let Course::Waiting(fetch, ticket) = std::mem::take(&mut stream.course) {
            crate::leave(&self.storage, &fetch, ticket);
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
        let found = Found::Response { stored: &known.stored, purged: false, lacks: false };
        let serves = matches!(decide(&asked.request, found, at), Decision::Serve { .. });
        // By HTTP/1.0 an answer of unknown length that breaks off looks whole.
        let breaks_visibly = known.length.is_some()
            || host.attribute("request.protocol") != Some(ferrule_kit::Value::from("HTTP/1.0"));
        if !self.selects(&head, &section::request(host)) {
            stream.lane = Some(self.lane_beside(host, asked, &head));
            self.stop_waiting(stream);
            return self.look_up(stream, host, true);
        }
        if !serves || !breaks_visibly {
            return self.go_alone(stream, host);
        }
        asked.account.age = Some(known.stored.age(at));
        asked.status = CacheStatus {
            fwd: asked.status.fwd,
            collapsed: true,
            ttl: Some(known.stored.ttl(at)),
            ..CacheStatus::default()
        };
        // Ranges do not wait, so that there are no parts here.
        let etag = head.line("etag");
        let form = answer(asked.request.method, &section::request(host), &known.stored, etag, None, at);
        let length = known.length.unwrap_or(UNKNOWN);
        let mut prepared = prepare(form, &known.stored, &head, length, at);
        let mut fields = std::mem::take(&mut prepared.fields);
        fields.push(("cache-status".to_owned(), asked.status.member(&self.name).into_bytes()));
        let opening = opening(&prepared, fields, false, "cache_collapsed");
        let length = prepared.bytes.end;
        self.set_course(stream, Course::Serving(Serving::read_along(chunks, length, fetch, ticket)));
        Flow::Open(opening)
    }
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
