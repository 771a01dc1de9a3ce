//! A shared HTTP cache (RFC 9111) as an Envoy filter.
//!
//! Invariants:
//! - [`policy`] decides, [`store`] keeps, [`collapse`] has streams wait for each other; none of them knows a host. This file and its
//!   neighbours turn events into their calls, and their answers into `Flow`s.
//! - What cannot be stored, found or waited for costs a request to the origin, never the client its answer.
//! - A body is copied once on its way into the store and never on its way out of it.

mod account;
mod again;
mod asked;
mod bypass;
pub mod collapse;
mod config;
mod counters;
mod fill;
mod fresh;
mod hit;
mod joining;
pub mod level;
mod orders;
mod part;
pub mod policy;
mod posted;
mod purging;
mod reason;
mod recalling;
mod recast;
mod received;
mod redis;
mod refresh;
mod rest;
mod section;
mod selecting;
mod serving;
mod storage;
pub mod store;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ferrule_kit::{
    CalloutError, CalloutId, ConfigError, ConfigHost, Fields, Filter, Flow, Host, Message, Ready, Reply,
    Response, SecretSource, Supply,
};

use asked::Asked;
pub use bypass::{HeaderMatcher, Matcher};
use collapse::{Progress, Ticket};
pub use config::*;
use fill::{Fill, Seat};
pub use orders::{Inspect, Order, Orders, PurgeOrder, Recipient};
use policy::cache_status::CacheStatus;
use policy::key::KeyRules;
use policy::rules::Rules;
use policy::time::Time;
use policy::vary::Coarsening;
use recalling::Recalling;
pub use redis::{Breaker, Redis, Secret};
use serving::Serving;
use storage::{Fetch, Shared};
use store::Object;

/// The filter: a compiled [`Config`], shared with the requests that it makes itself.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Compiled>);

impl Deref for Cache {
    type Target = Compiled;

    fn deref(&self) -> &Compiled {
        &self.0
    }
}

/// A compiled [`Config`].
#[derive(Debug)]
#[doc(hidden)]
pub struct Compiled {
    is_off: bool,
    name: String,
    rules: Rules,
    key_rules: KeyRules,
    bypass: Vec<Matcher>,
    /// Bytes of content of a POST that are held, where POSTs are answered from the store.
    post: Option<usize>,
    purge: Option<Vec<Matcher>>,
    tag_names: Vec<String>,
    coarsening: BTreeMap<String, Coarsening>,
    /// Keys are target URIs.
    has_plain_keys: bool,
    /// Cache-Status of a hit, but for the digits of its `ttl`.
    hit_status: Vec<u8>,
    /// The cache makes requests of its own.
    background: bool,
    /// The longest that a request waits for another's header section.
    wait: Duration,
    storage: Arc<Shared>,
    storage_name: Option<String>,
    secrets: Vec<SecretSource>,
    /// Whether access logs are told of each request.
    observes: bool,
    orders: Option<Orders>,
}

/// What the filter remembers of one request and its response.
#[derive(Debug, Default)]
pub struct Stream {
    asked: Option<Box<Asked>>,
    course: Course,
    /// Envoy answers in the place of the origin.
    is_local_reply: bool,
    /// How often another's fetch was waited for.
    waits: u8,
    /// The key under which the fetch is shared, where it is known to be another than what is stored says.
    lane: Option<Vec<u8>>,
    /// The storage that the course belongs to.
    storage: Option<Arc<Shared>>,
}

/// What is going on.
#[derive(Debug, Default)]
enum Course {
    /// The origin answers, and nothing of it is stored.
    #[default]
    Pass,
    /// A request is held until its content, which is part of its key, has come.
    Reading,
    /// Another stream fetches what this one needs.
    Waiting(Arc<Fetch>, Ticket),
    /// The second level is asked, and then perhaps the origin.
    Recalling(Box<Recalling>),
    /// The origin is asked.
    Fetching(Fetching),
    /// The origin's answer is on its way to the client and into the store.
    Filling(Box<Fill>),
    /// The store answers.
    Serving(Serving),
}

/// A request to the origin.
#[derive(Debug)]
struct Fetching {
    seat: Seat,
    /// The stored response that the request selects, where there is one.
    selected: Option<Arc<Object>>,
    /// What is stored is incomplete, and does not have what the request needs.
    lacks: bool,
    /// The stored responses that the origin was asked about by conditions.
    asked_about: Vec<Arc<Object>>,
}

impl Fetching {
    /// The stored response that would answer the request.
    fn usable(&self) -> Option<&Arc<Object>> {
        self.selected.as_ref().filter(|_| !self.lacks)
    }
}

impl Filter for Cache {
    const NAME: &'static str = "cache";
    const COUNTERS: &'static [&'static str] = counters::NAMES;
    const IS_QUICK: bool = true;

    type Config = Config;
    type Stream = Stream;

    fn compile(config: Config) -> Result<Self, ConfigError> {
        let matchers = |field: &str, matchers: Vec<Matcher>| {
            let compile = |(at, matcher): (usize, Matcher)| matcher.compile(&format!("{field}[{at}]"));
            matchers.into_iter().enumerate().map(compile).collect::<Result<Vec<_>, _>>()
        };
        let patience = config.patience();
        let name = config.name.clone().unwrap_or_else(|| "ferrule".to_owned());
        let key_rules = config.key_rules()?;
        let storage = Shared::open(config.storage.name.as_deref(), config.bounds()?);
        if let Some(orders) = &config.orders {
            orders.check()?;
        }
        let compiled = Arc::new(Compiled {
            is_off: config.disable.is_some(),
            rules: config.rules()?,
            has_plain_keys: key_rules == KeyRules::default(),
            key_rules,
            hit_status: CacheStatus { hit: true, ttl: Some(0), ..CacheStatus::default() }
                .member(&name)
                .trim_end_matches('0')
                .into(),
            tag_names: config.tag_names()?,
            coarsening: config.coarsening()?,
            post: config.content_bytes()?,
            bypass: matchers("bypass", config.bypass)?,
            purge: config.purge.map(|purge| matchers("purge.allow", purge.allow)).transpose()?,
            name,
            background: config.background.unwrap_or(true),
            wait: Duration::from_millis(patience.wait_ms),
            storage,
            storage_name: config.storage.name,
            secrets: config
                .storage
                .redis
                .and_then(|redis| redis.password)
                .into_iter()
                .chain(config.secrets)
                .map(Into::into)
                .collect(),
            observes: config.observe.metadata,
            orders: config.orders,
        });
        if !compiled.is_off {
            orders::register(&compiled);
        }
        Ok(Self(compiled))
    }

    fn secrets(&self) -> Vec<SecretSource> {
        self.secrets.clone()
    }

    fn has_threads(&self) -> bool {
        self.storage.level().is_some()
    }

    fn on_configured(&self, host: &mut dyn ConfigHost) {
        if let Some(orders) = &self.orders {
            orders.carry_out(host);
        }
    }

    fn looks_back(&self) -> bool {
        false
    }

    fn quick(&self, host: &mut dyn Host, end: bool) -> Option<Box<dyn Ready>> {
        // What access logs are told is collected on the usual way.
        if self.is_off || self.observes || !end {
            return None;
        }
        Some(Box::new(self.hit(host)?))
    }

    fn on_headers(&self, stream: &mut Stream, host: &mut dyn Host, message: Message, end: bool) -> Flow {
        match message {
            _ if self.is_off => Flow::Leave,
            Message::Request => self.on_request(stream, host, end),
            Message::Response => self.on_response(stream, host, end),
        }
    }

    fn on_data(&self, stream: &mut Stream, host: &mut dyn Host, message: Message, end: bool) -> Flow {
        match message {
            Message::Request => self.on_posted(stream, host, end),
            Message::Response => {
                self.on_bytes(stream, host, end);
                Flow::Continue
            }
        }
    }

    /// Envoy holds no more than this: what is larger passes by.
    fn on_overflow(&self, stream: &mut Stream, host: &mut dyn Host, _: Message) -> Flow {
        self.on_posted(stream, host, false)
    }

    /// Trailers are not stored, which RFC 9110 §6.5.1 leaves to the recipient.
    fn on_trailers(&self, stream: &mut Stream, host: &mut dyn Host, message: Message) -> Flow {
        match (message, &stream.course) {
            (Message::Request, Course::Reading) => return self.on_content(stream, host),
            (Message::Request, _) => {}
            (Message::Response, _) => self.finish(stream, host),
        }
        Flow::Continue
    }

    fn on_reply(
        &self,
        stream: &mut Stream,
        _: &mut dyn Host,
        _: CalloutId,
        reply: Result<Reply<'_>, CalloutError>,
    ) -> Flow {
        let Some(asked) = stream.asked.as_deref() else { return Flow::Continue };
        self.on_asked_again(asked, reply)
    }

    fn on_wake(&self, stream: &mut Stream, host: &mut dyn Host) -> Flow {
        let (fetch, ticket) = match &stream.course {
            Course::Waiting(fetch, ticket) => (Arc::clone(fetch), *ticket),
            _ => return self.on_recalled(stream, host),
        };
        match fetch.look(ticket, now(host)) {
            Progress::Pending => {
                host.wake_after(self.wait);
                Flow::AwaitReply
            }
            Progress::TakeOver => self.take_over(stream, host, fetch),
            Progress::Landed(_) => self.look_again(stream, host),
            Progress::Streaming { head, chunks } => {
                self.read_along(stream, host, &head, &chunks, fetch, ticket)
            }
            Progress::Alone | Progress::Broken => self.go_alone(stream, host),
        }
    }

    fn on_alarm(&self, stream: &mut Stream, host: &mut dyn Host) {
        self.watch(stream, host);
    }

    fn on_room(&self, stream: &mut Stream, host: &mut dyn Host) -> Supply {
        match &mut stream.course {
            Course::Serving(serving) => serving.supply(now(host)),
            _ => Supply::Data { pieces: Vec::new(), end: true },
        }
    }

    fn on_local_reply(&self, stream: &mut Stream, _: &mut dyn Host, _: u16, _: &str) {
        stream.is_local_reply = true;
    }

    fn on_done(&self, stream: &mut Stream, host: &mut dyn Host) {
        self.account(stream, host);
        match std::mem::take(&mut stream.course) {
            Course::Filling(fill) if self.background && host.runs_errands() => self.fetch_rest(host, fill),
            course => stream.course = course,
        }
        self.storage.tell(host);
    }
}

/// A stream that ends in the middle lets go of what others wait for.
impl Drop for Stream {
    fn drop(&mut self) {
        let Some(storage) = self.storage.take() else { return };
        match std::mem::take(&mut self.course) {
            Course::Recalling(recalling) => recalling.into_seat().abandon(&storage),
            Course::Fetching(fetching) => fetching.seat.abandon(&storage),
            Course::Filling(fill) => fill.break_off(&storage),
            Course::Waiting(fetch, ticket) => leave(&storage, &fetch, ticket),
            Course::Serving(mut serving) => {
                if let Some((fetch, ticket)) = serving.source() {
                    leave(&storage, &fetch, ticket);
                }
            }
            Course::Pass | Course::Reading => {}
        }
    }
}

fn leave(storage: &Shared, fetch: &Arc<Fetch>, ticket: Ticket) {
    if let Some(heir) = storage.flights.leave(fetch, ticket) {
        heir.wake();
    }
}

impl Cache {
    fn set_course(&self, stream: &mut Stream, course: Course) {
        stream.storage.get_or_insert_with(|| Arc::clone(&self.storage));
        stream.course = course;
    }

    /// Nothing more of this stream is to be told, but for its account.
    fn leave(&self) -> Flow {
        if self.observes { Flow::Continue } else { Flow::Leave }
    }

    /// 504 to who wants a stored response or none (RFC 9111 §5.2.1.7).
    fn gateway_timeout(&self, asked: &Asked) -> Flow {
        let mut response = Response::text(504, "cache_only_if_cached", "");
        response.fields = vec![("cache-status".to_owned(), asked.status.member(&self.name).into_bytes())];
        Flow::Respond(response)
    }
}

impl Compiled {
    /// Whether both store the same under the same keys, and use it alike.
    fn agrees(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.storage, &other.storage)
            && (&self.name, &self.rules, &self.key_rules) == (&other.name, &other.rules, &other.key_rules)
            && (&self.coarsening, &self.bypass, self.post) == (&other.coarsening, &other.bypass, other.post)
    }
}

fn now(host: &dyn Host) -> Time {
    Time::of(host.now())
}

fn method(host: &dyn Host) -> Vec<u8> {
    host.field(Fields::RequestHeaders, ":method").unwrap_or_default().into_owned()
}
