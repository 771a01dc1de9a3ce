//! A Redis or Valkey server of a test's own, as the machine has it or Debian packages it.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// More than a server takes to begin on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Names of the server's program.
const SERVERS: [&str; 2] = ["redis-server", "valkey-server"];

/// A running server, which ends with this.
#[derive(Debug)]
pub struct Redis {
    process: Child,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    options: Vec<String>,
}

impl Redis {
    /// Starts one that is empty and writes nothing to disk, with further options of its command line.
    ///
    /// # Panics
    /// Where it cannot be installed or does not begin.
    pub fn start(options: &[&str]) -> Self {
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        let until = Instant::now() + PATIENCE;
        loop {
            let port = free_port();
            let mut server = Self { process: spawn(port, &options), port, options: options.clone() };
            // Someone else may have taken the port.
            if server.wait() {
                return server;
            }
            assert!(Instant::now() < until, "no Redis begins");
        }
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it, and with it all that it keeps.
    pub fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again, empty.
    ///
    /// # Panics
    /// Where it does not begin.
    pub fn restart(&mut self) {
        self.end();
        self.process = spawn(self.port, &self.options);
        assert!(self.wait(), "Redis does not begin again");
    }

    /// Has it stand still, while its connections stay.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    /// Has it go on.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// What `redis-cli` says to a command.
    ///
    /// # Panics
    /// Where it says nothing.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        let output = command.args(["-p", &self.port.to_string(), "--raw"]).args(arguments).output();
        match output {
            Ok(output) => String::from_utf8_lossy(&output.stdout).trim_end().to_owned(),
            Err(error) => panic!("redis-cli: {error}"),
        }
    }

    /// Names of its keys that match a pattern.
    pub fn keys(&self, pattern: &str) -> Vec<String> {
        self.cli(&["KEYS", pattern]).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    fn wait(&mut self) -> bool {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && matches!(self.process.try_wait(), Ok(None)) {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.cli(&["PING"]) == "PONG" {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.end();
        false
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
    }
}

fn free_port() -> u16 {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    port.map_or(0, |address| address.port())
}

fn spawn(port: u16, options: &[String]) -> Child {
    let mut command = Command::new(installed());
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    match command.args(options).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        Ok(process) => process,
        Err(error) => panic!("{}: {error}", installed()),
    }
}

/// The server's program, installed if it is missing.
fn installed() -> &'static str {
    static PROGRAM: OnceLock<&'static str> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let found = || SERVERS.into_iter().find(|server| runs(server));
        found().unwrap_or_else(|| {
            let _ = Command::new("apt-get").args(["update", "-qq"]).status();
            let mut install = Command::new("apt-get");
            install
                .args(["install", "--yes", "-qq", "redis-server"])
                .env("DEBIAN_FRONTEND", "noninteractive");
            let _ = install.stdout(Stdio::null()).status();
            found().unwrap_or_else(|| panic!("neither of {SERVERS:?} is there or can be installed"))
        })
    })
}

fn runs(server: &str) -> bool {
    let version = Command::new(server).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}
