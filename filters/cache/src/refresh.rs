//! Validating a stale response in the background, while it is served (RFC 5861 §3).

use std::sync::Arc;
use std::time::SystemTime;

use ferrule_kit::{
    Callout, Counter, Errand, FieldLines, Fields, Filter, Host, Lines, MemoryHost, Message, Octets,
};

use crate::asked::Asked;
use crate::collapse::Role;
use crate::fill::Seat;
use crate::policy::time::Time;
use crate::recast::{Onward, owned_fields};
use crate::store::Object;
use crate::{Cache, Course, Fetching, Stream, counters, now};

impl Cache {
    /// Has the response validated, so that this request can have it as it is; says whether that could be done, or need not be yet.
    pub(crate) fn refresh_apart(&self, host: &mut dyn Host, asked: &Asked, object: &Arc<Object>) -> bool {
        let is_possible = self.background && host.runs_errands();
        let Some(recast) = object.head().recast().filter(|_| is_possible) else { return false };
        let Some(onward) = Onward::read(host) else { return false };
        let lane = self.lane(host, asked);
        if self.storage.flights.is_put_off(&lane, now(host)) {
            return true;
        }
        let Role::Fill(fetch) = self.storage.flights.join(&lane, None, now(host)) else { return false };
        let seat = Seat { key: lane, flight: Some(fetch), since: self.storage.since() };
        let Callout { cluster, fields, body, timeout } = onward.recast(recast).callout([]);
        // What is stored is selected by requests as they come here, not as they go on.
        let asked = asked.again(owned_fields(host), now(host));
        let mut errand = Refresh::of(self, asked, fields, host.now(), object);
        self.coarsen(&mut errand.host);
        errand.ask_about(seat);
        let callout = Callout { cluster, fields: errand.lines(), body, timeout };
        host.count(counters::REFRESHED, 1);
        host.send_off(callout, Box::new(errand));
        true
    }
}

/// Milliseconds until the next refresh of what one could not refresh.
const PAUSE_MS: u64 = 5_000;

/// A stream of no client.
#[derive(Debug)]
struct Refresh {
    cache: Cache,
    stream: Stream,
    host: MemoryHost,
    /// What is to be validated.
    object: Arc<Object>,
    lane: Vec<u8>,
}

impl Refresh {
    fn of(cache: &Cache, asked: Asked, lines: FieldLines, now: SystemTime, object: &Arc<Object>) -> Self {
        let host = MemoryHost { clock: now, ..MemoryHost::with_request(lines) };
        let mut stream = Stream::default();
        stream.asked = Some(Box::new(asked));
        Self { cache: cache.clone(), stream, host, object: Arc::clone(object), lane: Vec::new() }
    }

    fn ask_about(&mut self, seat: Seat) {
        let asked_about = self.cache.ask_about(&mut self.host, &self.object);
        let selected = Some(Arc::clone(&self.object));
        self.lane.clone_from(&seat.key);
        let fetching = Fetching { seat, selected, lacks: false, asked_about };
        self.cache.set_course(&mut self.stream, Course::Fetching(fetching));
    }

    fn lines(&self) -> FieldLines {
        self.host.lines(Fields::RequestHeaders).to_vec()
    }
}

impl Errand for Refresh {
    fn on_headers(&mut self, now: SystemTime, lines: &Lines<'_>, end: bool) -> bool {
        self.host.clock = now;
        let lines =
            lines.iter().map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec()));
        self.host.arrive(Fields::ResponseHeaders, lines.collect());
        // It may be Envoy's own, which does not show: the origin's would not be of use either while the stored one is.
        let status = self.host.field(Fields::ResponseHeaders, ":status").unwrap_or_default();
        self.stream.is_local_reply = status.starts_with(b"5");
        // Whatever the flow, there is no client to answer.
        let _ = self.cache.on_headers(&mut self.stream, &mut self.host, Message::Response, end);
        matches!(self.stream.course, Course::Filling(_))
    }

    fn on_data(&mut self, chunks: &[Octets<'_>], end: bool) -> bool {
        chunks.iter().for_each(|chunk| self.host.push_body(Message::Response, chunk.to_vec()));
        let _ = self.cache.on_data(&mut self.stream, &mut self.host, Message::Response, end);
        self.host.pass_body(Message::Response);
        matches!(self.stream.course, Course::Filling(_))
    }

    fn on_trailers(&mut self) {
        let _ = self.cache.on_trailers(&mut self.stream, &mut self.host, Message::Response);
    }
}

/// What it counted is counted by the next stream. One that has left what was stored as it was has failed.
impl Drop for Refresh {
    fn drop(&mut self) {
        let storage = &self.cache.storage;
        for place in 0..counters::NAMES.len() {
            storage.owe(Counter(place), self.host.counted(Counter(place)));
        }
        let variants = storage.store.variants(self.object.key());
        if variants.iter().any(|known| Arc::ptr_eq(known, &self.object)) {
            storage.flights.put_off(&self.lane, Time(now(&self.host).0.saturating_add(PAUSE_MS)));
        }
    }
}
