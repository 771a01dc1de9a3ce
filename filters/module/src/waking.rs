//! Wakes: what happens to one stream has another one's `scheduled` hook called, on that one's own worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferrule_abi::{Callbacks, FilterPtr, SchedulerPtr};
use ferrule_kit::Wake;

/// Wakes one stream; wakes that come before the stream has run count as one.
#[derive(Debug)]
pub(crate) struct Scheduler {
    envoy: &'static Callbacks,
    scheduler: SchedulerPtr,
    is_due: AtomicBool,
}

// SAFETY: Envoy takes commit and delete from any thread; nothing else is done to what the pointer names.
unsafe impl Send for Scheduler {}
// SAFETY: as above.
unsafe impl Sync for Scheduler {}

impl Scheduler {
    /// That of `filter`'s stream; none where Envoy gives none.
    ///
    /// # Safety
    /// `filter` is alive.
    pub(crate) unsafe fn of(envoy: &'static Callbacks, filter: FilterPtr) -> Option<Arc<Self>> {
        // SAFETY: the caller vouches for the filter.
        let scheduler = unsafe { (envoy.http_filter_scheduler_new)(filter) };
        let is_due = AtomicBool::new(false);
        (!scheduler.is_null()).then(|| Arc::new(Self { envoy, scheduler, is_due }))
    }

    /// The stream runs: wakes from now on are new ones.
    pub(crate) fn came(&self) {
        self.is_due.store(false, Ordering::SeqCst);
    }
}

impl Wake for Scheduler {
    fn wake(&self) {
        if !self.is_due.swap(true, Ordering::SeqCst) {
            // SAFETY: not deleted yet; Envoy takes it from any thread, and the hook finds no stream where it has ended.
            unsafe { (self.envoy.http_filter_scheduler_commit)(self.scheduler, 0) };
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // SAFETY: made by Envoy, and deleted here only.
        unsafe { (self.envoy.http_filter_scheduler_delete)(self.scheduler) };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fake::{FILTER, fake, reset};
    use crate::{alarm, envoy};

    #[test]
    fn an_alarm_wakes_the_stream_that_is_still_there() {
        reset();
        // SAFETY: the fake's filter is alive.
        let scheduler = || unsafe { Scheduler::of(envoy::callbacks().unwrap(), FILTER) }.unwrap();
        let (stays, goes) = (scheduler(), scheduler());
        alarm::set(Arc::downgrade(&goes), Duration::ZERO);
        drop(goes);
        alarm::set(Arc::downgrade(&stays), Duration::from_millis(1));
        while !stays.is_due.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        stays.wake();
        assert_eq!(fake(|fake| std::mem::take(&mut fake.asked)), ["delete scheduler"], "it is due already");
    }
}
