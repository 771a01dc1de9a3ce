//! `ferrule run` as a newcomer runs it, on a copy of the quick start's folder with free ports.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use e2e::free_port;
use serde_json::Value;
use tempfile::TempDir;

/// More than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// Builds the controller and the native module, once, and says where they are.
fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| build(&["ferrule-controller", "ferrule-native"]))
}

/// Builds packages as this test was built, and says where their artefacts are.
fn build(packages: &[&str]) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap().to_owned();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--target-dir"]).arg(profile.parent().unwrap());
    for package in packages {
        build.args(["--package", package]);
    }
    if profile.ends_with("release") {
        build.arg("--release");
    }
    // What cargo tells of this test's package would have build scripts run anew, here and then in the next build outside.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|of| name.to_string_lossy().starts_with(of)) {
            build.env_remove(name);
        }
    }
    assert!(build.status().unwrap().success(), "{packages:?} do not build");
    profile
}

/// The wasm modules, where they have been built.
pub(crate) fn wasm() -> Option<PathBuf> {
    let folder = built().parent()?.join("wasm");
    folder.join("transformation.wasm").is_file().then_some(folder)
}

pub(crate) fn ferrule() -> Command {
    Command::new(built().join("ferrule"))
}

/// A running controller, its Envoy and its upstream.
pub(crate) struct Controller {
    process: Child,
    pub(crate) home: TempDir,
    /// Where the gateway listens.
    pub(crate) gateway: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Controller {
    /// Starts it with these further arguments, and waits until the gateway serves.
    pub(crate) fn serving(arguments: &[&str]) -> Self {
        let controller = Self::start(arguments);
        controller.wait_for_line("try: curl");
        controller
    }

    /// Starts it with objects beside the quick start's, and waits until the gateway serves.
    pub(crate) fn beside(objects: &str) -> Self {
        let controller = Self::with(&[], |folder| fs::write(folder.join("extra.yaml"), objects).unwrap());
        controller.wait_for_line("try: curl");
        controller
    }

    /// Starts it, and waits until it can be asked.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::with(arguments, |_| {})
    }

    /// Starts it on a folder that is prepared first, and waits until it can be asked.
    pub(crate) fn with(arguments: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        Self::surrounded(&[], arguments, prepare)
    }

    /// Starts it with more in its environment.
    pub(crate) fn surrounded(
        environment: &[(&str, &str)],
        arguments: &[&str],
        prepare: impl FnOnce(&Path),
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (listener, upstream) = (free_port(), free_port());
        copy_quickstart(&home.path().join("config"), listener, upstream);
        prepare(&home.path().join("config"));
        let mut command = ferrule();
        command.args(["run", "--concurrency", "1", "--demo-upstream", &upstream.to_string()]);
        command.arg("-f").arg(home.path().join("config"));
        command.arg("--admin").arg(admin(home.path()));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.envs(environment.iter().copied());
        let mut process = command.spawn().unwrap();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (stderr, sink) = (process.stderr.take().unwrap(), lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        let controller = Self { process, home, gateway: ([127, 0, 0, 1], listener).into(), lines };
        controller.wait_for_line("admin interface on");
        controller
    }

    pub(crate) fn config(&self, name: &str) -> PathBuf {
        self.home.path().join("config").join(name)
    }

    /// Rewrites a file as editors do: a new one takes the place of the old one.
    pub(crate) fn edit(&self, name: &str, edit: impl FnOnce(String) -> String) {
        let path = self.config(name);
        let before = fs::read_to_string(&path).unwrap();
        let after = edit(before.clone());
        assert_ne!(before, after, "the edit changes nothing");
        let draft = path.with_extension("draft");
        fs::write(&draft, after).unwrap();
        fs::rename(draft, path).unwrap();
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    pub(crate) fn wait_for_line(&self, part: &str) -> String {
        let found = || self.lines.lock().unwrap().iter().find(|line| line.contains(part)).cloned();
        self.wait_until(&format!("a line with {part:?}"), found)
    }

    /// Waits until `found` yields.
    pub(crate) fn wait_until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(Instant::now() < until, "no {what} in time; ferrule said:\n{}", self.said());
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until `ferrule get` shows a condition of an object that starts with `head` and contains `part`.
    pub(crate) fn wait_for_condition(&self, kind: &str, name: &str, head: &str, part: &str) {
        let shown = || {
            self.conditions(kind, name).into_iter().find(|one| one.starts_with(head) && one.contains(part))
        };
        self.wait_until(&format!("{kind} {name} with {head} ... {part}"), shown);
    }

    /// The conditions of an object that `ferrule get -o json` shows, as `Type=Status Reason: message`.
    pub(crate) fn conditions(&self, kind: &str, name: &str) -> Vec<String> {
        let shown = self.get(&[kind, name, "-o", "json"]);
        let objects: Value = serde_json::from_slice(&shown.stdout).unwrap_or_default();
        let mut all = Vec::new();
        collect(&objects, &mut all);
        all
    }

    /// What `ferrule get` gives.
    pub(crate) fn get(&self, arguments: &[&str]) -> Output {
        self.ask("get", arguments)
    }

    /// What `ferrule cache` gives.
    pub(crate) fn cache(&self, arguments: &[&str]) -> Output {
        self.ask("cache", arguments)
    }

    fn ask(&self, command: &str, arguments: &[&str]) -> Output {
        ferrule().arg(command).args(arguments).arg("--admin").arg(admin(self.home.path())).output().unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Process ids of its Envoys.
    pub(crate) fn envoys(&self) -> Vec<u32> {
        let children = format!("/proc/{0}/task", self.process.id());
        let tasks = fs::read_dir(children).into_iter().flatten().flatten();
        let of_task =
            |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
        let ids = tasks.map(of_task).collect::<String>();
        ids.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end_by(&mut self, signal: &str) -> ExitStatus {
        kill(self.process.id(), signal);
        self.ended()
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "ferrule does not end; it said:\n{}", self.said());
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            kill(self.process.id(), "TERM");
            let _ = self.process.wait();
        }
    }
}

/// Whether a process is gone, or is but waiting for whoever inherited it to take note.
pub(crate) fn has_ended(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, state)| state.starts_with(" Z"))
}

pub(crate) fn kill(process: u32, signal: &str) {
    let killed = Command::new("kill").args(["-s", signal, &process.to_string()]).status().unwrap();
    assert!(killed.success(), "no process {process}");
}

fn admin(home: &Path) -> String {
    format!("unix:{}", home.join("admin.sock").display())
}

fn copy_quickstart(to: &Path, listener: u16, upstream: u16) {
    fs::create_dir(to).unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart");
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        let text = text.replace("8080", &listener.to_string()).replace("9000", &upstream.to_string());
        fs::write(to.join(file.file_name()), text).unwrap();
    }
}

fn collect(value: &Value, all: &mut Vec<String>) {
    let text = |condition: &Value, name: &str| condition[name].as_str().unwrap_or_default().to_owned();
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, all)),
        Value::Object(fields) => {
            for condition in value["conditions"].as_array().into_iter().flatten() {
                let [kind, status, reason, message] =
                    ["type", "status", "reason", "message"].map(|name| text(condition, name));
                all.push(format!("{kind}={status} {reason}: {message}"));
            }
            fields
                .iter()
                .filter(|(name, _)| *name != "conditions")
                .for_each(|(_, value)| collect(value, all));
        }
        _ => {}
    }
}

/// A native module that lacks the filter.
pub(crate) fn probe_module() -> PathBuf {
    build(&["ferrule-probe"]).join("libferrule_probe.so")
}
