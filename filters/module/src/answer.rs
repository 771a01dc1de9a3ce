//! Answers that a filter gives piece by piece, as fast as the client takes them.
//!
//! Invariant: one call at a time sends. Envoy may run hooks while it takes bytes, and may give the stream up: what it then tells is
//! left to the call that sends, and so is freeing the stream.

use std::cell::Cell;

use ferrule_abi::{FilterPtr, HttpHeader, ModuleStreamPtr};
use ferrule_kit::{Event, Opening, Piece, Ready, Step};

use crate::stream::{Head, Hook, destroy, tell};
use crate::{act, envoy};

/// As many as an answer has, or nearly.
const LINES: usize = 24;

/// Where the answer of a stream stands.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// It was begun: the request goes nowhere any more.
    pub(crate) begun: Cell<bool>,
    /// It is not all sent.
    unfinished: Cell<bool>,
    /// The client has more than it takes at a time.
    full: Cell<bool>,
    /// Something is being sent: see the module.
    sending: Cell<bool>,
}

impl Answer {
    /// Whether a wake is about more of the answer.
    pub(crate) fn awaits_more(&self) -> bool {
        self.unfinished.get()
    }

    /// Whether the stream is in use below, so that it must not be freed.
    pub(crate) fn is_sending(&self) -> bool {
        self.sending.get()
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.full.set(full);
    }
}

/// Begins an answer, and sends what there is of it.
///
/// # Safety
/// `stream` is not freed yet and nothing of it is borrowed; `filter` is Envoy's name for it. It may be freed when this returns.
pub(crate) unsafe fn open(filter: FilterPtr, stream: ModuleStreamPtr, opening: &Opening) {
    let Some(callbacks) = envoy::callbacks() else { return };
    let status = opening.status.to_string();
    let lines = opening.fields.iter().map(|(name, value)| HttpHeader::new(name, value));
    let mut lines: Vec<_> =
        std::iter::once(HttpHeader::new(":status", status.as_bytes())).chain(lines).collect();
    // SAFETY: the caller vouches for stream and filter; the lines outlive the call, and nothing frees the stream while it sends.
    unsafe {
        let answer = &(*stream.cast::<Head>()).answer;
        answer.begun.set(true);
        answer.unfinished.set(!opening.end);
        answer.sending.set(true);
        (callbacks.http_send_response_headers)(filter, lines.as_mut_ptr(), lines.len(), opening.end);
        answer.sending.set(false);
        send(filter, stream);
    }
}

/// Gives an answer that is at hand.
///
/// # Safety
/// As for [`open`].
pub(crate) unsafe fn give(filter: FilterPtr, stream: ModuleStreamPtr, ready: &dyn Ready) {
    let Some(callbacks) = envoy::callbacks() else { return };
    let mut lines: Vec<HttpHeader> = Vec::with_capacity(LINES);
    let status = [100, 10, 1].map(|place| b'0' + (ready.status() / place % 10) as u8);
    lines.push(HttpHeader::new(":status", &status));
    ready.lines(&mut |name, value| lines.push(HttpHeader::new(name, value)));
    let pieces = ready.pieces();
    // SAFETY: the caller vouches for stream and filter; lines and pieces outlive the calls, and nothing frees the stream while it
    // sends.
    unsafe {
        let head = &*stream.cast::<Head>();
        head.answer.sending.set(true);
        (callbacks.http_send_response_headers)(filter, lines.as_mut_ptr(), lines.len(), pieces == 0);
        for place in 0..pieces {
            if head.is_doomed() {
                break;
            }
            (callbacks.http_send_response_data)(filter, ready.piece(place).into(), place + 1 == pieces);
        }
        head.answer.sending.set(false);
        if head.is_doomed() {
            destroy(stream);
        }
    }
}

/// Sends what there is, as long as the client takes it.
///
/// # Safety
/// As for [`open`].
pub(crate) unsafe fn send(filter: FilterPtr, stream: ModuleStreamPtr) {
    // SAFETY: the caller vouches for the stream; nothing frees it while it sends.
    let head = unsafe { &*stream.cast::<Head>() };
    let answer = &head.answer;
    if answer.sending.replace(true) {
        return;
    }
    while answer.unfinished.get() && !answer.full.get() && !head.is_doomed() {
        // SAFETY: the caller vouches for stream and filter.
        let more = match unsafe { tell(stream, filter, Hook::Other, Event::Room) } {
            // SAFETY: as above.
            Some(Step::Send { pieces, end }) => unsafe { send_pieces(filter, head, &pieces, end) },
            Some(Step::Reset) => {
                answer.unfinished.set(false);
                // SAFETY: as above; the driver has returned.
                unsafe { act::reset(filter, "ferrule_filter_reset") };
                false
            }
            _ => false,
        };
        if !more {
            break;
        }
    }
    answer.sending.set(false);
    if head.is_doomed() {
        // SAFETY: Envoy has given the stream up, so no one else frees it.
        unsafe { destroy(stream) };
    }
}

/// Says whether there may be more to send.
///
/// # Safety
/// As for [`open`], with `head` the stream's.
unsafe fn send_pieces(filter: FilterPtr, head: &Head, pieces: &[Piece], end: bool) -> bool {
    let Some(callbacks) = envoy::callbacks() else { return false };
    if end {
        head.answer.unfinished.set(false);
    }
    let last = pieces.len().saturating_sub(1);
    for (place, piece) in pieces.iter().enumerate() {
        if head.is_over() {
            return false;
        }
        // SAFETY: the caller vouches for the filter; the bytes outlive the call.
        unsafe { (callbacks.http_send_response_data)(filter, (&**piece).into(), end && place == last) };
    }
    if pieces.is_empty() && end {
        // SAFETY: as above.
        unsafe { (callbacks.http_send_response_data)(filter, (&[][..]).into(), true) };
    }
    !end
}
