//! A real Envoy with the probe in it, upstreams that do what their path says, and a plain HTTP/1.1 client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use e2e::free_port;
use envoy_bootstrap::{Admin, Envoy, Launch, fetch};
use serde_json::{Value, json};

/// More than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Builds the module under test, once, and says where it is.
pub(crate) fn modules() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let binary = std::env::current_exe().unwrap();
        let profile = binary.parent().and_then(Path::parent).unwrap().to_owned();
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "ferrule-probe", "--target-dir"]);
        build.arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the module under test does not build");
        profile
    })
}

/// An upstream that answers everything with 200, but never answers what asks for `/silent`.
pub(crate) fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(&stream));
        }
    });
    port
}

fn serve(stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (line, length) = head(&mut reader)?;
        reader.read_exact(&mut vec![0; length]).ok()?;
        if line.contains("/silent") {
            thread::sleep(PATIENCE);
        }
        let mut writer = stream;
        writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").ok()?;
    }
}

/// First line and content-length of a message.
fn head(reader: &mut impl BufRead) -> Option<(String, usize)> {
    let (mut first, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Some((first?, length));
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        first.get_or_insert_with(|| line.to_owned());
    }
}

/// The probe as an HTTP filter with this configuration.
pub(crate) fn probe(config: &Value) -> Value {
    module("probe", config)
}

/// A filter of the module under test by its name.
pub(crate) fn module(name: &str, config: &Value) -> Value {
    json!({
        "name": "probe",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            "dynamic_module_config": {"name": "ferrule_probe"},
            "filter_name": name,
            "filter_config": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": config},
        },
    })
}

/// A route's own configuration of the probe.
pub(crate) fn per_route(name: &str, config: &Value) -> Value {
    json!({"probe": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilterPerRoute",
        "dynamic_module_config": {"name": "ferrule_probe"},
        "filter_name": name,
        "filter_config": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": config},
    }})
}

/// A route for a prefix to the upstream.
pub(crate) fn to_upstream(prefix: &str, per_route: &Value) -> Value {
    json!({
        "match": {"prefix": prefix},
        "route": {"cluster": "upstream"},
        "typed_per_filter_config": per_route,
    })
}

/// A listener with one filter before the router.
pub(crate) fn listener(port: u16, filter: &Value, routes: &[Value]) -> Value {
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "test",
        // Else a client learns of a reset on HTTP/1 a second late.
        "delayed_close_timeout": "0s",
        "http_filters": [filter, {"name": "router", "typed_config":
            {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    });
    json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "test",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    })
}

/// The connection manager of a listener.
pub(crate) fn listener_manager(listener: &mut Value) -> &mut Value {
    &mut listener["filter_chains"][0]["filters"][0]["typed_config"]
}

/// A cluster of one host.
pub(crate) fn cluster(name: &str, port: u16) -> Value {
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
    })
}

/// A bootstrap whose one listener stands in `listeners`, a file as of [`write_listener`].
pub(crate) fn bootstrap(listeners: &Path) -> String {
    let upstream = upstream();
    json!({
        "node": {"id": "test", "cluster": "test"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "dynamic_resources": {"lds_config": {"path_config_source": {"path": listeners}}},
        "static_resources": {"clusters": [cluster("upstream", upstream), cluster("callout", upstream)]},
    })
    .to_string()
}

/// Puts a listener in the place of the one in the file, at once as Envoy's watch wants it.
pub(crate) fn write_listener(file: &Path, listener: &Value) {
    let next = file.with_extension("next");
    std::fs::write(&next, json!({"resources": [listener]}).to_string()).unwrap();
    std::fs::rename(&next, file).unwrap();
}

/// A running Envoy.
pub(crate) struct Rig {
    pub(crate) envoy: Envoy,
    pub(crate) admin: Admin,
    pub(crate) port: u16,
    files: tempfile::TempDir,
}

impl Rig {
    /// An Envoy with the probe, and these routes.
    pub(crate) fn new(filter: &Value, routes: &[Value]) -> Self {
        Self::with_drain_time(PATIENCE, filter, routes)
    }

    /// The same, where replaced listeners end after `drain_time`, whole seconds.
    pub(crate) fn with_drain_time(drain_time: Duration, filter: &Value, routes: &[Value]) -> Self {
        Self::edited(drain_time, filter, routes, |_, _| {})
    }

    /// The same, with changes to the bootstrap and to the listener.
    pub(crate) fn edited(
        drain_time: Duration,
        filter: &Value,
        routes: &[Value],
        edit: impl FnOnce(&mut Value, &mut Value),
    ) -> Self {
        let (files, port) = (tempfile::tempdir().unwrap(), free_port());
        let file = files.path().join("listeners.json");
        let mut bootstrap = serde_json::from_str(&bootstrap(&file)).unwrap();
        let mut listener = listener(port, filter, routes);
        edit(&mut bootstrap, &mut listener);
        write_listener(&file, &listener);
        let mut launch = Launch::new(fetch().unwrap(), bootstrap.to_string());
        launch.modules = Some(modules().to_owned());
        launch.concurrency = Some(2);
        launch.drain_time = drain_time;
        let envoy = launch.spawn().unwrap();
        let admin = envoy.wait_until_ready(PATIENCE).unwrap();
        Self { envoy, admin, port, files }
    }

    /// Puts another listener in the place of the one there is.
    pub(crate) fn update(&self, filter: &Value, routes: &[Value]) {
        write_listener(&self.files.path().join("listeners.json"), &listener(self.port, filter, routes));
    }

    /// The value of a statistic; 0 where Envoy has none of that name.
    pub(crate) fn stat(&self, name: &str) -> u64 {
        let stats = self.admin.get(&format!("/stats?filter=^{}$", name.replace('.', "\\."))).unwrap().body;
        stats.trim().rsplit(": ").next().and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// A counter of the probe.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        self.stat(&format!("dynamicmodulescustom.probe.{name}"))
    }

    /// Waits until a statistic has a value.
    pub(crate) fn wait_for_stat(&self, name: &str, value: u64) {
        let until = Instant::now() + PATIENCE;
        while self.stat(name) != value {
            assert!(Instant::now() < until, "{name} is {}, not {value}", self.stat(name));
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a line of the log has all these words; what Envoy counts may show before what it logs.
    pub(crate) fn wait_for_log(&self, words: &[&str]) {
        let log = self.envoy.log();
        let found = log.wait(0, PATIENCE, |line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no line with {words:?}:\n{}", log.since(0).join("\n"));
    }

    pub(crate) fn client(&self) -> Client {
        Client::to(self.port)
    }
}

/// A client that keeps its connection while the server does.
pub(crate) struct Client {
    port: u16,
    stream: Option<BufReader<TcpStream>>,
}

/// What came back: head in lower case, and body.
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&prefix))
    }
}

impl Client {
    /// One of whoever listens on that port.
    pub(crate) fn to(port: u16) -> Self {
        Self { port, stream: None }
    }

    /// Sends a request; `None` where the connection ends before there is an answer.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> Option<Answer> {
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let mut reader = self.stream.take().or_else(|| self.connect())?;
        reader.get_mut().write_all(request.as_bytes()).ok()?;
        let answer = read_answer(&mut reader)?;
        if !answer.head.contains("connection: close") {
            self.stream = Some(reader);
        }
        Some(answer)
    }

    /// Sends the beginning of a request and leaves the connection to the caller.
    pub(crate) fn begin(&self, request: &str) -> TcpStream {
        let mut stream = self.connect().unwrap().into_inner();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn connect(&self) -> Option<BufReader<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Some(BufReader::new(stream))
    }
}

fn read_answer(reader: &mut impl BufRead) -> Option<Answer> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    let mut answer = Answer { head, body: String::new() };
    let length = answer.field("content-length").map_or(0, |value| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    answer.body = String::from_utf8(body).unwrap();
    Some(answer)
}
