//! Clients of one cache that may send requests off, and what it sends off.

// Not every test needs all of it.
#![allow(clippy::panic, clippy::unwrap_used, dead_code)]

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ferrule_cache::Cache;
use ferrule_kit::{
    Callout, Driver, Errand, Event, Fields, MemoryHost, Message, Opening, Step, Value, compile,
};

pub(crate) type Sent = (Callout, Box<dyn Errand>);

pub(crate) struct Client {
    pub(crate) driver: Driver<Cache>,
    pub(crate) host: MemoryHost,
    pub(crate) step: Step,
}

pub(crate) fn cache() -> Arc<Cache> {
    configured("{}")
}

pub(crate) fn configured(config: &str) -> Arc<Cache> {
    Arc::new(compile::<Cache>(config.as_bytes()).unwrap())
}

pub(crate) fn client(cache: &Arc<Cache>, seconds: u64, lines: &[(&str, &str)]) -> Client {
    let mut fields =
        vec![(":method", "GET"), (":path", "/x"), (":authority", "a.example"), (":scheme", "http")];
    fields.extend(lines);
    let mut host = MemoryHost {
        clock: UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds),
        errands: Some(Vec::new()),
        ..MemoryHost::with_request(fields)
    };
    host.attributes.insert("xds.cluster_name".to_owned(), Value::Text(b"origin".as_slice().into()));
    let mut driver = Driver::new(Arc::clone(cache));
    let step = driver.on(Event::Headers { message: Message::Request, end: true }, &mut host);
    Client { driver, host, step }
}

impl Client {
    pub(crate) fn head(&mut self, lines: &[(&str, &str)]) {
        let lines = [(":status", "200")].iter().chain(lines);
        let lines = lines.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        self.host.arrive(Fields::ResponseHeaders, lines.collect());
        self.step = self.driver.on(Event::Headers { message: Message::Response, end: false }, &mut self.host);
    }

    pub(crate) fn data(&mut self, bytes: &str, end: bool) {
        self.host.push_body(Message::Response, bytes);
        self.driver.on(Event::Data { message: Message::Response, end }, &mut self.host);
        self.host.pass_body(Message::Response);
    }

    /// What is ready of the answer, and whether it was reset.
    pub(crate) fn read(&mut self) -> (String, bool) {
        let mut body = Vec::new();
        loop {
            match self.driver.on(Event::Room, &mut self.host) {
                Step::Send { pieces, end } => {
                    pieces.iter().for_each(|piece| body.extend_from_slice(piece));
                    if end {
                        return (String::from_utf8(body).unwrap(), false);
                    }
                }
                step => return (String::from_utf8(body).unwrap(), step == Step::Reset),
            }
        }
    }

    pub(crate) fn sent_off(&mut self) -> Vec<Sent> {
        self.host.errands.replace(Vec::new()).unwrap()
    }

    pub(crate) fn opening(&self) -> &Opening {
        match &self.step {
            Step::Open(opening) => opening,
            step => panic!("{step:?}"),
        }
    }

    pub(crate) fn field(&self, name: &str) -> String {
        let line = self.opening().fields.iter().find(|(known, _)| known == name).unwrap();
        String::from_utf8(line.1.clone()).unwrap()
    }
}

pub(crate) fn tell(errand: &mut dyn Errand, seconds: u64, lines: &[(&str, &str)], end: bool) -> bool {
    let lines: Vec<_> = lines.iter().map(|(n, v)| (n.as_bytes().into(), v.as_bytes().into())).collect();
    errand.on_headers(UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds), &lines, end)
}

pub(crate) fn line(callout: &Callout, name: &str) -> Option<String> {
    let line = callout.fields.iter().find(|(known, _)| known == name)?;
    Some(String::from_utf8(line.1.clone()).unwrap())
}
