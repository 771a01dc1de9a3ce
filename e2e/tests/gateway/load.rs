//! The quick start's greeting, once or as load that forgives nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::client::{Answer, Connection, Fields};

/// The request that the quick start is about.
const GREETING: &str = r#"{"user": {"name": "Ann \"A\" Lee"}, "items": [1, 2, 3]}"#;
const WHO: Fields<'_> = &[("x-user", "ann"), ("content-type", "application/json")];

/// Greets the gateway once, on a connection of its own.
pub(crate) fn greet(at: SocketAddr) -> Result<Answer, String> {
    greet_on(&mut Connection::open(at)?)
}

fn greet_on(connection: &mut Connection) -> Result<Answer, String> {
    connection.exchange("POST", "/greet", WHO, GREETING)
}

/// Greets once; does something when only half of the request is sent.
pub(crate) fn greet_slowly(at: SocketAddr, meanwhile: impl FnOnce()) -> Result<Answer, String> {
    let mut connection = Connection::open(at)?;
    let (first, second) = GREETING.split_at(GREETING.len() / 2);
    connection.begin("POST", "/greet", WHO, GREETING.len())?;
    connection.push(first)?;
    meanwhile();
    connection.push(second)?;
    connection.answer()
}

/// Requests without a pause, on kept and on new connections.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    outcomes: Arc<Mutex<BTreeMap<String, u64>>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Greets; `outcome` names what counts of an answer.
    pub(crate) fn on(at: SocketAddr, outcome: fn(&Answer) -> String) -> Self {
        Self::start(at, outcome, greet_on)
    }

    /// Gets a path.
    pub(crate) fn on_path(at: SocketAddr, path: &'static str, outcome: fn(&Answer) -> String) -> Self {
        Self::start(at, outcome, move |connection| connection.exchange("GET", path, WHO, ""))
    }

    /// Gets `/` of a host.
    pub(crate) fn on_host(at: SocketAddr, host: &'static str, outcome: fn(&Answer) -> String) -> Self {
        Self::start(at, outcome, move |connection| connection.exchange("GET", "/", &[("host", host)], ""))
    }

    fn start(
        at: SocketAddr,
        outcome: fn(&Answer) -> String,
        ask: impl Fn(&mut Connection) -> Result<Answer, String> + Copy + Send + 'static,
    ) -> Self {
        let (stop, outcomes) = (Arc::<AtomicBool>::default(), Arc::<Mutex<BTreeMap<String, u64>>>::default());
        let client = |keep: bool| {
            let (stop, outcomes) = (stop.clone(), outcomes.clone());
            thread::spawn(move || {
                let mut kept = None;
                while !stop.load(Ordering::Relaxed) {
                    let mut connection = kept.take().map_or_else(|| Connection::open(at), Ok);
                    let answer = connection.as_mut().map_err(|error| error.clone()).and_then(ask);
                    let closing =
                        answer.as_ref().is_ok_and(|answer| answer.headers.contains_key("connection"));
                    kept = connection.ok().filter(|_| keep && answer.is_ok() && !closing);
                    *outcomes
                        .lock()
                        .unwrap()
                        .entry(answer.as_ref().map_or_else(Clone::clone, outcome))
                        .or_default() += 1;
                }
            })
        };
        let clients = vec![client(true), client(true), client(false)];
        Self { stop, outcomes, clients }
    }

    /// How often each outcome has been seen.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, u64> {
        self.outcomes.lock().unwrap().clone()
    }

    /// Ends it.
    pub(crate) fn stop(self) -> BTreeMap<String, u64> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        std::mem::take(&mut self.outcomes.lock().unwrap())
    }
}
