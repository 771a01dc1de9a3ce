//! Requests that belong to no stream: Envoy makes them on its main thread, for the listener's configuration.
//!
//! Invariant: nothing is locked while Envoy or an errand runs: Envoy may answer a request before it has said that it was made.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use ferrule_abi::{Callbacks, CalloutInit, ConfigPtr, EnvoyBuffer, HttpHeader, SchedulerPtr};
use ferrule_kit::{Callout, Errand, Octets};

use crate::envoy;
use crate::host::milliseconds;

/// As many wait, and as many are under way, at most: others are dropped. The main thread has else to do.
const MOST: usize = 1024;

/// The requests of one listener's configuration.
#[derive(Debug)]
pub(crate) struct Errands {
    /// None where Envoy gives none: then nothing is sent off.
    scheduler: Option<Scheduler>,
    /// To be made by the main thread.
    waiting: Mutex<Vec<(Callout, Box<dyn Errand>)>>,
    /// By Envoy's id.
    under_way: Mutex<BTreeMap<u64, Box<dyn Errand>>>,
    /// The one that Envoy is making.
    starting: Mutex<Option<Box<dyn Errand>>>,
}

#[derive(Debug)]
struct Scheduler(&'static Callbacks, SchedulerPtr);

// SAFETY: Envoy takes commit and delete from any thread; nothing else is done to what the pointer names.
unsafe impl Send for Scheduler {}
// SAFETY: as above.
unsafe impl Sync for Scheduler {}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // SAFETY: made by Envoy, and deleted here only.
        unsafe { (self.0.http_filter_config_scheduler_delete)(self.1) };
    }
}

impl Errands {
    /// Those of a configuration that is being made.
    ///
    /// # Safety
    /// `config` is alive.
    pub(crate) unsafe fn of(config: ConfigPtr) -> Self {
        // SAFETY: the caller vouches for the configuration.
        let scheduler = |envoy: &'static Callbacks| unsafe {
            Scheduler(envoy, (envoy.http_filter_config_scheduler_new)(config))
        };
        let scheduler = envoy::callbacks().map(scheduler).filter(|scheduler| !scheduler.1.is_null());
        let (waiting, under_way, starting) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { scheduler, waiting, under_way, starting }
    }

    pub(crate) fn run(&self) -> bool {
        self.scheduler.is_some()
    }

    /// From any thread.
    pub(crate) fn send_off(&self, request: Callout, errand: Box<dyn Errand>) {
        let Some(Scheduler(envoy, scheduler)) = &self.scheduler else { return };
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= MOST {
            // An errand is dropped without the lock.
            return drop(waiting);
        }
        waiting.push((request, errand));
        drop(waiting);
        // SAFETY: not deleted yet; Envoy takes it from any thread.
        unsafe { (envoy.http_filter_config_scheduler_commit)(*scheduler, 0) };
    }

    /// Makes the requests that wait, on the main thread.
    ///
    /// # Safety
    /// `config` is Envoy's name for the configuration, and alive.
    pub(crate) unsafe fn start(&self, config: ConfigPtr) {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        for (request, errand) in waiting {
            if lock(&self.under_way).len() >= MOST {
                continue;
            }
            *lock(&self.starting) = Some(errand);
            // SAFETY: the caller vouches for the configuration.
            let id = unsafe { start(config, &request) };
            // Gone where its answer is over already.
            let errand = lock(&self.starting).take();
            if let (Some(id), Some(errand)) = (id, errand) {
                lock(&self.under_way).insert(id, errand);
            }
        }
    }

    /// Tells of the answer to a request. `tell` says whether there is more to tell; where the errand has enough, that is true here.
    fn tell(&self, id: u64, tell: impl FnOnce(&mut dyn Errand) -> bool) -> bool {
        let known = lock(&self.under_way).remove(&id);
        let is_starting = known.is_none();
        let Some(mut errand) = known.or_else(|| lock(&self.starting).take()) else { return false };
        if !tell(&mut *errand) {
            return true;
        }
        if is_starting {
            *lock(&self.starting) = Some(errand);
        } else {
            lock(&self.under_way).insert(id, errand);
        }
        false
    }

    /// # Safety
    /// The lines are as many as said, and lent until this returns.
    pub(crate) unsafe fn on_headers(&self, id: u64, lines: &[HttpHeader], end: bool) -> bool {
        // SAFETY: the caller vouches for the lines.
        let parts = lines.iter().map(|line| unsafe { line.parts() });
        let lines: Vec<(Octets<'_>, Octets<'_>)> =
            parts.map(|(name, value)| (name.into(), value.into())).collect();
        self.tell(id, |errand| errand.on_headers(SystemTime::now(), &lines, end) && !end) && !end
    }

    /// # Safety
    /// The chunks are as many as said, and lent until this returns.
    pub(crate) unsafe fn on_data(&self, id: u64, chunks: &[EnvoyBuffer], end: bool) -> bool {
        // SAFETY: the caller vouches for the chunks.
        let chunks: Vec<Octets<'_>> = chunks.iter().map(|chunk| unsafe { chunk.bytes() }.into()).collect();
        self.tell(id, |errand| errand.on_data(&chunks, end) && !end) && !end
    }

    pub(crate) fn on_trailers(&self, id: u64) {
        self.tell(id, |errand| {
            errand.on_trailers();
            false
        });
    }

    /// It is over.
    pub(crate) fn on_end(&self, id: u64) {
        self.tell(id, |_| false);
    }
}

/// # Safety
/// As for [`Errands::start`].
unsafe fn start(config: ConfigPtr, request: &Callout) -> Option<u64> {
    let envoy = envoy::callbacks()?;
    let lines = request.fields.iter().map(|(name, value)| HttpHeader::new(name, value));
    let mut lines: Vec<_> = lines.collect();
    let mut id = 0;
    // SAFETY: the caller vouches for the configuration; lines and buffers outlive the call, and the out-parameter is ours.
    let begun = unsafe {
        (envoy.http_filter_config_start_http_stream)(
            config,
            &raw mut id,
            request.cluster.as_str().into(),
            lines.as_mut_ptr(),
            lines.len(),
            request.body.as_slice().into(),
            true,
            milliseconds(request.timeout),
        )
    };
    (begun == CalloutInit::SUCCESS).then_some(id)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
