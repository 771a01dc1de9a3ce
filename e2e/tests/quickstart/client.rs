//! A client of the gateway: single requests, and load that forgives nothing.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The request that the quick start is about.
pub(crate) const GREETING: &str = r#"{"user": {"name": "Ann \"A\" Lee"}, "items": [1, 2, 3]}"#;

/// Greets the gateway once, on a connection of its own.
pub(crate) fn greet(at: SocketAddr) -> Result<Answer, String> {
    Connection::open(at)?.greet()
}

/// Greets once; does something when only half of the request is sent.
pub(crate) fn greet_slowly(at: SocketAddr, meanwhile: impl FnOnce()) -> Result<Answer, String> {
    let mut connection = Connection::open(at)?;
    let (first, second) = GREETING.split_at(GREETING.len() / 2);
    connection.send("POST", "/greet", GREETING.len(), first)?;
    meanwhile();
    connection.stream.get_mut().write_all(second.as_bytes()).map_err(|error| format!("sending: {error}"))?;
    connection.answer().map_err(|error| format!("receiving: {error}"))
}

/// Gets `/` of a host once.
#[allow(dead_code, reason = "not of every test")]
pub(crate) fn get_host(at: SocketAddr, host: &'static str) -> Result<Answer, String> {
    let mut connection = Connection::open(at)?;
    connection.host = host;
    connection.ask("GET", "/", "")
}

/// Gets a path once.
pub(crate) fn get(at: SocketAddr, path: &str) -> Result<Answer, String> {
    Connection::open(at)?.ask("GET", path, "")
}

/// Posts a body once.
#[allow(dead_code, reason = "not of every test")]
pub(crate) fn post(at: SocketAddr, path: &str, body: &str) -> Result<Answer, String> {
    Connection::open(at)?.ask("POST", path, body)
}

/// A keep-alive connection.
struct Connection {
    stream: BufReader<TcpStream>,
    /// The host that requests are for.
    host: &'static str,
}

impl Connection {
    fn open(at: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(at).map_err(|error| format!("connecting: {error}"))?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Ok(Self { stream: BufReader::new(stream), host: "localhost" })
    }

    fn greet(&mut self) -> Result<Answer, String> {
        self.ask("POST", "/greet", GREETING)
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Answer, String> {
        self.send(method, path, body.len(), body)?;
        self.answer().map_err(|error| format!("receiving: {error}"))
    }

    /// Sends a request of this length with the start of its body.
    fn send(&mut self, method: &str, path: &str, length: usize, body: &str) -> Result<(), String> {
        let host = self.host;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nx-user: ann\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).map_err(|error| format!("sending: {error}"))
    }

    fn answer(&mut self) -> std::io::Result<Answer> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.insert(name.to_owned(), value.to_owned());
        }
        let mut body = Vec::new();
        if headers.get("transfer-encoding").is_some_and(|encoding| encoding == "chunked") {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).unwrap();
                let start = body.len();
                body.resize(start + size, 0);
                self.stream.read_exact(&mut body[start..])?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            body.resize(headers.get("content-length").map_or(0, |length| length.parse().unwrap()), 0);
            self.stream.read_exact(&mut body)?;
        }
        Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
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
        Self::start(at, outcome, Connection::greet)
    }

    /// Gets a path.
    pub(crate) fn on_path(at: SocketAddr, path: &'static str, outcome: fn(&Answer) -> String) -> Self {
        Self::start(at, outcome, move |connection| connection.ask("GET", path, ""))
    }

    /// Gets `/` of a host.
    #[allow(dead_code, reason = "not of every test")]
    pub(crate) fn on_host(at: SocketAddr, host: &'static str, outcome: fn(&Answer) -> String) -> Self {
        Self::start(at, outcome, move |connection| {
            connection.host = host;
            connection.ask("GET", "/", "")
        })
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
