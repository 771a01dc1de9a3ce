//! One Envoy a Gateway, as children of this process.
//!
//! Invariants: an Envoy that ends is started again after a growing pause; one whose Gateway is gone is drained and
//! stopped in the background; when the fleet stops, it returns after the last Envoy has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use envoy_bootstrap::{Address, Backoff, Bootstrap, HotRestart, Incident, Launch, Supervisor};

/// What all Envoys have in common.
#[derive(Clone, Debug)]
pub(crate) struct Equipment {
    /// The binary.
    pub(crate) envoy: PathBuf,
    /// Folder of native modules.
    pub(crate) modules: Option<PathBuf>,
    /// Where they ask for their configuration.
    pub(crate) ads: Address,
    /// Folder of sockets for their admin interfaces.
    pub(crate) sockets: PathBuf,
    /// Worker threads.
    pub(crate) concurrency: Option<u32>,
    pub(crate) drain: Duration,
    pub(crate) log_level: String,
}

/// The ports of each gateway, named `namespace/name`.
pub(crate) type Ports = BTreeMap<Arc<str>, BTreeSet<Port>>;

/// A number, and the protocol of a listener there in lower case.
pub(crate) type Port = (u16, String);

/// The Envoys that run.
pub(crate) struct Fleet {
    equipment: Equipment,
    running: BTreeMap<Arc<str>, Supervisor>,
    stopping: Vec<JoinHandle<()>>,
    /// Numbers the sockets.
    started: usize,
}

impl Fleet {
    pub(crate) fn new(equipment: Equipment) -> Self {
        Self { equipment, running: BTreeMap::new(), stopping: Vec::new(), started: 0 }
    }

    /// Runs exactly one Envoy for each of these gateways, named `namespace/name`, on these ports. Returns those that
    /// must wait because a port is taken, and why; Envoy itself would share the port and answer every other request.
    pub(crate) fn reconcile(&mut self, gateways: &Ports) -> BTreeMap<Arc<str>, String> {
        self.stop_all_but(gateways);
        let mut waiting = BTreeMap::new();
        for (gateway, ports) in gateways {
            if self.running.contains_key(gateway) {
                continue;
            }
            match self.obstacle(gateways, ports) {
                Some(obstacle) => drop(waiting.insert(gateway.clone(), obstacle)),
                None => self.start(gateway),
            }
        }
        waiting
    }

    fn stop_all_but(&mut self, gateways: &Ports) {
        self.stopping.retain(|stopping| !stopping.is_finished());
        let gone: Vec<Arc<str>> =
            self.running.keys().filter(|gateway| !gateways.contains_key(*gateway)).cloned().collect();
        for gateway in gone {
            tracing::info!("Gateway {gateway}: gone, stopping its Envoy");
            self.stopping.extend(self.running.remove(&gateway).and_then(stop));
        }
    }

    fn obstacle(&self, gateways: &Ports, ports: &BTreeSet<Port>) -> Option<String> {
        // Others of UDP can have the same number.
        let of_tcp = |ports: &BTreeSet<Port>| -> BTreeSet<u16> {
            ports.iter().filter(|(_, protocol)| protocol != "udp").map(|(port, _)| *port).collect()
        };
        of_tcp(ports).iter().find_map(|port| {
            let holder = self
                .running
                .keys()
                .find(|running| gateways.get(*running).is_some_and(|its| of_tcp(its).contains(port)));
            match holder {
                Some(holder) => Some(format!("port {port} of this machine is Gateway {holder}'s")),
                None if is_taken(*port) => {
                    Some(format!("port {port} of this machine is taken by another process; end that, or change the listener's port"))
                }
                None => None,
            }
        })
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

    fn start(&mut self, gateway: &Arc<str>) {
        self.started += 1;
        let launch = self.equipment.launch(gateway, self.started);
        let name = gateway.clone();
        match Supervisor::start(launch, Backoff::default(), move |incident| report(&name, &incident)) {
            Ok(supervisor) => drop(self.running.insert(gateway.clone(), supervisor)),
            Err(error) => tracing::error!("Gateway {gateway}: no Envoy: {error}"),
        }
    }
}

/// Whether somebody listens on a port, even somebody who would share it.
fn is_taken(port: u16) -> bool {
    let bound = TcpListener::bind(("0.0.0.0", port));
    bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
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
        launch.modules.clone_from(&self.modules);
        launch.concurrency = self.concurrency;
        // Without hot restart Envoy does not ask for SIGTERM at our death, and outlives a controller that is killed.
        launch.hot_restart = HotRestart::DynamicBaseId;
        launch.drain_time = self.drain;
        launch.log_level.clone_from(&self.log_level);
        // What a template's env() may see of a proxy.
        launch.environment =
            vec![("POD_NAME".into(), node.into()), ("POD_NAMESPACE".into(), namespace.into())];
        let prefix = gateway.to_owned();
        launch.on_line(move |line| {
            if !line.is_empty() {
                tracing::info!("[{prefix}] {line}");
            }
        })
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
                "Gateway {gateway}: Envoy ended after {ran:.1?} ({status}); starting it again in {pause:.1?}. If it \
                 does not say why, --envoy-log-level info may"
            );
        }
    }
}
