//! One Envoy a Gateway, as children of this process.
//!
//! Invariants: an Envoy that ends is started again after a growing pause; one whose Gateway is gone is drained and
//! stopped in the background; when the fleet stops, it returns after the last Envoy has ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use envoy_bootstrap::{Address, Backoff, Bootstrap, Incident, Launch, Supervisor};

/// What all Envoys have in common.
#[derive(Clone, Debug)]
pub(crate) struct Equipment {
    /// The binary.
    pub(crate) envoy: PathBuf,
    /// Where they ask for their configuration.
    pub(crate) ads: Address,
    /// Folder of sockets for their admin interfaces.
    pub(crate) sockets: PathBuf,
    /// Worker threads.
    pub(crate) concurrency: Option<u32>,
    pub(crate) drain: Duration,
    pub(crate) log_level: String,
}

/// The Envoys that run.
pub(crate) struct Fleet {
    equipment: Equipment,
    running: BTreeMap<String, Supervisor>,
    stopping: Vec<JoinHandle<()>>,
    /// Numbers the sockets.
    started: usize,
}

impl Fleet {
    pub(crate) fn new(equipment: Equipment) -> Self {
        Self { equipment, running: BTreeMap::new(), stopping: Vec::new(), started: 0 }
    }

    /// Runs exactly one Envoy for each of these gateways, named `namespace/name`.
    pub(crate) fn reconcile<'g>(&mut self, gateways: impl Iterator<Item = &'g str>) {
        let mut before = std::mem::take(&mut self.running);
        for gateway in gateways {
            let supervisor = before.remove(gateway).or_else(|| self.start(gateway));
            self.running.extend(supervisor.map(|supervisor| (gateway.to_owned(), supervisor)));
        }
        self.stopping.retain(|stopping| !stopping.is_finished());
        for (gateway, supervisor) in before {
            tracing::info!("Gateway {gateway}: gone, stopping its Envoy");
            self.stopping.extend(stop(supervisor));
        }
    }

    /// Drains and stops all of them, together.
    pub(crate) fn stop(mut self) {
        let running = std::mem::take(&mut self.running);
        self.stopping.extend(running.into_values().filter_map(stop));
        for stopping in self.stopping {
            // A panic there has ended that supervisor, and its Envoy with it.
            let _ = stopping.join();
        }
    }

    fn start(&mut self, gateway: &str) -> Option<Supervisor> {
        self.started += 1;
        let launch = self.equipment.launch(gateway, self.started);
        let name = gateway.to_owned();
        match Supervisor::start(launch, Backoff::default(), move |incident| report(&name, &incident)) {
            Ok(supervisor) => Some(supervisor),
            Err(error) => {
                tracing::error!("Gateway {gateway}: no Envoy: {error}");
                None
            }
        }
    }
}

/// Stops one on a thread of its own, because that takes as long as the drain.
fn stop(supervisor: Supervisor) -> Option<JoinHandle<()>> {
    // Without a thread the closure is dropped, which ends the Envoy without a drain.
    thread::Builder::new().name("envoy-stop".to_owned()).spawn(move || supervisor.stop()).ok()
}

impl Equipment {
    fn launch(&self, gateway: &str, number: usize) -> Launch {
        let (namespace, name) = gateway.split_once('/').unwrap_or(("default", gateway));
        let node = format!("{name}-{number}");
        let admin = Address::Unix(self.sockets.join(format!("envoy-{number}.sock")));
        let bootstrap = Bootstrap::new(&node, gateway, self.ads.clone(), admin);
        let mut launch = Launch::new(&self.envoy, bootstrap.to_yaml());
        launch.concurrency = self.concurrency;
        launch.drain_time = self.drain;
        launch.log_level.clone_from(&self.log_level);
        // What a template's env() may see of a proxy.
        launch.environment =
            vec![("POD_NAME".into(), node.into()), ("POD_NAMESPACE".into(), namespace.into())];
        let prefix = gateway.to_owned();
        launch.on_line(move |line| tracing::info!(target: "envoy", "[{prefix}] {line}"))
    }
}

fn report(gateway: &str, incident: &Incident) {
    match incident {
        Incident::Started { pid } => tracing::info!("Gateway {gateway}: Envoy runs (process {pid})"),
        Incident::NotStarted { error, pause } => {
            tracing::error!("Gateway {gateway}: {error}; trying again in {pause:.1?}");
        }
        Incident::Exited { status, ran, pause, .. } => {
            tracing::error!(
                "Gateway {gateway}: Envoy ended after {ran:.1?} ({status}); starting it again in {pause:.1?}"
            );
        }
    }
}
