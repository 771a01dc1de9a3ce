//! The Envoy of a suite, with its upstreams: started once, asked by all cases.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use envoy_bootstrap::{Admin, Envoy, Launch};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::access_log::{AccessLog, Entry};
use super::placement::Site;
use super::upstream::Upstream;
use super::{Environment, Planned, Suite, config};
use crate::case::Protocol;

/// How long Envoy may take to start; it compiles the wasm modules meanwhile.
const STARTING: Duration = Duration::from_secs(120);

/// A running Envoy and everything around it.
pub(super) struct Running {
    pub(super) runtime: Runtime,
    pub(super) envoy: Envoy,
    pub(super) admin: Admin,
    /// By site.
    pub(super) upstreams: HashMap<String, Upstream>,
    /// By cluster.
    pub(super) callouts: BTreeMap<String, Upstream>,
    /// By site; a site that Envoy refused has none.
    pub(super) addresses: HashMap<String, SocketAddr>,
    /// By site.
    pub(super) refusals: HashMap<String, Refusal>,
    /// How long an exchange may take.
    pub(super) patience: Duration,
    access_log: Mutex<AccessLog>,
    _files: TempDir,
}

/// Why Envoy did not take a site in.
pub(super) struct Refusal {
    /// Envoy's words.
    details: String,
    /// What was logged meanwhile.
    log: Vec<String>,
}

impl Refusal {
    pub(super) fn says(&self, text: &str) -> bool {
        // A text of several lines is laid out differently by each host.
        let text = squeezed(text);
        squeezed(&self.details).contains(&text) || squeezed(&self.log.join("\n")).contains(&text)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.details)?;
        self.log.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

impl Running {
    /// Starts upstreams and Envoy for those cases of a suite that want this environment.
    ///
    /// # Errors
    /// What went wrong, and Envoy's log where it was Envoy.
    pub(super) fn start(suite: &Suite, environment: &Environment) -> Result<Self, String> {
        let wanted = suite.planned.iter().filter(|planned| planned.case.environment == *environment);
        let planned: Vec<&Planned> = wanted.collect();
        let files = TempDir::with_prefix("envoy-harness-").map_err(|error| error.to_string())?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let upstreams = runtime.block_on(start_upstreams(&planned)).map_err(|error| error.to_string())?;
        let callouts = runtime.block_on(start_callouts(&planned)).map_err(|error| error.to_string())?;
        let log_path = files.path().join("access.log");
        let access_log = AccessLog::create(&log_path).map_err(|error| error.to_string())?;
        let listeners = planned.iter().map(|planned| {
            let site = Site { id: &planned.id, case: &planned.case };
            config::listener(&site, planned.placement.as_ref(), &log_path)
        });
        let listeners = config::listeners_file(listeners.collect());
        let path = files.path().join("listeners.json");
        std::fs::write(&path, listeners.to_string()).map_err(|error| error.to_string())?;
        let clusters = clusters(&planned, &upstreams, &callouts);
        let bootstrap = config::bootstrap(&path, &clusters, &secrets(&planned)?);
        let (envoy, admin) = launch(&bootstrap, environment, suite)?;
        let (addresses, refusals) = (addresses(&admin)?, refusals(&admin, &envoy.log().since(0))?);
        let access_log = Mutex::new(access_log);
        Ok(Self {
            runtime,
            envoy,
            admin,
            upstreams,
            callouts,
            addresses,
            refusals,
            patience: suite.patience,
            access_log,
            _files: files,
        })
    }

    /// The streams of a site that have ended since the last call.
    pub(super) fn ended(&self, site: &str) -> Vec<Entry> {
        self.access_log.lock().unwrap_or_else(PoisonError::into_inner).take(site)
    }

    /// The value of a counter, by its full name.
    pub(super) fn counter(&self, name: &str) -> Option<u64> {
        let stats = self.admin.get(&format!("/stats?filter=^{name}$")).ok()?;
        let line = stats.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.and_then(|value| value.trim().parse().ok())
    }
}

async fn start_upstreams(planned: &[&Planned]) -> std::io::Result<HashMap<String, Upstream>> {
    let mut upstreams = HashMap::new();
    for planned in planned {
        upstreams.insert(planned.id.clone(), Upstream::start(planned.case.upstream_protocol).await?);
    }
    Ok(upstreams)
}

async fn start_callouts(planned: &[&Planned]) -> std::io::Result<BTreeMap<String, Upstream>> {
    let exchanges = planned.iter().flat_map(|planned| planned.case.exchanges());
    let names: BTreeSet<&String> =
        exchanges.flat_map(|e| &e.callouts).map(|callout| &callout.cluster).collect();
    let mut callouts = BTreeMap::new();
    for name in names {
        callouts.insert(name.clone(), Upstream::start(Protocol::Http1).await?);
    }
    Ok(callouts)
}

fn clusters(
    planned: &[&Planned],
    upstreams: &HashMap<String, Upstream>,
    callouts: &BTreeMap<String, Upstream>,
) -> Vec<Value> {
    let of_sites = planned.iter().filter_map(|planned| {
        let address = upstreams.get(&planned.id)?.address();
        let case = &planned.case;
        Some(config::cluster(&planned.id, address, case.upstream_protocol, case.buffer_limit))
    });
    let of_callouts = callouts
        .iter()
        .map(|(name, upstream)| config::cluster(name, upstream.address(), Protocol::Http1, None));
    of_sites.chain(of_callouts).collect()
}

/// The secrets of all cases, which share one Envoy.
fn secrets<'a>(planned: &[&'a Planned]) -> Result<BTreeMap<&'a str, &'a str>, String> {
    let mut secrets = BTreeMap::new();
    for (name, text) in planned.iter().flat_map(|planned| &planned.case.secrets) {
        match secrets.insert(name.as_str(), text.as_str()) {
            Some(other) if other != text => return Err(format!("cases have two secrets named {name:?}")),
            _ => {}
        }
    }
    Ok(secrets)
}

fn launch(bootstrap: &Value, environment: &Environment, suite: &Suite) -> Result<(Envoy, Admin), String> {
    let program = match &suite.envoy {
        Some(program) => program.clone(),
        None => envoy_bootstrap::fetch().map_err(|error| error.to_string())?,
    };
    let mut launch = Launch::new(program, bootstrap.to_string());
    launch.concurrency = Some(suite.workers);
    launch.arguments = ["--file-flush-interval-msec", "5"].map(Into::into).to_vec();
    launch.environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let envoy = launch.spawn().map_err(|error| error.to_string())?;
    let admin = envoy.wait_until_ready(STARTING).map_err(|error| error.to_string())?;
    Ok((envoy, admin))
}

/// Where each listener listens.
fn addresses(admin: &Admin) -> Result<HashMap<String, SocketAddr>, String> {
    #[derive(Deserialize)]
    struct Statuses {
        #[serde(default)]
        listener_statuses: Vec<Status>,
    }
    #[derive(Deserialize)]
    struct Status {
        name: String,
        local_address: Address,
    }
    #[derive(Deserialize)]
    struct Address {
        socket_address: SocketAddress,
    }
    #[derive(Deserialize)]
    struct SocketAddress {
        port_value: u16,
    }
    let Statuses { listener_statuses } = ask(admin, "/listeners?format=json")?;
    let address = |status: Status| {
        let port = status.local_address.socket_address.port_value;
        (status.name, SocketAddr::from(([127, 0, 0, 1], port)))
    };
    Ok(listener_statuses.into_iter().map(address).collect())
}

/// Why Envoy refused listeners, by site.
fn refusals(admin: &Admin, log: &[String]) -> Result<HashMap<String, Refusal>, String> {
    #[derive(Deserialize)]
    struct Dump {
        #[serde(default)]
        configs: Vec<Listener>,
    }
    #[derive(Deserialize)]
    struct Listener {
        /// Envoy lists a refused listener twice, the second time without a name.
        #[serde(default)]
        name: String,
        error_state: Option<ErrorState>,
    }
    #[derive(Deserialize)]
    struct ErrorState {
        details: String,
    }
    let Dump { configs } = ask(admin, "/config_dump?resource=dynamic_listeners")?;
    let refused = configs.into_iter().filter_map(|listener| {
        let ErrorState { details } = listener.error_state?;
        let log = said_of(&listener.name, log);
        Some((listener.name, Refusal { details, log }))
    });
    Ok(refused.collect())
}

/// What was logged while Envoy took a listener in: modules say there what Envoy's own message does not repeat.
fn said_of(listener: &str, log: &[String]) -> Vec<String> {
    let verdict = format!("lds: listener '{listener}' config rejected");
    let mut listeners = log.split_inclusive(|line| line.contains("] lds: "));
    let said = listeners.find(|said| said.last().is_some_and(|line| line.contains(&verdict)));
    // The harness's own listener uses a field that Envoy warns of.
    let own = |line: &&String| line.contains("allow_custom_methods");
    said.unwrap_or_default().iter().filter(|line| !own(line)).cloned().collect()
}

/// With each run of white space as one blank.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn ask<T: for<'de> Deserialize<'de>>(admin: &Admin, target: &str) -> Result<T, String> {
    let answer = admin.get(target).map_err(|error| error.to_string())?;
    serde_json::from_str(&answer.body).map_err(|error| format!("{target}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_its_own_lines_of_the_log() {
        let log = [
            "[info][upstream] [lds_api.cc:1] lds: add/update listener 'site-1'",
            "[error][wasm] a: is missing",
            "[warning][upstream] [lds_api.cc:2] lds: listener 'site-2' config rejected: no",
            "[error][wasm] b: is missing",
            "[warning][upstream] [lds_api.cc:2] lds: listener 'site-22' config rejected: no",
        ]
        .map(str::to_owned);
        assert_eq!(said_of("site-2", &log), log[1..3]);
        assert_eq!(said_of("site-22", &log), log[3..]);
        assert!(said_of("site-1", &log).is_empty());
    }
}
