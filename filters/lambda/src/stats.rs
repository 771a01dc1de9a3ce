//! What is counted and logged.
//!
//! Invariant: a line names route and function, and tells nothing of a message's content.

use ferrule_kit::{Counter, Host, Level};

use crate::failure::Failure;

/// Names of counters, in the order of the constants below.
pub(crate) const COUNTERS: &[&str] = &[
    "invoked",
    "function_error",
    "timed_out",
    "malformed_answer",
    "broken_stream",
    "throttled",
    "too_large",
    "not_found",
    "credential_error",
    "service_error",
    "refused",
];
pub(crate) const INVOKED: Counter = Counter(0);
pub(crate) const FUNCTION_ERROR: Counter = Counter(1);
pub(crate) const TIMED_OUT: Counter = Counter(2);
pub(crate) const MALFORMED_ANSWER: Counter = Counter(3);
pub(crate) const BROKEN_STREAM: Counter = Counter(4);
pub(crate) const THROTTLED: Counter = Counter(5);
pub(crate) const TOO_LARGE: Counter = Counter(6);
pub(crate) const NOT_FOUND: Counter = Counter(7);
pub(crate) const CREDENTIAL_ERROR: Counter = Counter(8);
pub(crate) const SERVICE_ERROR: Counter = Counter(9);
pub(crate) const REFUSED: Counter = Counter(10);

/// Counts and logs a failure.
pub(crate) fn failed(host: &mut dyn Host, function: &str, failure: &Failure) {
    host.count(failure.counter(), 1);
    let route = host.route_name();
    host.log(Level::Warn, &format!("lambda: route \"{route}\": function \"{function}\": {failure}"));
}
