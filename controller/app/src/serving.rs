//! What `ferrule run` and `ferrule controller` have in common: xDS is served, and what becomes of it observed.

use std::time::Duration;

use ferrule_xds::{Event, Server};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::listen::Listener;
use crate::observer::{Observer, Surroundings};
use crate::pipeline::Translated;
use crate::signals::Signals;
use crate::window::Window;

/// Events that come within this time count for one update of status.
const GATHER: Duration = Duration::from_millis(20);
/// How often what waits for a port is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Serves xDS until told to stop.
pub(crate) fn serve(server: Server, listener: Listener) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel();
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

/// Follows translations and proxies until a signal.
pub(crate) async fn observe(
    observer: &mut Observer,
    mut translations: mpsc::UnboundedReceiver<Translated>,
    mut events: mpsc::Receiver<Event>,
    mut surroundings: mpsc::Receiver<Surroundings>,
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
                window.orders().on_event(&event);
                observer.on_event(event);
                due.get_or_insert_with(|| tokio::time::Instant::now() + GATHER);
            }
            Some(known) = surroundings.recv() => {
                observer.on_surroundings(known);
                due.get_or_insert_with(|| tokio::time::Instant::now() + GATHER);
            }
            () = at(due) => {
                due = None;
                observer.update_status();
            }
            _ = retry.tick() => {
                observer.run_envoys();
                window.orders().expire();
            }
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
