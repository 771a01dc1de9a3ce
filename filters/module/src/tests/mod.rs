//! A filter that does what a test says, called as Envoy calls it.

mod answer;
mod body;
mod config;
mod control;
mod errands;
mod host;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ferrule_abi::*;
use ferrule_kit::{
    Callout, CalloutError, CalloutId, ConfigError, Counter, Fields, Filter, Flow, Histogram, Host, Level,
    Message, Reply, Response, SecretSource, Supply, Value,
};

use crate::fake::{FILTER, fake, reenter, reset};
use crate::{Export, hooks};

/// Runs the test's closure in each callback and writes down which.
struct Played(Config);

type Play = Box<dyn FnMut(&str, &mut dyn Host) -> Flow>;

thread_local! {
    static PLAY: RefCell<Option<Play>> = RefCell::default();
    static TOLD: RefCell<Vec<String>> = RefCell::default();
    static SUPPLIES: RefCell<Vec<Supply>> = RefCell::default();
}

fn told() -> Vec<String> {
    TOLD.take()
}

fn play(what: String, host: &mut dyn Host) -> Flow {
    TOLD.with_borrow_mut(|told| told.push(what.clone()));
    let mut play = PLAY.take();
    let flow = play.as_mut().map_or(Flow::Continue, |play| play(&what, host));
    PLAY.set(play);
    flow
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    name: String,
    prefix: Option<String>,
    /// Sources by name.
    #[serde(default)]
    secrets: BTreeMap<String, Option<String>>,
}

impl Filter for Played {
    const NAME: &'static str = "played";
    const COUNTERS: &'static [&'static str] = &["seen"];
    const HISTOGRAMS: &'static [&'static str] = &["size"];
    type Config = Config;
    type Stream = ();

    fn compile(config: Config) -> Result<Self, ConfigError> {
        Ok(Self(config))
    }
    fn stat_prefix(&self) -> Option<&str> {
        self.0.prefix.as_deref()
    }
    fn secrets(&self) -> Vec<SecretSource> {
        let sources = self.0.secrets.clone().into_iter();
        sources.map(|(name, config_source)| SecretSource { name, config_source }).collect()
    }
    fn on_headers(&self, (): &mut (), host: &mut dyn Host, message: Message, end: bool) -> Flow {
        play(format!("{}{message:?} headers {end}", self.0.name), host)
    }
    fn on_body(&self, (): &mut (), host: &mut dyn Host, message: Message) -> Flow {
        play(format!("{message:?} body"), host)
    }
    fn on_data(&self, (): &mut (), host: &mut dyn Host, message: Message, end: bool) -> Flow {
        play(format!("{message:?} data {end}"), host)
    }
    fn on_trailers(&self, (): &mut (), host: &mut dyn Host, message: Message) -> Flow {
        play(format!("{message:?} trailers"), host)
    }
    fn on_reply(
        &self,
        (): &mut (),
        host: &mut dyn Host,
        id: CalloutId,
        reply: Result<Reply<'_>, CalloutError>,
    ) -> Flow {
        let reply = reply.map(|reply| (reply.fields.len(), reply.body.concat()));
        play(format!("reply {} {reply:?}", id.0), host)
    }
    fn on_wake(&self, (): &mut (), host: &mut dyn Host) -> Flow {
        play("wake".to_owned(), host)
    }
    fn on_room(&self, (): &mut (), _: &mut dyn Host) -> Supply {
        TOLD.with_borrow_mut(|told| told.push("room".to_owned()));
        SUPPLIES
            .with_borrow_mut(|supplies| if supplies.is_empty() { Supply::Wait } else { supplies.remove(0) })
    }
    fn on_local_reply(&self, (): &mut (), host: &mut dyn Host, status: u16, details: &str) {
        play(format!("local reply {status} {details}"), host);
    }
    fn on_done(&self, (): &mut (), host: &mut dyn Host) {
        play("done".to_owned(), host);
    }
}

/// Another filter of the same module.
struct Other;

impl Filter for Other {
    const NAME: &'static str = "other";
    type Config = Config;
    type Stream = ();

    fn compile(_: Config) -> Result<Self, ConfigError> {
        Ok(Self)
    }
}

const EXPORTS: &[Export] = &[Export::of::<Played>(), Export::of::<Other>()];

fn lent(text: &str) -> EnvoyBuffer {
    EnvoyBuffer { ptr: text.as_ptr(), length: text.len() }
}

fn config(name: &str, json: &str) -> ModuleConfigPtr {
    // SAFETY: both texts outlive the call.
    unsafe { hooks::config_new(EXPORTS, std::ptr::null_mut(), lent(name), lent(json)) }
}

fn route(name: &str, json: &str) -> ModuleRoutePtr {
    // SAFETY: both texts outlive the call.
    unsafe { hooks::per_route_config_new(EXPORTS, lent(name), lent(json)) }
}

/// One stream, called as Envoy does.
#[derive(Clone, Copy)]
struct Stream {
    config: ModuleConfigPtr,
    stream: ModuleStreamPtr,
}

/// A stream of a filter that does what `play` does.
fn stream(play: impl FnMut(&str, &mut dyn Host) -> Flow + 'static) -> Stream {
    stream_of("{}", play)
}

/// The same, of a filter with this configuration.
fn stream_of(config: &str, play: impl FnMut(&str, &mut dyn Host) -> Flow + 'static) -> Stream {
    reset();
    told();
    PLAY.set(Some(Box::new(play)));
    opened(config)
}

fn opened(json: &str) -> Stream {
    let config = config("played", json);
    // SAFETY: the configuration is alive.
    Stream { config, stream: unsafe { hooks::new(config, FILTER) } }
}

impl Stream {
    fn headers(self, message: Message, end: bool) -> HeadersStatus {
        // SAFETY: the stream is alive.
        unsafe {
            match message {
                Message::Request => hooks::request_headers(FILTER, self.stream, end),
                Message::Response => hooks::response_headers(FILTER, self.stream, end),
            }
        }
    }
    fn data(self, message: Message, end: bool) -> DataStatus {
        // SAFETY: the stream is alive.
        unsafe {
            match message {
                Message::Request => hooks::request_body(FILTER, self.stream, end),
                Message::Response => hooks::response_body(FILTER, self.stream, end),
            }
        }
    }
    fn trailers(self, message: Message) -> TrailersStatus {
        // SAFETY: the stream is alive.
        unsafe {
            match message {
                Message::Request => hooks::request_trailers(FILTER, self.stream),
                Message::Response => hooks::response_trailers(FILTER, self.stream),
            }
        }
    }
    fn reply(self, result: CalloutResult) {
        let (lines, body) = ([HttpHeader::new(":status", b"200")], [lent("a"), lent("b")]);
        // SAFETY: the stream is alive; lines and chunks outlive the call.
        unsafe {
            hooks::http_callout_done(FILTER, self.stream, 7, result, lines.as_ptr(), 1, body.as_ptr(), 2);
        }
    }
    fn scheduled(self) {
        // SAFETY: the stream is alive.
        unsafe { hooks::scheduled(FILTER, self.stream, 0) };
    }
    fn full(self) {
        // SAFETY: the stream is alive.
        unsafe { hooks::downstream_above_write_buffer_high_watermark(FILTER, self.stream) };
    }
    fn room(self) {
        // SAFETY: the stream is alive.
        unsafe { hooks::downstream_below_write_buffer_low_watermark(FILTER, self.stream) };
    }
    fn local_reply(self) {
        // SAFETY: the stream is alive; the details outlive the call.
        unsafe { hooks::local_reply(FILTER, self.stream, 503, lent("why"), false) };
    }
    fn destroy(self) {
        // SAFETY: the stream is alive, and used no more.
        unsafe { hooks::destroy(self.stream) };
    }
    fn end(self) {
        // SAFETY: both are alive, and used no more.
        unsafe {
            hooks::stream_complete(FILTER, self.stream);
            hooks::destroy(self.stream);
            hooks::config_destroy(self.config);
        }
    }
}

const REQUEST: Message = Message::Request;
const RESPONSE: Message = Message::Response;

fn asked() -> Vec<String> {
    fake(|fake| std::mem::take(&mut fake.asked))
}

fn set_body(body: BodyType, bytes: &str) {
    fake(|fake| fake.bodies[body as usize] = Some(bytes.as_bytes().to_vec()));
}

fn body(body: BodyType) -> Option<String> {
    fake(|fake| fake.bodies[body as usize].clone().map(|bytes| String::from_utf8(bytes).unwrap()))
}

fn arrive(section: HeaderType, lines: &[(&str, &str)]) {
    let lines = lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    fake(|fake| fake.sections.insert(section as u32, lines));
}

fn callout() -> Callout {
    let fields = vec![(":method".to_owned(), b"GET".to_vec())];
    Callout { cluster: "auth".to_owned(), fields, body: b"ask".to_vec(), timeout: Duration::from_micros(1) }
}
