//! A client that asks until it sees what it waits for, and one that must never see anything but success.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two requests of one who waits.
const PAUSE: Duration = Duration::from_micros(500);
const PATIENCE: Duration = Duration::from_secs(120);

/// A kept connection.
pub(crate) struct Client {
    at: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(crate) fn new(at: SocketAddr) -> Self {
        Self { at, stream: None }
    }

    /// Asks `host` until the head of an answer contains `expected`; says how long that took.
    ///
    /// # Errors
    /// It never does.
    pub(crate) fn wait(&mut self, host: &str, expected: &str) -> Result<Duration> {
        let begun = Instant::now();
        loop {
            let head = self.ask(host);
            if head.as_ref().is_ok_and(|head| head.contains(expected)) {
                return Ok(begun.elapsed());
            }
            if begun.elapsed() > PATIENCE {
                bail!("{host} does not give {expected:?}: {head:?}");
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The head of one answer.
    ///
    /// # Errors
    /// The connection fails; the next request takes another.
    pub(crate) fn ask(&mut self, host: &str) -> std::io::Result<String> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => BufReader::new(TcpStream::connect(self.at)?),
        };
        stream.get_mut().set_nodelay(true)?;
        stream.get_mut().write_all(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        // What has a body is Envoy's word on a failure.
        if head.contains("content-length: 0\r\n") {
            self.stream = Some(stream);
        }
        Ok(head)
    }
}

/// Asks for hosts, one after the other, and counts failures.
pub(crate) struct Background {
    stop: Arc<AtomicBool>,
    errors: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Background {
    /// A request each 2 ms to the first `hosts` hosts.
    pub(crate) fn start(at: SocketAddr, hosts: usize) -> Self {
        let (stop, errors) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (stopped, failed) = (stop.clone(), errors.clone());
        let thread = std::thread::spawn(move || {
            let mut client = Client::new(at);
            for number in (0..hosts).cycle().step_by(7) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let good = |head: String| head.starts_with("HTTP/1.1 200");
                if !client.ask(&crate::objects::name(number)).is_ok_and(good) {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { stop, errors, thread }
    }

    /// How many requests failed.
    pub(crate) fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        // A panic there would show as its message.
        let _ = self.thread.join();
        self.errors.load(Ordering::Relaxed)
    }
}
