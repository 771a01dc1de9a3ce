//! Proxies in process that share a real Redis.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use envoy_harness::redis::Redis;
use ferrule_cache::Cache;
use ferrule_kit::{Counter, Driver, Event, Fields, Hold, MemoryHost, Message, Opening, Step, Wakes, compile};

/// More than anything here takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const FRESH: (&str, &str) = ("cache-control", "max-age=600");

/// Counters by what is counted.
pub(super) const HIT: Counter = Counter(24);
pub(super) const ERROR: Counter = Counter(26);
pub(super) const TIMEOUT: Counter = Counter(27);
pub(super) const OPEN: Counter = Counter(28);

/// A proxy's cache.
pub(super) fn proxy(redis: &Redis, more: &str) -> Arc<Cache> {
    configured(redis, "", more)
}

/// With further members of the configuration, and of its part about Redis.
pub(super) fn configured(redis: &Redis, config: &str, more: &str) -> Arc<Cache> {
    let redis = format!(r#"{{"address": "{}", "timeoutMilliseconds": 5000{more}}}"#, redis.address());
    let purge = r#""purge": {"allow": [{"method": "PURGE"}]}"#;
    let json = format!(r#"{{{purge}{config}, "storage": {{"redis": {redis}}}}}"#);
    Arc::new(compile::<Cache>(json.as_bytes()).unwrap())
}

pub(super) struct Client {
    pub(super) driver: Driver<Cache>,
    pub(super) host: MemoryHost,
    pub(super) wakes: Wakes,
    pub(super) step: Step,
    pub(super) answer: Option<Opening>,
    pub(super) body: Vec<u8>,
}

/// A request, as far as it gets by itself.
pub(super) fn ask(cache: &Arc<Cache>, path: &str, lines: &[(&str, &str)]) -> Client {
    let mut client = begin(cache, path, lines);
    client.settle();
    client
}

pub(super) fn begin(cache: &Arc<Cache>, path: &str, lines: &[(&str, &str)]) -> Client {
    let mut fields =
        vec![(":method", "GET"), (":path", path), (":authority", "a.example"), (":scheme", "http")];
    fields.retain(|(name, _)| lines.iter().all(|(own, _)| own != name));
    fields.extend(lines);
    let wakes = Wakes::default();
    let host = MemoryHost {
        clock: SystemTime::now(),
        wakes: Some(wakes.clone()),
        ..MemoryHost::with_request(fields)
    };
    let driver = Driver::new(Arc::clone(cache));
    let mut client = Client { driver, host, wakes, step: Step::Pass, answer: None, body: Vec::new() };
    client.tell(Event::Headers { message: Message::Request, end: true });
    client
}

impl Client {
    pub(super) fn tell(&mut self, event: Event<'_>) {
        self.host.clock = SystemTime::now();
        self.step = match self.driver.on(event, &mut self.host) {
            Step::Open(opening) => {
                let mut end = opening.end;
                self.answer = Some(opening);
                while !end {
                    let Step::Send { pieces, end: last } = self.driver.on(Event::Room, &mut self.host) else {
                        panic!("nothing is sent");
                    };
                    pieces.iter().for_each(|piece| self.body.extend_from_slice(piece));
                    end = last;
                }
                Step::Pass
            }
            step => step,
        };
    }

    /// Acts on wakes until it waits for no one.
    pub(super) fn settle(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.step == Step::Stop(Hold::Stream) {
            if self.wakes.take() > 0 {
                self.tell(Event::Woken);
            }
            assert!(Instant::now() < until, "it was never woken");
            thread::sleep(Duration::from_millis(1));
        }
    }

    pub(super) fn is_forwarded(&self) -> bool {
        matches!(self.step, Step::Pass | Step::Resume(Message::Request)) && self.answer.is_none()
    }

    /// The origin answers.
    pub(super) fn fetch(&mut self, lines: &[(&str, &str)], body: &[u8]) {
        assert!(self.is_forwarded(), "{:?}", self.step);
        let lines = std::iter::once((":status", "200")).chain(lines.iter().copied());
        let lines = lines.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        self.host.arrive(Fields::ResponseHeaders, lines.collect());
        self.tell(Event::Headers { message: Message::Response, end: false });
        for chunk in body.chunks(10_000) {
            self.host.push_body(Message::Response, chunk);
            self.tell(Event::Data { message: Message::Response, end: false });
            self.host.pass_body(Message::Response);
        }
        self.tell(Event::Data { message: Message::Response, end: true });
    }

    pub(super) fn cache_status(&self) -> String {
        let fields = &self.answer.as_ref().unwrap_or_else(|| panic!("{:?}", self.step)).fields;
        let line = fields.iter().find(|(name, _)| name == "cache-status").unwrap();
        String::from_utf8(line.1.clone()).unwrap()
    }

    pub(super) fn counted(&self, counter: Counter) -> u64 {
        self.host.counted(counter)
    }
}

pub(super) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Responses that Redis keeps.
pub(super) fn kept(redis: &Redis) -> usize {
    redis.cli(&["ZCARD", "ferrule:used"]).parse().unwrap()
}

pub(super) fn wait_for_kept(redis: &Redis, count: usize) {
    wait_until("Redis does not keep it", || kept(redis) == count);
}

/// A response stored by a proxy, in Redis, too.
pub(super) fn store(redis: &Redis, cache: &Arc<Cache>, path: &str, lines: &[(&str, &str)], body: &[u8]) {
    let before = kept(redis);
    ask(cache, path, &[]).fetch(&[&[FRESH], lines].concat(), body);
    wait_for_kept(redis, before + 1);
}

pub(super) fn purge(cache: &Arc<Cache>, path: &str, lines: &[(&str, &str)]) {
    let purge = ask(cache, path, &[&[(":method", "PURGE")], lines].concat());
    assert!(matches!(&purge.step, Step::Respond(response) if response.status == 200));
}
