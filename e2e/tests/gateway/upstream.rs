//! Upstreams that tell what they saw, in plain text or by TLS.
//!
//! A query of `fail=STATUS&times=N&id=ID` makes the first N requests with that id fail; `delay=MS` makes an answer late.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// A running upstream.
pub(crate) struct Upstream {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Upstream {
    /// Starts one of that name.
    pub(crate) fn plain(name: &str) -> Self {
        Self::start(name, None)
    }

    /// Starts one that speaks TLS.
    pub(crate) fn tls(name: &str, config: Arc<ServerConfig>) -> Self {
        Self::start(name, Some(config))
    }

    fn start(name: &str, config: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
        let echo = Echo { name: name.to_owned(), seen: Arc::clone(&seen), failures: Arc::default() };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (echo, config) = (echo.clone(), config.clone());
                std::thread::spawn(move || match config {
                    None => drop(echo.serve(stream, &Value::Null)),
                    Some(config) => {
                        let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                        while tls.conn.is_handshaking() {
                            if tls.conn.complete_io(&mut tls.sock).is_err() {
                                return;
                            }
                        }
                        let shown = tls.conn.peer_certificates().map_or(0, <[_]>::len);
                        let about = json!({"sni": tls.conn.server_name(), "certificates": shown});
                        let _ = echo.serve(tls, &about);
                    }
                });
            }
        });
        Self { port, seen }
    }

    /// Everything that it has seen on this path.
    pub(crate) fn seen(&self, path: &str) -> Vec<Value> {
        self.seen.lock().unwrap().iter().filter(|saw| saw["path"] == path).cloned().collect()
    }

    /// A Service with this upstream behind it.
    pub(crate) fn service(&self, name: &str) -> String {
        service(name, "", &[self.port])
    }
}

/// A Service whose endpoints are ports of this machine. `extra` is more of its port's fields.
pub(crate) fn service(name: &str, extra: &str, ports: &[u16]) -> String {
    let mut text = format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec: {{ports: [{{name: web, port: 80{extra}}}]}}\n"
    );
    for port in ports {
        text.push_str(&format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: {name}-{port}, labels: {{kubernetes.io/service-name: {name}}}}}\n\
             addressType: IPv4\nports: [{{name: web, port: {port}}}]\n\
             endpoints: [{{addresses: [127.0.0.1], conditions: {{ready: true}}}}]\n"
        ));
    }
    text
}

#[derive(Clone)]
struct Echo {
    name: String,
    seen: Arc<Mutex<Vec<Value>>>,
    /// By id, how often it has failed.
    failures: Arc<Mutex<HashMap<String, u32>>>,
}

impl Echo {
    /// Answers once. Each request comes on a connection of its own, so that each shows what connections are made like now.
    fn serve(&self, stream: impl Read + Write, about: &Value) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let (saw, query) = self.read(&head, about);
        self.seen.lock().unwrap().push(saw.clone());
        let argument = |name: &str| query.get(name).and_then(|value| value.parse::<u64>().ok());
        std::thread::sleep(Duration::from_millis(argument("delay").unwrap_or(0)));
        let status = match argument("fail") {
            Some(status) if self.fails(&query) => status,
            _ => 200,
        };
        let body = saw.to_string();
        let head = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {}", body.len());
        stream.get_mut().write_all(format!("{head}\r\n\r\n{body}").as_bytes())?;
        stream.get_mut().flush()
    }

    fn read(&self, head: &str, about: &Value) -> (Value, HashMap<String, String>) {
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: HashMap<&str, &str> = lines.filter_map(|line| line.split_once(": ")).collect();
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let saw =
            json!({"name": self.name, "method": method, "path": path, "headers": headers, "tls": about});
        (saw, query)
    }

    fn fails(&self, query: &HashMap<String, String>) -> bool {
        let mut failures = self.failures.lock().unwrap();
        let failed = failures.entry(query["id"].clone()).or_default();
        *failed += 1;
        *failed <= query["times"].parse().unwrap()
    }
}
