//! The one thread that talks to Redis, for all storages of the process.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread; it ends once no one has this any more.
#[derive(Debug)]
pub(super) struct Thread {
    runtime: Handle,
    _end: oneshot::Sender<()>,
}

static THREAD: Mutex<Weak<Thread>> = Mutex::new(Weak::new());

impl Thread {
    /// The thread, started if there is none; none where it cannot be.
    pub(super) fn get() -> Option<Arc<Self>> {
        let mut known = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = known.upgrade() {
            return Some(thread);
        }
        let thread = Arc::new(Self::start()?);
        *known = Arc::downgrade(&thread);
        Some(thread)
    }

    fn start() -> Option<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().ok()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let run = move || {
            let _ = runtime.block_on(ended);
        };
        std::thread::Builder::new().name("ferrule-redis".to_owned()).spawn(run).ok()?;
        Some(Self { runtime: handle, _end: end })
    }

    /// Runs a task on the thread, which stays for as long.
    pub(super) fn run(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let stays = Arc::clone(self);
        self.runtime.spawn(async move {
            task.await;
            drop(stays);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_is_shared_and_ends_with_the_last_who_has_it() {
        let (first, second) = (Thread::get().unwrap(), Thread::get().unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        let (done, waits) = std::sync::mpsc::channel();
        first.run(async move { done.send(()).unwrap() });
        waits.recv().unwrap();
        let handle = first.runtime.clone();
        drop((first, second));
        // A runtime that is gone drops what is spawned.
        while !handle.spawn(std::future::pending::<()>()).is_finished() {
            std::thread::yield_now();
        }
    }
}
