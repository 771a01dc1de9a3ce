//! How to start one Envoy: parameters -> command line, environment, files.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::Envoy;

/// Where Envoy looks for `lib<name>.so`.
const MODULES_VARIABLE: &str = "ENVOY_DYNAMIC_MODULES_SEARCH_PATH";

/// Whether Envoy may hand its sockets to a successor, which takes shared memory under an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HotRestart {
    /// No shared memory; any number of Envoys run side by side.
    #[default]
    Off,
    /// `--use-dynamic-base-id`.
    DynamicBaseId,
    /// `--base-id`.
    BaseId(u32),
}

/// Called with each line of Envoy's log.
pub(crate) type LineSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Parameters of an Envoy process. Start from [`Launch::new`] and set what differs.
#[derive(Clone)]
pub struct Launch {
    /// The Envoy binary, as of [`crate::fetch`].
    pub program: PathBuf,
    /// The bootstrap, YAML or JSON.
    pub bootstrap: String,
    /// Folder with `lib<name>.so` of dynamic modules.
    pub modules: Option<PathBuf>,
    /// Worker threads; `None` for one a CPU.
    pub concurrency: Option<u32>,
    /// How long a graceful drain takes at most; whole seconds count.
    pub drain_time: Duration,
    /// How long Envoy may take to end after SIGTERM before it is killed.
    pub grace: Duration,
    /// `--log-level`, such as `info`.
    pub log_level: String,
    /// `--component-log-level`, such as `wasm:debug,dynamic_modules:debug`.
    pub component_log_level: Option<String>,
    /// Hot restart.
    pub hot_restart: HotRestart,
    /// Further arguments.
    pub arguments: Vec<OsString>,
    /// Environment on top of this process's own.
    pub environment: Vec<(OsString, OsString)>,
    line_sink: Option<LineSink>,
}

/// Why there is no Envoy process.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The files that Envoy is started with cannot be written.
    #[error("writing Envoy's bootstrap: {0}")]
    Files(io::Error),
    /// The binary does not start.
    #[error("starting {}: {source}", .program.display())]
    Start {
        /// The binary.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `--mode validate` refused the bootstrap.
    #[error("Envoy refuses the configuration:\n{0}")]
    Invalid(String),
}

impl Launch {
    /// Starts `program` with `bootstrap`; other parameters as for production.
    pub fn new(program: impl Into<PathBuf>, bootstrap: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            bootstrap: bootstrap.into(),
            modules: None,
            concurrency: None,
            drain_time: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            log_level: "info".to_owned(),
            component_log_level: None,
            hot_restart: HotRestart::default(),
            arguments: Vec::new(),
            environment: Vec::new(),
            line_sink: None,
        }
    }

    /// Calls `sink` with each line of Envoy's log, on a thread of its own.
    #[must_use]
    pub fn on_line(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.line_sink = Some(Arc::new(sink));
        self
    }

    /// Starts Envoy and returns at once; see [`Envoy::wait_until_ready`].
    ///
    /// # Errors
    /// The process could not be started. A bootstrap that Envoy refuses shows as an early exit.
    pub fn spawn(&self) -> Result<Envoy, SpawnError> {
        let files = self.write_files().map_err(SpawnError::Files)?;
        let mut command = self.command(files.path());
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        Envoy::start(command, files, self)
    }

    /// Has Envoy check the bootstrap, and with it all that it holds, without serving.
    ///
    /// # Errors
    /// [`SpawnError::Invalid`] has Envoy's words.
    pub fn validate(&self) -> Result<(), SpawnError> {
        let files = self.write_files().map_err(SpawnError::Files)?;
        let output = self
            .command(files.path())
            .args(["--mode", "validate"])
            .output()
            .map_err(|source| self.start_error(source))?;
        if output.status.success() {
            return Ok(());
        }
        Err(SpawnError::Invalid(String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    pub(crate) fn start_error(&self, source: io::Error) -> SpawnError {
        SpawnError::Start { program: self.program.clone(), source }
    }

    pub(crate) fn line_sink(&self) -> Option<LineSink> {
        self.line_sink.clone()
    }

    fn write_files(&self) -> io::Result<tempfile::TempDir> {
        let files = tempfile::Builder::new().prefix("envoy-").tempdir()?;
        std::fs::write(self.bootstrap_path(files.path()), &self.bootstrap)?;
        Ok(files)
    }

    /// The suffix tells Envoy the format.
    fn bootstrap_path(&self, files: &Path) -> PathBuf {
        let json = self.bootstrap.trim_start().starts_with('{');
        files.join(if json { "bootstrap.json" } else { "bootstrap.yaml" })
    }

    fn command(&self, files: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config-path").arg(self.bootstrap_path(files));
        command.arg("--admin-address-path").arg(admin_address_path(files));
        command.args(["--log-level", &self.log_level]);
        command.args(["--drain-time-s", &self.drain_time.as_secs().to_string()]);
        if let Some(levels) = &self.component_log_level {
            command.args(["--component-log-level", levels]);
        }
        if let Some(workers) = self.concurrency {
            command.args(["--concurrency", &workers.to_string()]);
        }
        match self.hot_restart {
            HotRestart::Off => command.arg("--disable-hot-restart"),
            HotRestart::DynamicBaseId => command.arg("--use-dynamic-base-id"),
            HotRestart::BaseId(id) => command.args(["--base-id", &id.to_string()]),
        };
        if let Some(modules) = &self.modules {
            command.env(MODULES_VARIABLE, modules);
        }
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command
    }
}

/// Envoy writes here where its admin interface listens.
pub(crate) fn admin_address_path(files: &Path) -> PathBuf {
    files.join("admin-address")
}
