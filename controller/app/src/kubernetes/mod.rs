//! `ferrule controller`: the pipeline of `ferrule run`, with an API server in the place of the folder.
//!
//! ```text
//! watches -> gather -> pipeline -> xDS          every replica
//!               |          |
//!               +-> desk <-+ status, events     the leader
//! ```

mod definitions;
mod discovery;
mod events;
mod gather;
mod item;
mod kinds;
mod leader;
mod live;
mod plan;
mod referenced;
mod selection;
mod status;
mod store;
mod watch;

pub(crate) use selection::Selection;

use std::fmt;
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use ferrule_translate::Settings;
use ferrule_xds::{Options, Server};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::sync::{mpsc, watch as signal};

use crate::cli::ControllerArgs;
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::observer::{Observer, SharedWriter};
use crate::pipeline::Pipeline;
use crate::publish::Publisher;
use crate::signals::Signals;
use crate::status::StatusWriter;
use crate::window::Window;
use crate::{admin, filters, serving};
use definitions::Definitions;
use events::Recorder;
use gather::{Gather, Outlets};
use live::Living;
use status::{Desk, Inbox};
use store::Store;

/// Classes with this controller name are ours.
pub(crate) const CONTROLLER: &str = "ferrule.dev/gateway-controller";
/// Who owns the fields that we apply.
pub(crate) const MANAGER: &str = CONTROLLER;

/// What tells this replica from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity(pub(crate) Arc<str>);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Identity {
    fn of(args: &ControllerArgs) -> Self {
        let named = args.identity.clone().unwrap_or_else(|| {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            format!("{}-{}", host.trim(), std::process::id())
        });
        Self(named.into())
    }
}

/// Controls until SIGINT or SIGTERM.
///
/// # Errors
/// It cannot listen, or does not know where the API server is.
pub(crate) async fn control(args: ControllerArgs) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let client = client(&args).await?;
    let listener = Listener::bind(&args.ads, "--ads").await?;
    let (server, events) = Server::new(Options::default());
    let (stop_serving, served) = serving::serve(server.clone(), listener);

    let metrics = Arc::new(Metrics::default());
    let (wanted_in, wanted) = mpsc::unbounded_channel();
    let writer: SharedWriter = Arc::new(Mutex::new(StatusWriter::to(wanted_in)));
    let (waiting_in, waiting) = signal::channel(String::new());
    let window = Arc::new(Window::new(writer.clone(), server.clone(), metrics.clone(), waiting));
    let admin_listener = admin::bind(&args.admin).await?;
    tracing::info!("admin interface on {}; xDS on {}", admin_listener.address()?, args.ads);
    let admin = tokio::spawn(admin::serve(admin_listener, window.clone()));
    let health = match &args.health {
        Some(address) => {
            let listener = Listener::bind(address, "--health").await?;
            Some(tokio::spawn(admin::serve_health(listener, window.clone())))
        }
        None => None,
    };

    let settings = Settings { filter_host: filters::nominal(&args.filters).host, ..Settings::default() };
    let pipeline = Pipeline::new(settings, Publisher::new(server), metrics.clone());
    let (translated_in, translations) = mpsc::unbounded_channel();
    let (updates_in, updates) = blocking::channel();
    pipeline.spawn(updates, move |translated| translated_in.send(translated).is_ok())?;

    let living = Living::default();
    let (touched_in, touched) = mpsc::unbounded_channel();
    let outlets = Outlets { updates: updates_in, touched: touched_in, waiting: waiting_in };
    let store = Store::new(args.watch_namespaces.clone(), living.clone());
    let gather = Gather::new(client.clone(), store, CONTROLLER, outlets);
    let (definitions_in, definitions) = signal::channel(Definitions::default());
    tokio::spawn(definitions::follow(client.clone(), definitions_in));
    tokio::spawn(gather.run(definitions));

    let identity = Identity::of(&args);
    let (leading_in, leading) = signal::channel(false);
    let (stop_leading, stopped) = signal::channel(false);
    let recorder = Recorder::new(client.clone(), identity.clone());
    let desk = Desk::new(client.clone(), CONTROLLER, living, recorder);
    tokio::spawn(desk.run(Inbox { wanted, touched, leading }));
    let namespace = args.namespace.clone();
    let election = tokio::spawn(async move {
        leader::take_part(client, &namespace, identity, leading_in, stopped).await;
    });

    let mut observer = Observer::new(writer, metrics, None);
    serving::observe(&mut observer, translations, events, &window, &mut signals).await;

    tracing::info!("stopping");
    stop_leading.send_replace(true);
    let _ = election.await;
    admin.abort();
    if let Some(health) = health {
        health.abort();
    }
    let _ = stop_serving.send(());
    let _ = served.await;
    Ok(())
}

async fn client(args: &ControllerArgs) -> anyhow::Result<Client> {
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    let config = match (&args.kubeconfig, &args.context) {
        (Some(path), _) => {
            let read = || -> anyhow::Result<Kubeconfig> { Ok(Kubeconfig::read_from(path)?) };
            let kubeconfig = read().with_context(|| format!("--kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await?
        }
        (None, Some(_)) => Config::from_kubeconfig(&options).await?,
        (None, None) => {
            Config::infer().await.context("cannot tell where the API server is; name a --kubeconfig")?
        }
    };
    Ok(Client::try_from(config)?)
}
