//! Clients of one cache and a recording origin, each a stream of its own.

// Not every test needs all of it.
#![allow(clippy::unwrap_used, dead_code)]

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ferrule_cache::Cache;
use ferrule_kit::{Driver, Event, Fields, Hold, MemoryHost, Message, Opening, Step, Wakes, compile};

pub(crate) const FRESH: [(&str, &str); 2] = [("cache-control", "max-age=60"), ("content-length", "6")];

pub(crate) struct Client {
    pub(crate) driver: Driver<Cache>,
    pub(crate) host: MemoryHost,
    pub(crate) wakes: Wakes,
    /// What was last asked of the host.
    pub(crate) step: Step,
    pub(crate) answer: Option<Opening>,
    pub(crate) body: Vec<u8>,
    pub(crate) done: bool,
}

pub(crate) fn cache(config: &str) -> Arc<Cache> {
    Arc::new(compile::<Cache>(config.as_bytes()).unwrap())
}

pub(crate) fn client(cache: &Arc<Cache>, lines: &[(&str, &str)]) -> Client {
    at(cache, 1_000_000, lines)
}

pub(crate) fn at(cache: &Arc<Cache>, seconds: u64, lines: &[(&str, &str)]) -> Client {
    let mut fields =
        vec![(":method", "GET"), (":path", "/x"), (":authority", "a.example"), (":scheme", "http")];
    fields.retain(|(name, _)| lines.iter().all(|(own, _)| own != name));
    fields.extend(lines);
    let wakes = Wakes::default();
    let host = MemoryHost {
        clock: UNIX_EPOCH + Duration::from_secs(seconds),
        wakes: Some(wakes.clone()),
        ..MemoryHost::with_request(fields)
    };
    let mut client = Client {
        driver: Driver::new(Arc::clone(cache)),
        host,
        wakes,
        step: Step::Pass,
        answer: None,
        body: Vec::new(),
        done: false,
    };
    client.tell(Event::Headers { message: Message::Request, end: true });
    client
}

impl Client {
    pub(crate) fn tell(&mut self, event: Event<'_>) {
        self.step = self.driver.on(event, &mut self.host);
        match std::mem::replace(&mut self.step, Step::Pass) {
            Step::Open(opening) => {
                self.done = opening.end;
                self.answer = Some(opening);
                self.step = Step::Stop(Hold::Stream);
                self.pump();
            }
            step => self.step = step,
        }
    }

    /// Takes what there is to send.
    pub(crate) fn pump(&mut self) {
        while !self.done {
            match self.driver.on(Event::Room, &mut self.host) {
                Step::Send { pieces, end } => {
                    pieces.iter().for_each(|piece| self.body.extend_from_slice(piece));
                    self.done = end;
                }
                step => {
                    self.step = step;
                    return;
                }
            }
        }
    }

    /// Lets the client act on its wakes, if there were any.
    pub(crate) fn wake(&mut self) {
        if self.wakes.take() == 0 {
            return;
        }
        if self.answer.is_some() {
            self.pump();
        } else {
            self.tell(Event::Woken);
        }
    }

    pub(crate) fn waits(&self) -> bool {
        self.step == Step::Stop(Hold::Stream) && self.answer.is_none()
    }

    /// Whether the request is at the origin.
    pub(crate) fn is_forwarded(&self) -> bool {
        matches!(self.step, Step::Pass | Step::Resume(Message::Request)) && self.answer.is_none()
    }

    pub(crate) fn head(&mut self, status: &str, lines: &[(&str, &str)], end: bool) {
        let lines = std::iter::once((":status", status)).chain(lines.iter().copied());
        let lines = lines.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        self.host.arrive(Fields::ResponseHeaders, lines.collect());
        self.tell(Event::Headers { message: Message::Response, end });
    }

    pub(crate) fn data(&mut self, bytes: &str, end: bool) {
        self.host.push_body(Message::Response, bytes);
        self.tell(Event::Data { message: Message::Response, end });
        self.host.pass_body(Message::Response);
    }

    pub(crate) fn cache_status(&self) -> String {
        let fields = &self.answer.as_ref().unwrap().fields;
        let line = fields.iter().find(|(name, _)| name == "cache-status").unwrap();
        String::from_utf8(line.1.clone()).unwrap()
    }
}

pub(crate) fn waiters(cache: &Arc<Cache>, count: usize) -> Vec<Client> {
    let waiters: Vec<_> = (0..count).map(|_| client(cache, &[])).collect();
    assert!(waiters.iter().all(Client::waits));
    waiters
}
