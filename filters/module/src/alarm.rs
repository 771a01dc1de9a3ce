//! Wakes streams after a time, which Envoy has no callback for: one thread for all of them, started by the first.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_void};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use ferrule_kit::Wake;

use crate::waking::Scheduler;

/// How long to sleep where nothing is to be woken.
const IDLE: Duration = Duration::from_secs(3600);

struct Alarm {
    at: Instant,
    stream: Weak<Scheduler>,
}

static ALARMS: OnceLock<Option<Mutex<Sender<Alarm>>>> = OnceLock::new();

/// Has a stream woken once `after` is over; without a thread, never.
pub(crate) fn set(stream: Weak<Scheduler>, after: Duration) {
    let Some(at) = Instant::now().checked_add(after) else { return };
    if let Some(alarms) = ALARMS.get_or_init(start) {
        let _ = alarms.lock().unwrap_or_else(PoisonError::into_inner).send(Alarm { at, stream });
    }
}

fn start() -> Option<Mutex<Sender<Alarm>>> {
    if !stay_loaded() {
        return None;
    }
    let (sender, alarms) = channel();
    std::thread::Builder::new().name("ferrule-alarms".to_owned()).spawn(move || keep(&alarms)).ok()?;
    Some(Mutex::new(sender))
}

/// Envoy unloads a module whose last configuration has gone, and with it the code that the thread runs.
pub(crate) fn stay_loaded() -> bool {
    let mut found = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: the address is that of this library's own code; the name that is found is NUL-terminated and lives as long as it.
    unsafe {
        if libc::dladdr(stay_loaded as *const c_void, &raw mut found) == 0 || found.dli_fname.is_null() {
            return false;
        }
        let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
        // A program that has this code linked in stays anyway, and is not found by its name.
        !libc::dlopen(found.dli_fname, flags).is_null() || is_program(CStr::from_ptr(found.dli_fname))
    }
}

fn is_program(path: &CStr) -> bool {
    let program = std::env::current_exe().and_then(std::fs::canonicalize);
    let path = path.to_str().map_err(std::io::Error::other).and_then(std::fs::canonicalize);
    matches!((program, path), (Ok(program), Ok(path)) if program == path)
}

fn keep(alarms: &Receiver<Alarm>) {
    let mut by_time: BTreeMap<(Instant, u64), Weak<Scheduler>> = BTreeMap::new();
    let mut count = 0u64;
    loop {
        let now = Instant::now();
        while let Some(first) = by_time.first_entry().filter(|first| first.key().0 <= now) {
            if let Some(stream) = first.remove().upgrade() {
                stream.wake();
            }
        }
        let wait = by_time.first_key_value().map_or(IDLE, |(next, _)| next.0.saturating_duration_since(now));
        match alarms.recv_timeout(wait) {
            Ok(alarm) => {
                count += 1;
                by_time.insert((alarm.at, count), alarm.stream);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
