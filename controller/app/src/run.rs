//! `ferrule run`: everything together, until a signal.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};
use std::time::Duration;

use anyhow::Context;
use envoy_bootstrap::Address;
use ferrule_translate::Settings;
use ferrule_xds::{Event, Options, Server};
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::admin::{self, Exhibit};
use crate::cli::RunArgs;
use crate::filters::{self, Filters};
use crate::given_envoy;
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::observer::{Observer, SharedWriter, lock};
use crate::pipeline::{Pipeline, Translated};
use crate::publish::Publisher;
use crate::record::Record;
use crate::status::StatusWriter;
use crate::supervise::{Equipment, Fleet};
use crate::{demo, print, watch};

/// Where proxies of others find us.
const PUBLIC_ADS: u16 = 18_000;
/// Events that come within this time count for one update of status.
const GATHER: Duration = Duration::from_millis(20);
/// Signals within this time of the first are its echo.
const ECHO: Duration = Duration::from_millis(500);
/// How often what waits for a port is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Runs until SIGINT or SIGTERM; what was started has ended when it returns.
pub(crate) async fn run(args: RunArgs) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    std::fs::metadata(&args.folder.folder).with_context(|| args.folder.folder.display().to_string())?;
    let filters = filters::locate(&args.filters)?;
    let private = tempfile::Builder::new().prefix("ferrule-").tempdir().context("no folder for sockets")?;
    let ads = args.ads.clone().unwrap_or_else(|| match args.no_envoy {
        true => Address::loopback(PUBLIC_ADS),
        false => Address::Unix(private.path().join("xds.sock")),
    });
    let listener = Listener::bind(&ads, "--ads").await?;
    let ads = listener.address()?;
    let fleet = fleet(&args, &filters, ads.clone(), private.path().to_owned()).await?;
    let (server, events) = Server::new(Options::default());
    let (stop_serving, serving) = serve(server.clone(), listener);
    let metrics = Arc::new(Metrics::default());
    let writer: SharedWriter = Arc::new(Mutex::new(StatusWriter::new(args.status_dir.clone())?));
    let window = Arc::new(Window {
        writer: writer.clone(),
        server: server.clone(),
        metrics: metrics.clone(),
        translated: AtomicBool::new(false),
        gateways: Mutex::default(),
    });
    let admin = admin::bind(&args.admin).await?;
    tracing::info!("admin interface on {}; xDS on {ads}", admin.address()?);
    let admin = tokio::spawn(admin::serve(admin, window.clone()));
    if let Some(port) = args.demo_upstream {
        tracing::info!("demo upstream on {}", demo::start(port).await?);
    }

    let settings = Settings { filter_host: filters.host, ..Settings::default() };
    let pipeline = Pipeline::new(settings, Publisher::new(server), metrics.clone());
    let (translations, watching) = start_pipeline(pipeline, &args)?;
    let mut observer = Observer::new(writer, metrics, fleet);
    observe(&mut observer, translations, events, &window, &mut signals).await;

    tracing::info!("stopping; requests under way have {:?} to end (Ctrl-C again: none)", args.drain);
    watching.stop();
    let stopping = tokio::task::spawn_blocking(move || observer.into_fleet().map(Fleet::stop));
    tokio::select! {
        _ = stopping => {}
        () = signals.recv_again() => tracing::warn!("stopping at once"),
    }
    admin.abort();
    // The socket's file goes with the listener.
    let _ = admin.await;
    let _ = stop_serving.send(());
    let _ = serving.await;
    Ok(())
}

async fn fleet(
    args: &RunArgs,
    filters: &Filters,
    ads: Address,
    sockets: PathBuf,
) -> anyhow::Result<Option<Fleet>> {
    if args.no_envoy {
        return Ok(None);
    }
    let named = args.envoy.clone();
    let envoy = tokio::task::spawn_blocking(|| match named {
        Some(envoy) => given_envoy::accept(envoy),
        None => Ok(envoy_bootstrap::fetch()?),
    });
    let equipment = Equipment {
        envoy: envoy.await??,
        modules: filters.modules.clone(),
        ads,
        sockets,
        concurrency: args.concurrency,
        drain: args.drain,
        log_level: args.envoy_log_level.clone(),
    };
    Ok(Some(Fleet::new(equipment)))
}

/// Serves xDS until told to stop.
fn serve(server: Server, listener: Listener) -> (tokio::sync::oneshot::Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let stopped = async { drop(stopped.await) };
    let task = tokio::spawn(async move {
        let served = match listener {
            Listener::Tcp(listener) => server.serve_tcp(listener, stopped).await,
            Listener::Unix(listener, _file) => server.serve_unix(listener, stopped).await,
        };
        if let Err(error) = served {
            tracing::error!("{error}");
        }
    });
    (stop, task)
}

fn start_pipeline(
    pipeline: Pipeline,
    args: &RunArgs,
) -> anyhow::Result<(mpsc::UnboundedReceiver<Translated>, watch::Stopper)> {
    let (tell_translation, translations) = mpsc::unbounded_channel();
    let (tell_update, updates) = blocking::channel();
    pipeline.spawn(updates, move |translated| tell_translation.send(translated).is_ok())?;
    let (stopper, _thread) =
        watch::spawn(&args.folder.folder, move |update| tell_update.send(update).is_ok())?;
    Ok((translations, stopper))
}

/// Follows translations and proxies until a signal.
async fn observe(
    observer: &mut Observer,
    mut translations: mpsc::UnboundedReceiver<Translated>,
    mut events: mpsc::Receiver<Event>,
    window: &Window,
    signals: &mut Signals,
) {
    let mut retry = tokio::time::interval(RETRY);
    let mut due = None;
    loop {
        tokio::select! {
            Some(translated) = translations.recv() => {
                window.on_translation(&translated);
                observer.on_translation(translated);
                due.get_or_insert_with(|| tokio::time::Instant::now() + GATHER);
            }
            Some(event) = events.recv() => {
                observer.on_event(event);
                due.get_or_insert_with(|| tokio::time::Instant::now() + GATHER);
            }
            () = at(due) => {
                due = None;
                observer.update_status();
            }
            _ = retry.tick() => observer.run_envoys(),
            () = signals.recv() => return,
        }
    }
}

async fn at(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// The signals that end us.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// A signal that is meant as another one: shells and supervisors send one and the same to a group and to us.
    async fn recv_again(&mut self) {
        let first = tokio::time::Instant::now();
        while first.elapsed() < ECHO {
            self.recv().await;
        }
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What the admin interface shows.
struct Window {
    writer: SharedWriter,
    server: Server,
    metrics: Arc<Metrics>,
    translated: AtomicBool,
    gateways: Mutex<Vec<Arc<str>>>,
}

impl Window {
    fn on_translation(&self, translated: &Translated) {
        *self.gateways.lock().unwrap_or_else(PoisonError::into_inner) =
            translated.published.keys().cloned().collect();
        self.translated.store(true, Ordering::Relaxed);
    }
}

impl Exhibit for Window {
    fn status(&self) -> String {
        let records: Vec<Record> = lock(&self.writer).records().collect();
        serde_json::to_string(&records).unwrap_or_default()
    }

    fn config(&self) -> String {
        let gateways = self.gateways.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let printed = gateways.iter().map(|gateway| {
            let snapshot = self.server.snapshot(gateway).unwrap_or_default();
            (gateway.to_string(), print::snapshot(&snapshot))
        });
        Value::Object(printed.collect()).to_string()
    }

    fn metrics(&self) -> String {
        self.metrics.render(&self.server.metrics())
    }

    fn unready(&self) -> Option<&'static str> {
        (!self.translated.load(Ordering::Relaxed)).then_some("the folder has not been read yet")
    }
}
