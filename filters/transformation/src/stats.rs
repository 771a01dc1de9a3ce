//! What is counted, measured and logged.
//!
//! Invariant: a line names route and field, and tells nothing of a message's content.

use std::time::SystemTime;

use ferrule_kit::{ConfigError, Counter, Histogram, Host, Level};

use crate::problem::{Cause, Problem};
use crate::template::Fault;

/// Names of counters, in the order of the functions below.
pub(crate) const COUNTERS: &[&str] = &[
    "transformed",
    "json_refused",
    "render_failed",
    "bound_hit",
    "value_refused",
    "encoding_refused",
    "too_large",
    "skipped",
];
const TRANSFORMED: Counter = Counter(0);
const TOO_LARGE: Counter = Counter(6);
const SKIPPED: Counter = Counter(7);

/// Names of histograms: microseconds of a render, bytes of a body that was held.
pub(crate) const HISTOGRAMS: &[&str] = &["render_time_us", "body_bytes"];
const RENDER_TIME: Histogram = Histogram(0);
const BODY_BYTES: Histogram = Histogram(1);

/// The longest prefix, in bytes.
const MAX_PREFIX: usize = 128;

/// A prefix as it may stand in names of statistics.
///
/// # Errors
/// It is too long or holds another character.
pub(crate) fn prefix(written: Option<String>) -> Result<Option<String>, ConfigError> {
    let Some(prefix) = written else { return Ok(None) };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    if prefix.is_empty() || prefix.len() > MAX_PREFIX || !prefix.bytes().all(plain) {
        let reason =
            "is empty, longer than 128 bytes, or has a character other than letters, digits, _ - . /";
        return Err(ConfigError::new("statPrefix", reason));
    }
    Ok(Some(prefix))
}

/// A message could not be transformed, and goes on untouched where it was `skipped`.
pub(crate) fn failed(host: &mut dyn Host, problem: &Problem, skipped: bool) {
    host.count(counter(problem), 1);
    if skipped {
        host.count(SKIPPED, 1);
    }
    log(host, &problem.to_string());
}

/// A body was larger than can be held.
pub(crate) fn overflow(host: &mut dyn Host, path: &str) {
    host.count(TOO_LARGE, 1);
    log(host, &format!("{path}.body: larger than the buffer limit"));
}

/// A render ended, begun at `begun`.
pub(crate) fn measure(host: &mut dyn Host, begun: SystemTime, body: Option<usize>, transformed: bool) {
    if transformed {
        host.count(TRANSFORMED, 1);
    }
    let elapsed = host.now().duration_since(begun).unwrap_or_default();
    host.record(RENDER_TIME, u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
    if let Some(bytes) = body {
        host.record(BODY_BYTES, bytes as u64);
    }
}

fn counter(problem: &Problem) -> Counter {
    Counter(match &problem.cause {
        Cause::Json(_) | Cause::Merge(_) => 1,
        Cause::Render(failure) if failure.fault == Fault::Bound => 3,
        Cause::Render(_) => 2,
        Cause::Value(_) | Cause::Metadata(_) | Cause::Wrap(_) => 4,
        Cause::Encoding => 5,
    })
}

fn log(host: &dyn Host, problem: &str) {
    let route = host.route_name();
    host.log(Level::Warn, &format!("transformation: route \"{route}\": {problem}"));
}
