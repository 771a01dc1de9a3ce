//! What Envoy is to do after a callback about a message, in its own numbers.

use ferrule_kit::Hold;

use crate::registry::Callback;

/// Goes on.
pub(crate) const CONTINUE: u32 = 0;
/// At headers and trailers holds the message, of which more is shown as it comes; at a body keeps what has come, too.
const STOP_ITERATION: u32 = 1;
/// At headers holds the whole message and slows its sender down.
const STOP_ALL_ITERATION_AND_WATERMARK: u32 = 4;

/// How to hold a message at this callback.
///
/// A body is always kept where this filter can reach it. Envoy's other ways leave it with a pointer to bytes that are gone.
pub(crate) fn hold(callback: Callback, hold: Hold) -> u32 {
    match (callback, hold) {
        (Callback::Headers { .. }, Hold::Stream) => STOP_ALL_ITERATION_AND_WATERMARK,
        _ => STOP_ITERATION,
    }
}
