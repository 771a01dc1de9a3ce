//! The Envoy that this module runs in: its callbacks, found once, and its log.

use std::sync::OnceLock;

use ferrule_abi::{Callbacks, LogLevel};
use ferrule_kit::Level;

static CALLBACKS: OnceLock<Callbacks> = OnceLock::new();

/// Puts `callbacks` in the place of Envoy's; the first call counts.
pub(crate) fn install(callbacks: Callbacks) {
    let _ = CALLBACKS.set(callbacks);
}

/// Envoy's callbacks, if `program_init` has found them.
#[inline]
pub(crate) fn callbacks() -> Option<&'static Callbacks> {
    CALLBACKS.get()
}

/// Writes to Envoy's log, as one line whatever `text` holds. From any thread. Envoy shows `source` as `[source:1]`, and only
/// because the number is not 0.
pub(crate) fn log(level: Level, source: &str, text: &str) {
    let Some(callbacks) = callbacks() else { return };
    let level = match level {
        Level::Trace => LogLevel::Trace,
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    };
    // SAFETY: takes no pointers.
    if !unsafe { (callbacks.log_enabled)(level) } {
        return;
    }
    let line = text.replace(['\r', '\n'], " ");
    // SAFETY: both buffers outlive the call.
    unsafe { (callbacks.log_v2)(level, line.as_str().into(), source.into(), 1) };
}

/// Reports panics to Envoy's log by their place alone: their text may quote a message's content.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        log(Level::Error, "panic", &format!("panicked at {place}"));
    }));
}
