//! `ferrule run`: everything together, until a signal.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc as blocking};

use anyhow::Context;
use envoy_bootstrap::Address;
use ferrule_translate::Settings;
use ferrule_xds::{Options, Server};
use tokio::sync::mpsc;
use tokio::sync::watch::channel as watch_channel;

use crate::cli::RunArgs;
use crate::credentials::Wishes;
use crate::filters::{self, Filters};
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::observer::{Observer, SharedWriter};
use crate::orders::Orders;
use crate::pipeline::{Pipeline, Translated};
use crate::publish::Publisher;
use crate::signals::Signals;
use crate::status::StatusWriter;
use crate::supervise::{Equipment, Fleet};
use crate::window::Window;
use crate::{admin, demo, given_envoy, serving, watch};

/// Where proxies of others find us.
const PUBLIC_ADS: u16 = 18_000;

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
    let (stop_serving, served) = serving::serve(server.clone(), listener);
    let metrics = Arc::new(Metrics::default());
    let writer: SharedWriter = Arc::new(Mutex::new(StatusWriter::new(args.status_dir.clone())?));
    let (_, waiting) = watch_channel("the folder has not been read yet".to_owned());
    let publisher = Publisher::shared(server.clone());
    let orders = Arc::new(Orders::new(Arc::clone(&publisher)));
    let window = Window::new(writer.clone(), server.clone(), metrics.clone(), orders, waiting);
    let window = Arc::new(window);
    let admin = admin::bind(&args.admin).await?;
    tracing::info!("admin interface on {}; xDS on {ads}", admin.address()?);
    let admin = tokio::spawn(admin::serve(admin, window.clone()));
    if let Some(port) = args.demo_upstream {
        tracing::info!("demo upstream on {}", demo::start(port).await?);
    }

    let settings = Settings { filter_host: filters.host, ..Settings::default() };
    let pipeline = Pipeline::new(settings, publisher, metrics.clone());
    let (translations, watching) = start_pipeline(pipeline, &args)?;
    let mut observer = Observer::new(writer, metrics, fleet);
    let (_, surroundings) = mpsc::channel(1);
    serving::observe(&mut observer, translations, events, surroundings, &window, &mut signals).await;

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
    let _ = served.await;
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

fn start_pipeline(
    pipeline: Pipeline,
    args: &RunArgs,
) -> anyhow::Result<(mpsc::UnboundedReceiver<Translated>, watch::Stopper)> {
    let (tell_translation, translations) = mpsc::unbounded_channel();
    let (tell_update, updates) = blocking::channel();
    let tell_credentials = tell_update.clone();
    let wishes = Wishes::start(move |update| tell_credentials.send(update).is_ok());
    pipeline.spawn(updates, move |translated| {
        wishes.follow(&translated.translation);
        tell_translation.send(translated).is_ok()
    })?;
    let (stopper, _thread) =
        watch::spawn(&args.folder.folder, move |update| tell_update.send(update).is_ok())?;
    Ok((translations, stopper))
}
