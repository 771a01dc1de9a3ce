//! One file, one case: the configuration of a filter and the exchanges that show what it does.
//!
//! Strict: an unknown key, a value of another kind or an expectation of nothing is an error that names file, line and
//! column.

mod body;
pub(crate) mod clock;
mod expect;
mod message;
mod octets;
mod route;
#[cfg(feature = "sigv4")]
mod signature;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

pub use body::{Body, BodyMatch};
pub use expect::{
    CalloutExpect, ClientExpect, Expect, LineExpect, LinesExpect, RequestExpect, ResponseExpect,
    UpstreamExpect,
};
pub use message::{Abort, Answer, Protocol, Request, ResetPoint};
pub(crate) use octets::shown;
pub use octets::{Lines, Octets};
use route::RouteForm;
pub use route::{Route, RouteMatch};
#[cfg(feature = "sigv4")]
pub use signature::SignatureExpect;
use written::present;

/// Where a filter runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Host {
    /// In the test's own process.
    Memory,
    /// In Envoy, as a dynamic module.
    Native,
    /// In Envoy, as a proxy-wasm module.
    Wasm,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file's name without its extension.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// One sentence that says what is so.
    pub about: String,
    /// The hosts it runs on, if not on all, and why.
    pub only: Option<(BTreeSet<Host>, String)>,
    /// Whether no other case may run meanwhile, nor share the filter's virtual machine.
    pub alone: bool,
    /// The routes, in order of precedence.
    pub routes: Vec<Route>,
    /// Bytes that the proxy buffers of one message.
    pub buffer_limit: Option<u32>,
    /// The version of HTTP that the upstream speaks.
    pub upstream_protocol: Protocol,
    /// Environment variables of the proxy.
    pub environment: BTreeMap<String, String>,
    /// Secrets that the filter can read, by name.
    pub secrets: BTreeMap<String, String>,
    /// What happens.
    pub script: Script,
}

/// What a case does with its configuration.
#[derive(Clone, Debug)]
pub enum Script {
    /// It must be refused, with this text in the message.
    Refused(String),
    /// It is put to use in these exchanges, one after the other.
    Exchanges(Vec<Exchange>),
}

/// A request, what peers answer, and what must be seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Seconds to wait before it.
    #[serde(default)]
    pub after_seconds: u64,
    /// What the client sends.
    pub request: Request,
    /// What the upstream answers.
    #[serde(default)]
    pub upstream: Answer,
    /// What callout clusters answer; each cluster's own entries in order.
    #[serde(default)]
    pub callouts: Vec<CalloutAnswer>,
    /// What must be seen.
    pub expect: Expect,
}

/// What a callout cluster answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalloutAnswer {
    /// Name of the cluster, as the filter's configuration has it.
    pub cluster: String,
    /// The answer.
    #[serde(default)]
    pub answer: Answer,
}

/// Why a case is no case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The file cannot be read.
    #[error("{}: {source}", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what a case is.
    #[error("{}: {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where there is one.
        reason: String,
    },
    /// There is nothing to run.
    #[error("{} holds no *.yaml", .0.display())]
    NoCases(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseForm {
    about: String,
    only: Option<BTreeSet<Host>>,
    why: Option<String>,
    #[serde(default)]
    alone: bool,
    #[serde(default, deserialize_with = "present")]
    config: Option<Value>,
    routes: Option<Vec<RouteForm>>,
    buffer_limit: Option<u32>,
    #[serde(default)]
    upstream_protocol: Protocol,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    config_error: Option<String>,
    exchange: Option<Exchange>,
    exchanges: Option<Vec<Exchange>>,
}

impl Case {
    /// Reads the case in the file `path`.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn load(path: &Path) -> Result<Self, CaseError> {
        let unreadable = |source| CaseError::Unreadable { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(path, &text)
    }

    /// Reads all cases of a folder, in order of their names.
    ///
    /// # Errors
    /// Says which file is wrong, and where; a folder without cases is wrong too.
    pub fn load_dir(folder: &Path) -> Result<Vec<Self>, CaseError> {
        let unreadable = |source| CaseError::Unreadable { path: folder.to_owned(), source };
        let entries = std::fs::read_dir(folder).map_err(unreadable)?;
        let paths: Result<BTreeSet<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
        let is_case = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
        let cases = paths.map_err(unreadable)?.into_iter().filter(is_case).map(|path| Self::load(&path));
        let cases: Vec<Self> = cases.collect::<Result<_, _>>()?;
        if cases.is_empty() { Err(CaseError::NoCases(folder.to_owned())) } else { Ok(cases) }
    }

    /// Reads the case `text`, as if it stood in `path`.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn parse(path: &Path, text: &str) -> Result<Self, CaseError> {
        let malformed = |reason| CaseError::Malformed { path: path.to_owned(), reason };
        // YAML 1.1 reads a bare `n` as false.
        let options = serde_saphyr::options! { strict_booleans: true };
        let form: CaseForm = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| malformed(error.to_string()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        form.case(name, path).map_err(malformed)
    }

    /// Whether the case is to run on `host`.
    pub fn runs_on(&self, host: Host) -> bool {
        self.only.as_ref().is_none_or(|(hosts, _)| hosts.contains(&host))
    }

    /// The exchanges; none where the configuration is to be refused.
    pub fn exchanges(&self) -> &[Exchange] {
        match &self.script {
            Script::Refused(_) => &[],
            Script::Exchanges(exchanges) => exchanges,
        }
    }

    /// The text of the refusal, where the configuration is to be refused.
    pub fn refusal(&self) -> Option<&str> {
        match &self.script {
            Script::Refused(text) => Some(text),
            Script::Exchanges(_) => None,
        }
    }
}

impl CaseForm {
    fn case(self, name: String, path: &Path) -> Result<Case, String> {
        if self.about.trim().is_empty() {
            return Err("about: say in a sentence what the case shows".to_owned());
        }
        Ok(Case {
            name,
            path: path.to_owned(),
            only: only(self.only, self.why)?,
            alone: self.alone,
            routes: routes(self.config, self.routes)?,
            buffer_limit: self.buffer_limit,
            upstream_protocol: self.upstream_protocol,
            environment: self.environment,
            secrets: self.secrets,
            script: script(self.config_error, self.exchange, self.exchanges)?,
            about: self.about,
        })
    }
}

fn only(
    only: Option<BTreeSet<Host>>,
    why: Option<String>,
) -> Result<Option<(BTreeSet<Host>, String)>, String> {
    match (only, why) {
        (None, None) => Ok(None),
        (Some(hosts), _) if hosts.is_empty() => Err("only: name a host".to_owned()),
        (Some(hosts), Some(why)) if !why.trim().is_empty() => Ok(Some((hosts, why))),
        (Some(_), _) => Err("only: needs a `why:` that says what the other hosts cannot do".to_owned()),
        (None, Some(_)) => Err("why: goes with `only:`".to_owned()),
    }
}

fn routes(config: Option<Value>, routes: Option<Vec<RouteForm>>) -> Result<Vec<Route>, String> {
    match (config, routes) {
        (Some(config), None) => Ok(vec![Route::everything(config)]),
        (None, Some(routes)) if !routes.is_empty() => {
            routes.into_iter().enumerate().map(|(at, form)| form.route(at)).collect()
        }
        _ => Err("write either `config:` or `routes:`".to_owned()),
    }
}

fn script(
    refused: Option<String>,
    exchange: Option<Exchange>,
    exchanges: Option<Vec<Exchange>>,
) -> Result<Script, String> {
    let exchanges = match (refused, exchange, exchanges) {
        (Some(text), None, None) if !text.is_empty() => return Ok(Script::Refused(text)),
        (None, Some(exchange), None) => vec![exchange],
        (None, None, Some(exchanges)) if !exchanges.is_empty() => exchanges,
        _ => return Err("write one of `exchange:`, `exchanges:` and `config_error:`".to_owned()),
    };
    match exchanges.iter().position(|exchange| exchange.expect.is_empty()) {
        Some(at) => Err(format!("exchange {}: expect: expects nothing, so it could not fail", at + 1)),
        None => Ok(Script::Exchanges(exchanges)),
    }
}

#[cfg(test)]
mod tests;
