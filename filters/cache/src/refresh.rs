//! Validating a stale response in the background, while it is served (RFC 5861 §3).

use std::sync::Arc;
use std::time::SystemTime;

use ferrule_kit::{Callout, Errand, FieldLines, Fields, Filter, Host, Lines, MemoryHost, Message, Octets};

use crate::asked::Asked;
use crate::collapse::Role;
use crate::fill::Seat;
use crate::policy::time::Time;
use crate::recast::Onward;
use crate::store::Object;
use crate::{Cache, Course, Fetching, Stream, now};

impl Cache {
    /// Whether someone else sees to it that the response is validated, so that this request can have it as it is.
    pub(crate) fn refresh_apart(&self, host: &mut dyn Host, asked: &Asked, object: &Arc<Object>) -> bool {
        let Some(recast) = object.head().recast().filter(|_| host.runs_errands()) else { return false };
        let Some(onward) = Onward::read(host) else { return false };
        let Role::Fill(fetch) = self.storage.flights.join(&asked.key, None, now(host)) else { return true };
        let seat = Seat { key: asked.key.clone(), flight: Some(fetch), since: self.storage.store.epoch() };
        let callout = onward.recast(recast).callout([]);
        let mut errand = Refresh::of(self, asked, callout.fields.clone(), host.now());
        errand.ask_about(object, seat);
        let callout = Callout { fields: errand.lines(), ..callout };
        host.send_off(callout, Box::new(errand));
        true
    }
}

/// A stream of no client.
#[derive(Debug)]
struct Refresh {
    cache: Cache,
    stream: Stream,
    host: MemoryHost,
}

impl Refresh {
    fn of(cache: &Cache, asked: &Asked, lines: FieldLines, now: SystemTime) -> Self {
        let host = MemoryHost { clock: now, ..MemoryHost::with_request(lines.clone()) };
        let asked = asked.again(lines, Time::of(now));
        let mut stream = Stream::default();
        stream.asked = Some(Box::new(asked));
        Self { cache: cache.clone(), stream, host }
    }

    fn ask_about(&mut self, object: &Arc<Object>, seat: Seat) {
        let asked_about = self.cache.ask_about(&mut self.host, object);
        let selected = Some(Arc::clone(object));
        self.cache.set_course(&mut self.stream, Course::Fetching(Fetching { seat, selected, asked_about }));
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
