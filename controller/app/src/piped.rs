//! A controller whose objects come line by line, for benches: all of the pipeline and no folder or API server.

use std::io::BufRead;
use std::sync::{Arc, Mutex, mpsc as blocking};
use std::time::Duration;

use anyhow::{Context, bail};
use envoy_bootstrap::Address;
use ferrule_translate::{Object, Parsed, Settings};
use ferrule_xds::{Options, Server};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::sync::watch::channel as watch_channel;

use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::observer::Observer;
use crate::orders::Orders;
use crate::pipeline::Pipeline;
use crate::publish::Publisher;
use crate::signals::Signals;
use crate::status::StatusWriter;
use crate::watch::{Changes, Loaded, Update};
use crate::window::Window;
use crate::{admin, serving};

/// Serves xDS at `ads` and the admin interface at `admin`, for the objects that `lines` tell: each line is a JSON list of
/// objects that take effect together. Ends with a signal.
///
/// # Errors
/// An address is taken, or a line cannot be read.
pub fn serve(
    settings: Settings,
    ads: Address,
    admin: Address,
    lines: impl BufRead + Send + 'static,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(run(settings, ads, admin, lines));
    runtime.shutdown_background();
    served
}

async fn run(
    settings: Settings,
    ads: Address,
    admin: Address,
    lines: impl BufRead + Send + 'static,
) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let (server, events) = Server::new(Options::default());
    let (_stop, _served) = serving::serve(server.clone(), Listener::bind(&ads, "ads").await?);
    let metrics = Arc::new(Metrics::default());
    let writer = Arc::new(Mutex::new(StatusWriter::new(None)?));
    let (_ready, waiting) = watch_channel(String::new());
    let publisher = Publisher::shared(server.clone());
    let orders = Arc::new(Orders::new(Arc::clone(&publisher)));
    let window = Arc::new(Window::new(writer.clone(), server.clone(), metrics.clone(), orders, waiting));
    tokio::spawn(admin::serve(admin::bind(&admin).await?, window.clone()));
    let pipeline = Pipeline::new(settings, publisher, metrics.clone());
    let (tell_translation, translations) = mpsc::unbounded_channel();
    let (tell_update, updates) = blocking::channel();
    pipeline.spawn(updates, move |translated| tell_translation.send(translated).is_ok())?;
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            match update(&line) {
                Ok(update) => drop(tell_update.send(update)),
                Err(error) => tracing::error!("{error:#}"),
            }
        }
    });
    let mut observer = Observer::new(writer, metrics, None);
    let (_surroundings, surroundings) = mpsc::channel(1);
    serving::observe(&mut observer, translations, events, surroundings, &window, &mut signals).await;
    Ok(())
}

fn update(line: &str) -> anyhow::Result<Update> {
    let mut changes = Changes::default();
    for json in serde_json::from_str::<Vec<Value>>(line).context("not a list of objects")? {
        let content = rapidhash::v3::rapidhash_v3(json.to_string().as_bytes());
        let Parsed::Object { object, .. } = Object::parse(json)? else {
            bail!("an object of an unknown kind")
        };
        changes.put.insert(object.reference(), Arc::new(Loaded::of_server(object, content)));
    }
    Ok(Update::of_objects(changes, Vec::new(), Duration::ZERO))
}
