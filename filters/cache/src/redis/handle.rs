//! What streams have of the level: orders to the thread, and what the thread has let them know.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::Settings;
use super::exchange::Names;
use super::keeper::{Keep, Keeper};
use super::looker::{Looker, jitter};
use super::password::Password;
use super::pending::Pending;
use super::thread::Thread;
use crate::level::breaker::Breaker;
use crate::level::{Level, Mark, Recall};
use crate::storage::Shared;
use crate::store::{Limits, Object, Purge};

/// Looks under way at most.
const LOOKS: usize = 1024;

/// What the thread is to do at once.
#[derive(Debug)]
pub(super) enum Order {
    /// Look.
    Recall(Arc<Recall>),
    /// Tell of purges.
    Purges,
}

/// What streams and the thread both know.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) pending: Arc<Pending>,
    pub(super) breaker: Arc<Mutex<Breaker>>,
    is_closed: AtomicBool,
    mark: AtomicU64,
    /// Purges that came from here.
    pub(super) purges: AtomicU64,
    pub(super) looks: AtomicUsize,
    /// Bytes of responses that wait to be kept.
    pub(super) queued: AtomicUsize,
    pub(super) dropped: AtomicU64,
    pub(super) password: Password,
}

impl Common {
    fn new(settings: &Settings) -> Self {
        Self {
            pending: Arc::default(),
            breaker: Arc::new(Mutex::new(Breaker::new(settings.breaker))),
            is_closed: AtomicBool::new(true),
            mark: AtomicU64::new(0),
            purges: AtomicU64::new(0),
            looks: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            password: Password::default(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    pub(super) fn succeeded(&self) {
        let mut breaker = self.breaker();
        breaker.succeeded();
        self.is_closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        let mut breaker = self.breaker();
        breaker.failed(Instant::now(), jitter());
        self.is_closed.store(breaker.is_closed(), Ordering::Relaxed);
    }

    /// The last purge was this one, or a later one.
    pub(super) fn see(&self, mark: Mark) {
        self.mark.fetch_max(mark.0, Ordering::SeqCst);
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The level.
#[derive(Debug)]
pub(crate) struct RedisLevel {
    settings: Settings,
    limits: Limits,
    storage: Weak<Shared>,
    common: Arc<Common>,
    running: OnceLock<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    orders: UnboundedSender<Order>,
    kept: UnboundedSender<Keep>,
}

impl RedisLevel {
    pub(crate) fn new(settings: Settings, storage: Weak<Shared>, limits: Limits) -> Self {
        let common = Arc::new(Common::new(&settings));
        Self { settings, limits, storage, common, running: OnceLock::new() }
    }

    /// None where there can be no thread.
    fn running(&self) -> Option<&Running> {
        self.running.get_or_init(|| self.start()).as_ref()
    }

    fn start(&self) -> Option<Running> {
        let thread = Thread::get()?;
        let who = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        let names = Names { prefix: self.settings.prefix.clone(), who };
        let common = || Arc::clone(&self.common);
        let looker = Looker::new(&self.settings, names.clone(), common(), self.storage.clone());
        let keeper = Keeper::new(&self.settings, names, common(), self.limits.variants);
        let ((orders, ordered), (kept, keeps)) = (unbounded_channel(), unbounded_channel());
        let weak = Arc::downgrade(&thread);
        thread.run(looker.run(ordered, weak));
        thread.run(keeper.run(keeps));
        Some(Running { orders, kept })
    }

    fn keep(&self, keep: Keep) {
        let cost = keep.cost();
        let most = self.limits.bytes / 8;
        let queued = self.common.queued.fetch_add(cost, Ordering::Relaxed);
        let fits = queued == 0 || queued + cost <= most;
        let is_taken = fits
            && self.common.is_closed()
            && self.running().is_some_and(|running| running.kept.send(keep).is_ok());
        if !is_taken {
            self.common.queued.fetch_sub(cost, Ordering::Relaxed);
            self.common.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Level for RedisLevel {
    fn secret(&self) -> Option<&str> {
        self.settings.password.as_deref()
    }

    fn log_in(&self, password: &[u8]) {
        self.common.password.set(password);
    }

    fn recall(&self, recall: &Arc<Recall>) -> bool {
        if !self.common.is_closed() {
            return false;
        }
        let Some(running) = self.running() else { return false };
        if self.common.looks.fetch_add(1, Ordering::Relaxed) < LOOKS
            && running.orders.send(Order::Recall(Arc::clone(recall))).is_ok()
        {
            return true;
        }
        self.common.looks.fetch_sub(1, Ordering::Relaxed);
        false
    }

    fn put(&self, object: &Arc<Object>, since: Mark) {
        self.keep(Keep::Object(Arc::clone(object), since));
    }

    fn forget(&self, object: &Object) {
        self.keep(Keep::forgetting(object));
    }

    fn purge(&self, purge: &Purge, soft: bool) {
        self.common.pending.add(purge.clone(), soft);
        self.common.purges.fetch_add(1, Ordering::SeqCst);
        if let Some(running) = self.running().filter(|_| self.common.is_closed()) {
            let _ = running.orders.send(Order::Purges);
        }
    }

    fn mark(&self) -> Mark {
        Mark(self.common.mark.load(Ordering::SeqCst))
    }

    fn patience(&self) -> Duration {
        self.settings.timeout
    }

    fn take_dropped(&self) -> u64 {
        match self.common.dropped.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.common.dropped.swap(0, Ordering::Relaxed),
        }
    }
}
