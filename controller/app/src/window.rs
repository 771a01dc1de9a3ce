//! What the admin interface shows of a controller.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ferrule_xds::Server;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::admin::Exhibit;
use crate::metrics::Metrics;
use crate::observer::{SharedWriter, lock};
use crate::orders::Orders;
use crate::pipeline::Translated;
use crate::print;
use crate::record::Record;

/// What the admin interface shows.
pub(crate) struct Window {
    writer: SharedWriter,
    server: Server,
    metrics: Arc<Metrics>,
    orders: Arc<Orders>,
    translated: AtomicBool,
    gateways: Mutex<Vec<Arc<str>>>,
    /// Why nothing has been translated, as long as nothing has.
    waiting: watch::Receiver<String>,
}

impl Window {
    /// Shows nothing yet, for the reason `waiting`.
    pub(crate) fn new(
        writer: SharedWriter,
        server: Server,
        metrics: Arc<Metrics>,
        orders: Arc<Orders>,
        waiting: watch::Receiver<String>,
    ) -> Self {
        Self {
            writer,
            server,
            metrics,
            orders,
            translated: AtomicBool::new(false),
            gateways: Mutex::default(),
            waiting,
        }
    }

    /// The orders that were given here.
    pub(crate) fn orders(&self) -> &Arc<Orders> {
        &self.orders
    }

    pub(crate) fn on_translation(&self, translated: &Translated) {
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

    fn order(&self, order: &[u8]) -> Result<String, String> {
        self.orders.give(order)
    }

    fn account(&self, order: &str) -> Option<String> {
        let account = self.orders.account(order)?;
        Some(json!({"complete": account.is_complete(), "unheard": account.unheard, "proxies": account.proxies}).to_string())
    }

    fn unready(&self) -> Option<String> {
        (!self.translated.load(Ordering::Relaxed)).then(|| self.waiting.borrow().clone())
    }
}
