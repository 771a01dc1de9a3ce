//! `ferrule controller`: the pipeline of `ferrule run`, with an API server in the place of the folder.
//!
//! ```text
//! watches -> gather -> pipeline -> xDS          every replica
//!               |          |
//!               +-> desk <-+ status, events     the leader, with what replicas say of their proxies
//! ```

mod authority;
mod definitions;
mod discovery;
mod events;
mod gather;
mod item;
mod kinds;
mod leader;
mod live;
mod managed;
mod options;
mod plan;
mod provision;
#[cfg(test)]
mod rbac;
mod referenced;
mod replicas;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::HashMap;
use std::fmt;
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex};

use ferrule_translate::{Layout, ObjectRef, Settings};
use ferrule_xds::{Server, Tls};
use kube::Client;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch as signal};
use tokio::task::JoinHandle;

use self::watch::Extent;
use crate::account::Account;
use crate::cli::ControllerArgs;
use crate::credentials::Wishes;
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::observer::{Observer, SharedWriter, Surroundings};
use crate::orders::Orders;
use crate::pipeline::Pipeline;
use crate::proxies::Fleet;
use crate::publish::Publisher;
use crate::signals::Signals;
use crate::status::{StatusWriter, Wanted};
use crate::watch::Update;
use crate::window::Window;
use crate::{admin, filters, serving};
use authority::Keeper;
use definitions::Definitions;
use events::Recorder;
use gather::{Gather, Outlets};
use live::Living;
use managed::Managed;
use provision::Provisioner;
use replicas::Talk;
use status::Desk;
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
    let settings = options::settings(&args)?;
    let client = options::client(&args).await?;
    let listener = Listener::bind(&args.ads, "--ads").await?;
    let (server, events) = Server::new(options::xds(&args)?);
    let metrics = Arc::new(Metrics::default());
    let (wanted_in, wanted) = mpsc::unbounded_channel();
    let writer: SharedWriter = Arc::new(Mutex::new(StatusWriter::to(wanted_in)));
    let (waiting_in, waiting) = signal::channel(String::new());
    let publisher = Publisher::shared(server.clone());
    let orders = Arc::new(Orders::new(Arc::clone(&publisher)));
    let window = Arc::new(Window::new(writer.clone(), server.clone(), metrics.clone(), orders, waiting));
    let answering = answer(&args, &window).await?;

    let (accounts_in, accounts) = signal::channel(Vec::new());
    let reading = Reading::start(&client, &args, waiting_in, accounts);
    let leading = Leading::start(&client, &args, &settings, (wanted, reading.touched, reading.living));
    let (stop_serving, served) = match args.plaintext_xds {
        true => serving::serve(server.clone(), listener),
        false => serve_tls(server.clone(), listener, leading.tls.clone()),
    };
    let host = filters::nominal(&args.filters).host;
    let layout = if args.one_table { Layout::PerPort } else { Layout::default() };
    let reserved_ports = ferrule_provision::reserved_ports();
    let reserved_ports = reserved_ports.map(|(port, purpose)| (port, purpose.to_owned())).into();
    let translator = Settings { filter_host: host, layout, reserved_ports, ..Settings::default() };
    let pipeline = Pipeline::new(translator, publisher, metrics.clone()).with_proxies(settings);
    let (translated_in, translations) = mpsc::unbounded_channel();
    let fleet = leading.fleet.clone();
    let tell = reading.news;
    let wishes = Wishes::start(move |update| tell.send(update).is_ok());
    pipeline.spawn(reading.updates, move |translated| {
        wishes.follow(&translated.translation);
        fleet.send_replace(Some(Arc::clone(&translated.fleet)));
        translated_in.send(translated).is_ok()
    })?;
    let mut observer = Observer::new(writer, metrics, None);
    let talking =
        leading.talk(&client, &args, (observer.account(), accounts_in), Arc::clone(window.orders()));
    serving::observe(&mut observer, translations, events, reading.surroundings, &window, &mut signals).await;

    tracing::info!("stopping");
    leading.stop().await;
    // A panic there has ended it, too.
    let _ = talking.await;
    answering.iter().for_each(JoinHandle::abort);
    let _ = stop_serving.send(());
    let _ = served.await;
    Ok(())
}

/// Starts the admin interface, and that for probes where one is asked for.
async fn answer(args: &ControllerArgs, window: &Arc<Window>) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let listener = admin::bind(&args.admin).await?;
    tracing::info!("admin interface on {}; xDS on {}", listener.address()?, args.ads);
    let mut answering = vec![tokio::spawn(admin::serve(listener, window.clone()))];
    if let Some(address) = &args.health {
        let listener = Listener::bind(address, "--health").await?;
        answering.push(tokio::spawn(admin::serve_health(listener, window.clone())));
    }
    Ok(answering)
}

/// What every replica does: it watches.
struct Reading {
    /// For those who have news that no watch has.
    news: blocking::Sender<Update>,
    updates: blocking::Receiver<Update>,
    touched: mpsc::UnboundedReceiver<Vec<ObjectRef>>,
    living: Living,
    surroundings: mpsc::Receiver<Surroundings>,
}

impl Reading {
    fn start(
        client: &Client,
        args: &ControllerArgs,
        waiting: signal::Sender<String>,
        accounts: signal::Receiver<Vec<Account>>,
    ) -> Self {
        let living = Living::default();
        let (updates_in, updates) = blocking::channel();
        let news = updates_in.clone();
        let (touched_in, touched) = mpsc::unbounded_channel();
        let (services_in, services) = signal::channel(HashMap::new());
        let outlets = Outlets { updates: updates_in, touched: touched_in, services: services_in, waiting };
        let store = Store::new(args.watch_namespaces.clone(), living.clone());
        let (definitions_in, definitions) = signal::channel(Definitions::default());
        tokio::spawn(definitions::follow(client.clone(), definitions_in));
        tokio::spawn(Gather::new(client.clone(), store, CONTROLLER, outlets).run(definitions.clone()));
        let (surroundings_in, surroundings) = mpsc::channel(1);
        tokio::spawn(survey(services, definitions, accounts, surroundings_in));
        Self { news, updates, touched, living, surroundings }
    }
}

/// Tells what surrounds proxies whenever it changes.
async fn survey(
    mut services: signal::Receiver<HashMap<Arc<str>, Vec<Value>>>,
    mut definitions: signal::Receiver<Definitions>,
    mut accounts: signal::Receiver<Vec<Account>>,
    tell: mpsc::Sender<Surroundings>,
) {
    loop {
        let known = Surroundings {
            services: Some(services.borrow_and_update().clone()),
            bundle: definitions.borrow_and_update().bundle.as_deref().map(Arc::from),
            accounts: accounts.borrow_and_update().clone(),
        };
        if tell.send(known).await.is_err() {
            return;
        }
        tokio::select! {
            Ok(()) = services.changed() => {}
            Ok(()) = definitions.changed() => {}
            Ok(()) = accounts.changed() => {}
            else => return,
        }
    }
}

/// What the leader does: it writes status, keeps the authority and makes proxies.
struct Leading {
    fleet: signal::Sender<Option<Arc<Fleet>>>,
    tls: signal::Receiver<Option<Tls>>,
    stop: signal::Sender<bool>,
    election: JoinHandle<()>,
}

/// Statuses that are wanted, objects that have changed, and all as they are.
type StatusInbox = (mpsc::UnboundedReceiver<Vec<Wanted>>, mpsc::UnboundedReceiver<Vec<ObjectRef>>, Living);

impl Leading {
    fn start(
        client: &Client,
        args: &ControllerArgs,
        settings: &ferrule_provision::Settings,
        (wanted, touched, living): StatusInbox,
    ) -> Self {
        let identity = Identity::of(args);
        let (leading_in, leading) = signal::channel(false);
        let recorder = Recorder::new(client.clone(), identity.clone());
        let desk = Desk::new(client.clone(), CONTROLLER, living, recorder);
        tokio::spawn(desk.run(status::Inbox { wanted, touched, leading: leading.clone() }));

        let (authorities_in, authorities) = signal::channel(None);
        let (tls_in, tls) = signal::channel(None);
        let names = options::server_names(settings);
        let secrets = (client.clone(), &*args.namespace);
        tokio::spawn(Keeper::new(secrets, names, leading.clone(), authorities_in, tls_in).run());

        let extents = Extent::of(&args.watch_namespaces);
        let of_kind = |place| extents.iter().map(move |extent| (place, extent.clone()));
        let realms: Vec<_> = (0..ferrule_provision::KINDS.len()).flat_map(of_kind).collect();
        let (managed, (changed_in, changed)) = (Managed::of(&realms), signal::channel(0));
        for realm in realms {
            tokio::spawn(managed::follow(client.clone(), realm, managed.clone(), changed_in.clone()));
        }
        let (fleet, wanted) = signal::channel(None);
        let inbox = provision::Inbox { wanted, authorities, leading, changed };
        tokio::spawn(Provisioner::new(client.clone(), managed, inbox).run());

        let (stop, stopped) = signal::channel(false);
        let (client, namespace) = (client.clone(), args.namespace.clone());
        let election = tokio::spawn(async move {
            leader::take_part(client, &namespace, identity, leading_in, stopped).await;
        });
        Self { fleet, tls, stop, election }
    }

    /// Has replicas tell each other of their proxies, until we stop.
    fn talk(
        &self,
        client: &Client,
        args: &ControllerArgs,
        (ours, others): (signal::Receiver<Account>, signal::Sender<Vec<Account>>),
        orders: Arc<Orders>,
    ) -> JoinHandle<()> {
        let (client, namespace, stopped) = (client.clone(), args.namespace.clone(), self.stop.subscribe());
        let identity = Identity::of(args);
        tokio::spawn(async move {
            let talk = Talk { ours, others, orders };
            replicas::take_part(client, &namespace, identity, talk, stopped).await;
        })
    }

    /// Gives the lead to another replica.
    async fn stop(self) {
        self.stop.send_replace(true);
        // A panic there has ended our leadership, too.
        let _ = self.election.await;
    }
}

/// Serves xDS over TLS, as soon as there are credentials, until told to stop.
fn serve_tls(
    server: Server,
    listener: Listener,
    mut tls: signal::Receiver<Option<Tls>>,
) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let (stop, mut stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let Listener::Tcp(listener) = listener else { return };
        let tls = tokio::select! {
            Ok(tls) = tls.wait_for(Option::is_some) => tls.clone(),
            _ = &mut stopped => return,
        };
        let Some(tls) = tls else { return };
        if let Err(error) = server.serve_tls(listener, tls, async { drop(stopped.await) }).await {
            tracing::error!("{error}");
        }
    });
    (stop, task)
}
