//! Carries out what a driver asks for, once nothing of the stream is borrowed any more.

use ferrule_abi::{FilterPtr, HttpHeader, ModuleBuffer, ModuleStreamPtr, StreamReset};
use ferrule_kit::{Hold, Message, Response, Step};

use crate::stream::Head;
use crate::{answer, envoy};

/// Why a message does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The filter holds it.
    Held(Hold),
    /// It was answered or reset; the stream may be freed already.
    Over,
}

/// Carries out `step` in a hook about `message`. `None`: let it go on.
///
/// # Safety
/// `stream` is not freed yet unless `step` is `None`; `filter` is Envoy's name for it.
#[inline]
pub(crate) unsafe fn after_hook(
    filter: FilterPtr,
    stream: ModuleStreamPtr,
    message: Message,
    step: Option<Step>,
) -> Option<Stopped> {
    let Some(step) = step else { return Some(Stopped::Over) };
    // SAFETY: the caller vouches for the stream; it is not touched after its update.
    let head = unsafe { &*stream.cast::<Head>() };
    let stopped = match &step {
        Step::Pass | Step::Resume(_) => None,
        Step::Stop(hold) => Some(Stopped::Held(*hold)),
        Step::Respond(_) | Step::Open(_) | Step::Send { .. } | Step::Reset => Some(Stopped::Over),
    };
    head.update(message, |course| course.held = matches!(stopped, Some(Stopped::Held(_))));
    if stopped == Some(Stopped::Over) {
        // SAFETY: the caller vouches for the filter.
        unsafe { give_up(filter, stream, step) };
    }
    stopped
}

/// Carries out `step` after the reply to a callout or a wake.
///
/// # Safety
/// As for [`after_hook`].
pub(crate) unsafe fn after_reply(filter: FilterPtr, stream: ModuleStreamPtr, step: Option<Step>) {
    match step {
        // SAFETY: the caller vouches for stream and filter.
        Some(Step::Resume(message)) => unsafe { resume(filter, stream, message) },
        // SAFETY: the caller vouches for the filter.
        Some(step) => unsafe { give_up(filter, stream, step) },
        None => {}
    }
}

/// # Safety
/// As for [`after_hook`].
unsafe fn resume(filter: FilterPtr, stream: ModuleStreamPtr, message: Message) {
    let Some(callbacks) = envoy::callbacks() else { return };
    // SAFETY: the caller vouches for the stream; it is not touched after this.
    let head = unsafe { &*stream.cast::<Head>() };
    head.update(message, |course| course.held = false);
    // SAFETY: the caller vouches for the filter; nothing of the stream is borrowed.
    unsafe {
        match message {
            Message::Request => (callbacks.http_filter_continue_decoding)(filter),
            Message::Response => (callbacks.http_filter_continue_encoding)(filter),
        }
    }
}

/// # Safety
/// `filter` and `stream` are alive, and nothing of the stream is borrowed.
unsafe fn give_up(filter: FilterPtr, stream: ModuleStreamPtr, step: Step) {
    match step {
        // SAFETY: the caller vouches for the filter.
        Step::Respond(response) => unsafe { respond(filter, &response) },
        // SAFETY: as above.
        Step::Reset => unsafe { reset(filter, "ferrule_filter_reset") },
        // SAFETY: as above.
        Step::Open(opening) => unsafe { answer::open(filter, stream, &opening) },
        Step::Pass | Step::Stop(_) | Step::Resume(_) | Step::Send { .. } => {}
    }
}

/// # Safety
/// As for [`give_up`].
unsafe fn respond(filter: FilterPtr, response: &Response) {
    let Some(callbacks) = envoy::callbacks() else { return };
    let lines = response.fields.iter().map(|(name, value)| HttpHeader::new(name, value));
    let mut lines: Vec<_> = lines.collect();
    // SAFETY: the caller vouches for the filter; lines, body and details outlive the call.
    unsafe {
        (callbacks.http_send_response)(
            filter,
            u32::from(response.status),
            lines.as_mut_ptr(),
            lines.len(),
            response.body.as_slice().into(),
            ModuleBuffer::from(&*response.details),
        );
    }
}

/// # Safety
/// As for [`give_up`].
pub(crate) unsafe fn reset(filter: FilterPtr, details: &str) {
    let Some(callbacks) = envoy::callbacks() else { return };
    // SAFETY: the caller vouches for the filter; the details outlive the call.
    unsafe { (callbacks.http_filter_reset_stream)(filter, StreamReset::LocalReset, details.into()) };
}
